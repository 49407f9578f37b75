-- KEYS: …, failures by name, names of failures, then the bucket of each file. ARGV: …, then of each file
-- its field, name, what it is (`done` or `failed`), packed outcome, of a failure the packed sha256
-- that was wanted or '', and of a done one its bytes. What is packed is described in packed.rs; the rules are those of outcome.rs.
local function plan_of(packed)
  local plan = 0
  for i = 2, 7 do plan = plan * 256 + string.byte(packed, i) end
  return plan
end

-- A failure stands beside the file that was done before it, or that shares its field, and hides it.
local function recorded(failures, bucket, field, name)
  local packed = redis.call('HGET', failures, name)
  if packed then return plan_of(packed), nil, packed end
  packed = redis.call('HGET', bucket, field)
  if packed then return plan_of(packed), string.sub(packed, 8, 39) end
  return nil
end

local function yields(plan, sha256, new_plan, kind, wanted)
  if sha256 and kind == 'failed' and new_plan == plan then
    return wanted ~= '' and wanted ~= sha256
  end
  return new_plan >= plan
end

-- The files that may be written, and the highest plan that is there.
local function judge(failures, first_bucket, first_argument, plan)
  local files, highest = {}, 0
  for i = 0, (#ARGV - first_argument + 1) / 6 - 1 do
    local at = first_argument + i * 6
    local file = {
      bucket = KEYS[first_bucket + i], field = ARGV[at], name = ARGV[at + 1], kind = ARGV[at + 2],
      packed = ARGV[at + 3], bytes = ARGV[at + 5],
    }
    local there, sha256, failure = recorded(failures, file.bucket, file.field, file.name)
    file.before = {plan = there, sha256 = sha256, failure = failure}
    highest = math.max(highest, there or 0)
    if not there or yields(there, sha256, plan, file.kind, ARGV[at + 4]) then
      files[#files + 1] = file
    end
  end
  return files, highest
end

local function write(failures, names, files)
  for _, file in ipairs(files) do
    if file.kind == 'failed' then
      redis.call('HSET', failures, file.name, file.packed)
      redis.call('ZADD', names, 0, file.name)
    else
      redis.call('HSET', file.bucket, file.field, file.packed)
      if redis.call('HDEL', failures, file.name) == 1 then
        redis.call('ZREM', names, file.name)
      end
    end
  end
end
