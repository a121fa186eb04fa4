-- ARGV: section, score and member of the last one seen ('' = from the start), limit, wanted
-- state in the dead section ('' = any).
-- Reply: score and member of the last one looked at ('' = the section ends here), then rows.
local SETS = {lease = LEASE, ready = READY, parked = GW, delayed = DELAYED, dead = DEAD,
              done = DONE}
local SECTION, SCORE, MEMBER, LIMIT, WANTED = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local SCAN = 100
local key = SETS[SECTION]
local newest_first = SECTION == 'dead' or SECTION == 'done'

-- The place after the last one seen; when that one has moved on, the place where it was.
local function start()
    if MEMBER == '' then return 0 end
    local rank = call(newest_first and 'ZREVRANK' or 'ZRANK', key, MEMBER)
    if rank then return rank + 1 end
    if SECTION == 'parked' then return call('ZLEXCOUNT', key, '-', '(' .. MEMBER) end
    if newest_first then return call('ZCOUNT', key, '(' .. SCORE, '+inf') end
    return call('ZCOUNT', key, '-inf', '(' .. SCORE)
end

local function id_of(member)
    if SECTION ~= 'parked' then return member end
    return sub(member, 8 + tonumber(sub(member, 1, 8), 16) + 14 + 1)
end

local first = start()
local members
if newest_first then
    members = call('ZREVRANGE', key, first, first + SCAN - 1, 'WITHSCORES')
else
    members = call('ZRANGE', key, first, first + LIMIT - 1, 'WITHSCORES')
end
local rows, score, member = {}, '', ''
local at = 1
while members[at] and #rows < LIMIT do
    member, score = members[at], members[at + 1]
    local one = row(id_of(member))
    if one and (WANTED == '' or one[2] == WANTED) then rows[#rows + 1] = one end
    at = at + 2
end
if not members[at] and first + (at - 1) / 2 >= call('ZCARD', key) then score, member = '', '' end
return {score, member, rows}
