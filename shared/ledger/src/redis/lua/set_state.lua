-- KEYS: state. ARGV: the plan of who writes it, the state as JSON. Answers the later plan that keeps it out, or 0.
local known = redis.call('GET', KEYS[1])
if known then
  -- What cannot be read is replaced.
  local read, state = pcall(cjson.decode, known)
  local plan = read and type(state) == 'table' and tonumber(state.plan) or 0
  if plan > tonumber(ARGV[1]) then return plan end
end
redis.call('SET', KEYS[1], ARGV[2])
return 0
