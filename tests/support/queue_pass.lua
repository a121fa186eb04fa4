-- Test support: ARGV[1] ms pass for this queue, by moving all its dates back.
go_on_without_memory()
local by = tonumber(ARGV[1])
for _, key in ipairs({DELAYED, LEASE, DEAD, DONE, RX}) do
    local all = call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for i = 1, #all, 2 do call('ZINCRBY', key, -by, all[i]) end
end
local turns = call('HGETALL', GK)
for i = 1, #turns, 2 do
    local value = turns[i + 1]
    local due = math.max(tonumber(sub(value, 17, 30)) - by, 0)
    call('HSET', GK, turns[i], sub(value, 1, 16) .. string.format('%014d', due) .. sub(value, 31))
end
local jobs = call('HGETALL', P)
for i = 1, #jobs, 2 do
    local offset, score, accepted, max, flags, dedupe = cmsgpack.unpack_limit(jobs[i + 1], 5)
    call('HSET', P, jobs[i], pack(score, accepted - by, max, flags, dedupe) ..
         sub(jobs[i + 1], offset + 1))
end
return 1
