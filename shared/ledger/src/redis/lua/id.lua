-- KEYS: id. ARGV: what it becomes if it is lost.
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return redis.call('GET', KEYS[1])
