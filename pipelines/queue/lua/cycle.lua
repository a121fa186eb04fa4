-- ARGV: format, jobs to claim, lease ms, token of this claim, memo (reactor/slot), reactor, what
-- it runs ('' = not now), history, number of acks, number of beats, then id, token, story for
-- each ack and id, token, progress for each beat.
-- Reply: ack codes, beat codes, ms to the next due job (0: none), format, claims (flat: id,
-- attempt, job, receipts, stalls).
local FORMAT, WANTED, LEASE_MS, TOKEN, MEMO = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local HISTORY, ACKS, BEATS = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local ARGS = 10
local expiry = now + LEASE_MS
local GONE, STOLEN = 1, 2

-- Acks and beats both ask: is the job still ours? Those that are: {id, its place, o's value}.
local function ours(from, n, codes)
    local ids = {}
    for i = 1, n do ids[i] = ARGV[from + i * 3 - 2] end
    local mine, seen = {}, {}
    for i, value in ipairs(call('HMGET', O, unpack(ids))) do
        local id = ids[i]
        if holds(value, ARGV[from + i * 3 - 1]) and not seen[id] then
            seen[id] = true
            codes[i] = 0
            mine[#mine + 1] = {id, i, value}
        else
            local elsewhere = value and not seen[id] or not value and call('HEXISTS', P, id) == 1
            codes[i] = elsewhere and STOLEN or GONE
        end
    end
    return mine
end

local function finish(ended)
    local ids, dates, rows = {}, {}, {}
    for i, one in ipairs(ended) do ids[i] = one[1] end
    local values, failures, stalls = fields(P, ids), fields(A, ids), fields(K, ids)
    local receipts, records = fields(RC, ids), fields(DE, ids)
    for i, id in ipairs(ids) do
        local flags, value = flags_and_score(ended[i][3]), values[i]
        if flags % 2 == KEYED then free_turn(id) end
        if flags >= DEDUPED and value then
            local _, _, _, _, dedupe = head_of(value)
            free_dedupe(id, dedupe)
        end
        local story = ARGV[ARGS + ended[i][2] * 3]
        if records[i] then
            local _, _, _, _, _, _, before = cmsgpack.unpack_limit(records[i], 6)
            story = told(before, story)
        end
        local attempt = (failures[i] or 0) + (stalls[i] or 0) + 1
        dates[i * 2 - 1], dates[i * 2] = now, id
        rows[i * 2 - 1] = id
        rows[i * 2] = pack(now, attempt, without_big_facts(value or ''),
                           without_notes(receipts_of(id, receipts[i])), story)
    end
    for _, key in ipairs({P, O, A, K, PR, DE}) do
        if there(key) then call('HDEL', key, unpack(ids)) end
    end
    forget_receipts(ids, receipts)
    call('ZREM', LEASE, unpack(ids))
    if there(CX) then call('SREM', CX, unpack(ids)) end
    call('ZADD', DONE, unpack(dates))
    call('HSET', DN, unpack(rows))
    count('done', #ids)
    trim_done(HISTORY)
end

local function renew(held, codes)
    local ids, leases, progress = {}, {}, {}
    for i, one in ipairs(held) do
        ids[i] = one[1]
        leases[i * 2 - 1], leases[i * 2] = expiry, one[1]
        local text = ARGV[ARGS + ACKS * 3 + one[2] * 3]
        if text ~= '' then
            progress[#progress + 1] = one[1]
            progress[#progress + 1] = text
        end
    end
    call('ZADD', LEASE, 'XX', unpack(leases))
    if #progress > 0 then call('HSET', PR, unpack(progress)) end
    for i, asked in ipairs(call('SMISMEMBER', CX, unpack(ids))) do
        if asked == 1 then codes[held[i][2]] = 3 end
    end
end

local function promote_due()
    local due = call('ZRANGE', DELAYED, '-inf', now, 'BYSCORE', 'LIMIT', 0, 64)
    if #due == 0 then return end
    call('ZREM', DELAYED, unpack(due))
    for i, value in ipairs(call('HMGET', P, unpack(due))) do
        if value then call('ZADD', READY, (head_of(value)), due[i]) end
    end
end

-- An id without a job in p (somebody deleted it by hand) is not handed out.
local function hand_out(ids, claims)
    local failures, stalls = fields(A, ids), fields(K, ids)
    local values, receipts = fields(P, ids), fields(RC, ids)
    for i, id in ipairs(ids) do
        if values[i] then
            local at = #claims
            claims[at + 1], claims[at + 2] = id, (failures[i] or 0) + (stalls[i] or 0) + 1
            claims[at + 3], claims[at + 4] = values[i], receipts_of(ids[i], receipts[i])
            claims[at + 5] = tonumber(stalls[i] or 0)
        end
    end
    return values
end

-- The claim of this memo whose answer was lost: the same token asks again.
local function claimed_before()
    local memo = call('HGET', RD, MEMO)
    if not memo or sub(memo, 1, #TOKEN + 1) ~= TOKEN .. '\n' then return {} end
    local ids, mine = {}, {}
    for id in string.gmatch(sub(memo, #TOKEN + 2), '[^\n]+') do ids[#ids + 1] = id end
    for i, value in ipairs(call('HMGET', O, unpack(ids))) do
        if holds(value, TOKEN) and #mine < WANTED then
            mine[#mine + 1] = ids[i]
        elseif holds(value, TOKEN) then
            local _, score = flags_and_score(value)
            call('HDEL', O, ids[i])
            call('ZREM', LEASE, ids[i])
            call('ZADD', READY, score, ids[i])
        end
    end
    return mine
end

-- log2 of the milliseconds between acceptance and start, per minute.
local function note_waits(waits)
    for bucket, n in pairs(waits) do call('HINCRBY', ST, 'wait' .. bucket, n) end
end

local function claim(claims)
    local popped = call('ZPOPMIN', READY, WANTED)
    if #popped == 0 then return end
    local ids, owners, leases, waits = {}, {}, {}, {}
    for i = 1, #popped / 2 do ids[i] = popped[i * 2 - 1] end
    for i, value in ipairs(hand_out(ids, claims)) do
        if value then
            local at, _, accepted, _, flags = #owners, head_of(value)
            owners[at + 1], owners[at + 2] = ids[i], owner(flags, popped[i * 2], TOKEN)
            leases[at + 1], leases[at + 2] = expiry, ids[i]
            local _, bucket = math.frexp(math.max(now - accepted, 0))
            waits[bucket] = (waits[bucket] or 0) + 1
        end
    end
    if #owners == 0 then return end
    call('HSET', O, unpack(owners))
    call('ZADD', LEASE, unpack(leases))
    call('HSET', RD, MEMO, TOKEN .. '\n' .. table.concat(ids, '\n'))
    count('claimed', #ids)
    note_waits(waits)
end

local acks, beats, claims = {}, {}, {}
go_on_without_memory()
if ACKS > 0 then
    local ended = ours(ARGS, ACKS, acks)
    if #ended > 0 then finish(ended) end
end
if BEATS > 0 then
    local held = ours(ARGS + ACKS * 3, BEATS, beats)
    if #held > 0 then renew(held, beats) end
end
if ARGV[7] ~= '' then
    call('ZADD', RX, expiry, ARGV[6])
    call('HSET', RD, ARGV[6], ARGV[7])
end
local state = call('HMGET', META, 'format', 'paused')
local format = state[1] or FORMAT
promote_due()
if WANTED > 0 and tonumber(format) <= tonumber(FORMAT) then
    local before = claimed_before()
    if #before > 0 then
        hand_out(before, claims)
    elseif not state[2] then
        claim(claims)
    end
end
if admitted and call('ZCARD', READY) > 0 then wake() end
local due = call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')[2]
local wait = due and math.max(due - now, 1) or 0
return {table.concat(acks), table.concat(beats), wait, tonumber(format), claims}
