-- KEYS: until when the host is parked. Answers for how many ms from now and why, or nothing.
local left = redis.call('PTTL', KEYS[1])
if left <= 0 then return {} end
return {left, redis.call('GET', KEYS[1])}
