-- KEYS: the last plan, control, whether something was forgotten.
local last = tonumber(redis.call('GET', KEYS[1]) or '0')
local _, cancelled = read_control(KEYS[2])
local plan = math.max(now_ms(), last + 1, cancelled + 1)
redis.call('SET', KEYS[1], string.format('%.0f', plan))
redis.call('DEL', KEYS[3])
return plan
