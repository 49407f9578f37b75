-- KEYS: build, control. ARGV: plan, worker, ttl, nonce.
-- A claim that is sent twice, because its answer was lost, has the same nonce and is granted once.
local plan, worker, ttl, nonce = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4]
local paused, cancelled = read_control(KEYS[2])
if plan <= cancelled then return {'superseded', cancelled} end
if paused then return {'paused'} end
local now = now_ms()
local row = read_row(KEYS[1])
if row and row.err then return row end
row = row or {plan = plan, attempts = 0, interrupted = false, expires = 0, nonce = '-', worker = ''}
if row.plan > plan then return {'superseded', row.plan} end
if not (row.nonce == nonce and is_held_by(row, plan, worker)) then
  if is_live(row, now) then return {'busy', row.worker, row.expires} end
  interrupt(row)
  row.attempts = (row.plan == plan and row.attempts or 0) + 1
  row.plan = plan
end
row.worker, row.nonce, row.expires = worker, nonce, now + ttl
write_row(KEYS[1], row)
return {'granted', row.attempts, row.interrupted and 1 or 0}
