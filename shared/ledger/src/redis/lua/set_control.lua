-- KEYS: control. ARGV: `pause`, `resume`, or `cancel` and the plan.
local paused, cancelled = read_control(KEYS[1])
if ARGV[1] == 'cancel' then
  cancelled = math.max(cancelled, tonumber(ARGV[2]))
else
  paused = ARGV[1] == 'pause'
end
redis.call('SET', KEYS[1], string.format('%d %.0f', paused and 1 or 0, cancelled))
return redis.status_reply('OK')
