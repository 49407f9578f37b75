-- KEYS: build, failures, names, tally, buckets. ARGV: plan, worker, finished, counted, files.
-- Answers the later plan that keeps it out, or 0.
local plan, worker = tonumber(ARGV[1]), ARGV[2]
local finished, counted = ARGV[3] == '1', ARGV[4] == '1'
local row = read_row(KEYS[1])
if row and row.err then return row end
local own = row and is_held_by(row, plan, worker)
local files, highest = judge(KEYS[2], 5, 5, plan)
if row then highest = math.max(highest, row.plan) end
if highest > plan then
  if own then release(KEYS[1], row, true) end
  return highest
end
write(KEYS[2], KEYS[3], files)
count(KEYS[4], plan, files)
if not row then return 0 end
if not finished and not counted then
  if own then release(KEYS[1], row, false) end
elseif own or not is_live(row, now_ms()) then
  if finished then
    redis.call('DEL', KEYS[1])
  else
    if own then let_go(row) else interrupt(row) end
    write_row(KEYS[1], row)
  end
end
return 0
