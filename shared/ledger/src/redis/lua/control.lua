-- What users want of a subdir: `paused cancelled`.
local function read_control(key)
  local text = redis.call('GET', key)
  if not text then return false, 0 end
  local paused, cancelled = string.match(text, '^([01]) (%d+)$')
  return paused == '1', tonumber(cancelled)
end
