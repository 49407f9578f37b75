-- KEYS: failures, names, whether something was forgotten, then the bucket of each file. ARGV: of each file its field and
-- name. Answers how many there were.
local forgotten = 0
for i = 4, #KEYS do
  local at = (i - 4) * 2 + 1
  local failed = redis.call('HDEL', KEYS[1], ARGV[at + 1])
  if failed == 1 then redis.call('ZREM', KEYS[2], ARGV[at + 1]) end
  local done = redis.call('HDEL', KEYS[i], ARGV[at])
  forgotten = forgotten + math.max(failed, done)
end
if forgotten > 0 then redis.call('SET', KEYS[3], '1') end
return forgotten
