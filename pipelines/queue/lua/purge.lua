-- ARGV: done, dead or cancelled; where to begin in the dead set. Reply: how many were forgotten,
-- how many were looked at and stayed (0 of both: nothing is left).
local BATCH = 256
if ARGV[1] == 'done' then
    local ids = call('ZRANGE', DONE, 0, BATCH - 1)
    forget_done(ids)
    return {#ids, 0}
end
local wanted = ARGV[1] == 'cancelled' and CANCELLED or BURIED
local ids = call('ZRANGE', DEAD, ARGV[2], ARGV[2] + BATCH - 1)
local forgotten = {}
for _, id in ipairs(ids) do
    local _, what = cmsgpack.unpack_limit(call('HGET', DE, id), 1)
    if what == wanted then forgotten[#forgotten + 1] = id end
end
forget_dead(forgotten)
return {#forgotten, #ids - #forgotten}
