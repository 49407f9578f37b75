-- KEYS: lease. ARGV: owner, ttl. Answers who holds it and until when, or nothing if the asker does.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  return {owner, redis.call('PEXPIRETIME', KEYS[1])}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {}
