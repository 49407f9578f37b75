-- KEYS: build, control. ARGV: plan, worker, ttl.
local plan, worker, ttl = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local _, cancelled = read_control(KEYS[2])
if plan <= cancelled then return 0 end
local now = now_ms()
local expires = now + ttl
local row = read_row(KEYS[1])
if row and row.err then return row end
if not row then
  row = {plan = plan, attempts = 1, interrupted = false, nonce = '-'}
elseif row.plan > plan then
  return 0
elseif is_held_by(row, plan, worker) then
  expires = math.max(expires, row.expires)
else
  if is_live(row, now) then return 0 end
  interrupt(row)
  if row.plan < plan then row.plan, row.attempts = plan, 1 end
end
row.worker, row.expires = worker, expires
write_row(KEYS[1], row)
return 1
