-- KEYS: build. ARGV: plan, worker, whether the attempt counts.
local row = read_row(KEYS[1])
if not row or row.err then return row end
if is_held_by(row, tonumber(ARGV[1]), ARGV[2]) then
  release(KEYS[1], row, ARGV[3] == '1')
end
return redis.status_reply('OK')
