-- How far a plan is. The rules are those of tally.rs; `files` are those that outcomes.lua lets be written.
local function kind_of(packed)
  -- A cause that has these words has its quotes escaped.
  if string.find(packed, '"kind":"absent"', 1, true) then return 'absent' end
  return 'failed'
end

local function count(key, plan, files)
  local fields = {'plan', 'floor', 'done', 'done_bytes', 'failed', 'absent'}
  local row = redis.call('HMGET', key, unpack(fields))
  if not row[1] then return end
  local tally = {}
  for i, field in ipairs(fields) do tally[field] = tonumber(row[i]) end
  local function is_known(other) return other >= tally.floor and other <= tally.plan end
  for _, file in ipairs(files) do
    local before, is_done = file.before, file.kind == 'done'
    local counts = plan == tally.plan
    if is_done then
      counts = is_known(plan) and not (before.sha256 and is_known(before.plan)
        and before.sha256 == string.sub(file.packed, 8, 39))
    end
    if counts then
      if before.failure and before.plan == tally.plan then
        local kind = kind_of(before.failure)
        tally[kind] = math.max(tally[kind] - 1, 0)
      end
      if is_done then
        tally.done, tally.done_bytes = tally.done + 1, tally.done_bytes + tonumber(file.bytes)
      else
        local kind = kind_of(file.packed)
        tally[kind] = tally[kind] + 1
      end
    end
  end
  local set = {}
  for i = 3, #fields do
    set[#set + 1] = fields[i]
    set[#set + 1] = string.format('%.0f', tally[fields[i]])
  end
  redis.call('HSET', key, unpack(set))
end
