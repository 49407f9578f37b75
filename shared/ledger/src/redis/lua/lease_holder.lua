-- KEYS: lease. Answers who holds it and until when, or nothing.
local owner = redis.call('GET', KEYS[1])
if not owner then return {} end
return {owner, redis.call('PEXPIRETIME', KEYS[1])}
