-- KEYS: builds. Answers 1 for each that somebody works on.
local now, answers = now_ms(), {}
for i, key in ipairs(KEYS) do
  local row = read_row(key)
  if row and row.err then return row end
  answers[i] = row and is_live(row, now) and 1 or 0
end
return answers
