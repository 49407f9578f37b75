-- KEYS: id, beats. ARGV: what the id becomes if it is lost.
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return {redis.call('GET', KEYS[1]), redis.call('INCR', KEYS[2])}
