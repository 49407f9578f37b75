-- KEYS: failures, then the bucket of each file. ARGV: of each file its field and name.
local failures, answers = KEYS[1], {}
local any = redis.call('EXISTS', failures) == 1
for i = 2, #KEYS do
  local at = (i - 2) * 2 + 1
  local packed = any and redis.call('HGET', failures, ARGV[at + 1])
  answers[i - 1] = packed or redis.call('HGET', KEYS[i], ARGV[at])
end
return answers
