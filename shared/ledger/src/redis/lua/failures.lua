-- KEYS: failures, names. ARGV: where the names begin (`-` or `(name`), how many.
local names = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], '+', 'LIMIT', 0, ARGV[2])
local answers = {}
for i, name in ipairs(names) do
  answers[i] = {name, redis.call('HGET', KEYS[1], name)}
end
return answers
