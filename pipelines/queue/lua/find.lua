-- ARGV: ids. Reply: one digit per id, the Presence: 0 unknown, 1 live, 2 done, 3 dead.
local done, dead = call('ZMSCORE', DONE, unpack(ARGV)), call('ZMSCORE', DEAD, unpack(ARGV))
local found = {}
for i, id in ipairs(ARGV) do
    if done[i] then
        found[i] = 2
    elseif dead[i] then
        found[i] = 3
    else
        found[i] = call('HEXISTS', P, id)
    end
end
return table.concat(found)
