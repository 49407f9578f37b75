-- KEYS: until when by worker, what it says. ARGV: how many at the most.
local after = '(' .. string.format('%.0f', now_ms())
local answers = {}
local rows = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', after, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
for i = 1, #rows, 2 do
  answers[#answers + 1] = {rows[i], tonumber(rows[i + 1]), redis.call('HGET', KEYS[2], rows[i])}
end
return {answers, redis.call('ZCOUNT', KEYS[1], after, '+inf')}
