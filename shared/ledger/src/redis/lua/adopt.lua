-- KEYS: failures, names, tally, buckets. ARGV: plan, files. Answers how many were written.
local files = judge(KEYS[1], 4, 2, tonumber(ARGV[1]))
write(KEYS[1], KEYS[2], files)
count(KEYS[3], tonumber(ARGV[1]), files)
return #files
