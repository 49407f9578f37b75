-- KEYS: tally. ARGV: plan, done, their bytes, failed, absent.
if redis.call('HGET', KEYS[1], 'plan') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'done', ARGV[2], 'done_bytes', ARGV[3], 'failed', ARGV[4], 'absent', ARGV[5],
    'ended_ms', string.format('%.0f', now_ms()))
end
return redis.status_reply('OK')
