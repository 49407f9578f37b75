-- KEYS: tally. ARGV: plan, floor, files, bytes.
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'plan', ARGV[1], 'floor', ARGV[2], 'files', ARGV[3], 'bytes', ARGV[4],
  'started_ms', string.format('%.0f', now_ms()), 'done', 0, 'done_bytes', 0, 'failed', 0, 'absent', 0)
return redis.status_reply('OK')
