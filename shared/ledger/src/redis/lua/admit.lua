-- KEYS: bucket, until when the host is parked, who asks. ARGV: who, how many it wants, how many a minute
-- (0: no limit), how many at once.
-- Answers how many it gets, when to ask again, for how long the host is parked, how many ask; in ms.
local want, rate, burst = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = now_ms()
redis.call('ZADD', KEYS[3], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - 60000)
redis.call('PEXPIRE', KEYS[3], 120000)
local askers = redis.call('ZCARD', KEYS[3])
local parked = redis.call('PTTL', KEYS[2])
if parked > 0 then return {0, 0, parked, askers} end
if rate == 0 or want == 0 then return {want, 0, 0, askers} end
-- A new bucket is empty: a Redis that lost the old one must not give out twice.
local tokens, at = 0, now
local text = redis.call('GET', KEYS[1])
if text then
  tokens, at = string.match(text, '^(%S+) (%S+)$')
  tokens, at = tonumber(tokens), tonumber(at)
end
-- A clock that went back gives nothing.
tokens = math.min(burst, tokens + math.max(now - at, 0) * rate / 60000)
local given = math.min(want, math.floor(tokens))
tokens = tokens - given
-- What is forgotten is less than what a minute brings.
redis.call('SET', KEYS[1], string.format('%.6f %.0f', tokens, now), 'PX', 120000)
local wait = 0
if given == 0 then wait = math.ceil((1 - tokens) * 60000 / rate) end
return {given, wait, 0, askers}
