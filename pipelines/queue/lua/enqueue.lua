-- ARGV: format, limit of unfinished jobs (0: none), then id, priority, max_attempts, due_ms,
-- dedupe, key, 1 when the limit is not for it, job for each. Reply: one digit per job, the PutCode.
local FORMAT, LIMIT, FIELDS = ARGV[1], tonumber(ARGV[2]), 8
local ACCEPTED, KNOWN_ID, KNOWN_DEDUPE, FULL = 0, 1, 2, 3
local jobs = (#ARGV - 2) / FIELDS

local format = call('HGET', META, 'format')
if format and format ~= FORMAT then return redis.error_reply('FORMAT ' .. format) end

local ids = {}
for i = 1, jobs do ids[i] = ARGV[3 + (i - 1) * FIELDS] end
local live = fields(P, ids)
local ended = call('ZMSCORE', DONE, unpack(ids))
local waiting = call('ZCARD', READY)
local idle = waiting == 0
local room = jobs
if LIMIT > 0 then room = LIMIT - waiting - call('ZCARD', DELAYED) - call('ZCARD', GW) end
local first_due = call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')[2]

-- Also the first write: a server out of memory refuses here, before anything changed. And a
-- batch sent again always writes, so that WAIT covers the one before.
local seq = call('HINCRBY', META, 'seq', jobs) - jobs

local codes, seen = {}, {}
local stored, ready, delayed, soonest = {}, {}, {}, nil
for i = 1, jobs do
    local at = 3 + (i - 1) * FIELDS
    local id, dedupe, key = ids[i], ARGV[at + 4], ARGV[at + 5]
    local code = ACCEPTED
    if live[i] or ended[i] or seen[id] then
        code = KNOWN_ID
    elseif dedupe ~= '' and call('HEXISTS', U, dedupe) == 1 then
        code = KNOWN_DEDUPE
    elseif #stored / 2 >= room and ARGV[at + 6] ~= '1' then
        code = FULL
    else
        seen[id] = true
        local due, flags = tonumber(ARGV[at + 3]), 0
        local score = ARGV[at + 1] * CLASS + seq + i
        if dedupe ~= '' then
            call('HSET', U, dedupe, id)
            flags = DEDUPED
        end
        local turn = true
        if key ~= '' then
            turn = take_turn(id, key, score, due)
            flags = flags + KEYED
        end
        stored[#stored + 1] = id
        stored[#stored + 1] = pack(score, now, tonumber(ARGV[at + 2]), flags, dedupe) ..
                              ARGV[at + 7]
        if turn and due > now then
            delayed[#delayed + 1] = due
            delayed[#delayed + 1] = id
            if not soonest or due < soonest then soonest = due end
        elseif turn then
            ready[#ready + 1] = score
            ready[#ready + 1] = id
        end
    end
    codes[i] = code
end

if #stored > 0 then
    call('HSET', P, unpack(stored))
    if #ready > 0 then call('ZADD', READY, unpack(ready)) end
    if #delayed > 0 then call('ZADD', DELAYED, unpack(delayed)) end
    count('enqueued', #stored / 2)
    if (idle and #ready > 0) or (soonest and soonest < tonumber(first_due or math.huge)) then
        wake()
    end
end
return table.concat(codes)
