-- Rows of builds: `plan attempts interrupted expires nonce worker`; without a holder expires is 0.
-- The rules are those of build_row.rs.
local function read_row(key)
  local text = redis.call('GET', key)
  if not text then return nil end
  local plan, attempts, interrupted, expires, nonce, worker =
    string.match(text, '^(%d+) (%d+) ([01]) (%d+) (%S+) (.*)$')
  if not plan then return redis.error_reply('ERR not a row of a build: ' .. text) end
  return {
    plan = tonumber(plan), attempts = tonumber(attempts), interrupted = interrupted == '1',
    expires = tonumber(expires), nonce = nonce, worker = worker,
  }
end

local function write_row(key, row)
  redis.call('SET', key, string.format('%.0f %.0f %d %.0f %s %s', row.plan, row.attempts,
    row.interrupted and 1 or 0, row.expires, row.nonce, row.worker))
end

local function is_held(row) return row.expires > 0 end
local function is_live(row, now) return row.expires > now end
local function is_held_by(row, plan, worker)
  return is_held(row) and row.plan == plan and row.worker == worker
end

local function let_go(row)
  row.expires, row.nonce, row.worker = 0, '-', ''
end

-- Whoever held it is gone without word.
local function interrupt(row)
  if is_held(row) then row.interrupted = true end
  let_go(row)
end

-- Ends the holder's claim without an outcome.
local function release(key, row, counted)
  let_go(row)
  if not counted then row.attempts = math.max(row.attempts - 1, 0) end
  if row.attempts == 0 and not row.interrupted then
    redis.call('DEL', key)
  else
    write_row(key, row)
  end
end
