-- KEYS: until when the host is parked. ARGV: for how many ms from now, why.
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1])
end
return redis.status_reply('OK')
