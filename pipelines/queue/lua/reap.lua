-- ARGV: history, keep ms, error of a cancelled job, then how the tokens of our node begin ('' = no
-- orphans are looked for) and those of our process.
-- Reply: how many wait again, then a row for each job that was buried.
local HISTORY, KEEP = tonumber(ARGV[1]), tonumber(ARGV[2])
local BATCH = 64
local back, rows = 0, {}

-- Whoever claims it next hears of its stalls, and gives it up where they are too many: what is due
-- then (on_failure) takes more than one call, and nothing of it may be lost in between.
local function lapse(id)
    local value = call('HGET', P, id)
    if not value then return unlink(id) end
    call('HINCRBY', K, id, 1)
    local attempt = attempts(id)
    local line = told_here('stalled', attempt)
    count('stalled', 1)
    if call('SISMEMBER', CX, id) == 1 then
        bury(id, CANCELLED, attempt, '', ARGV[3], line)
    else
        local record = call('HGET', DE, id)
        local err, when, at = '', 0, 0
        if record then
            local _, _, ms, tried, _, text = cmsgpack.unpack_limit(record, 5)
            err, when, at = text, ms, tried
        end
        call('HSET', DE, id, pack(TRYING, when, at, '', err, told(story_of(id), line)))
        call('HDEL', O, id)
        call('ZREM', LEASE, id)
        call('HDEL', PR, id)
        call('ZADD', READY, (head_of(value)), id)
        back = back + 1
        return
    end
    rows[#rows + 1] = row(id)
end

-- A lease and its owner come and go together; should a fault of the server part them, the lease
-- runs out now and heals it. A few, at random, each time.
local function heal()
    local ids = call('HRANDFIELD', O, 16)
    if #ids == 0 then return end
    for i, lease in ipairs(call('ZMSCORE', LEASE, unpack(ids))) do
        if not lease then call('ZADD', LEASE, now, ids[i]) end
    end
end

-- What an earlier process of this node held: it is dead, or we would not have its state directory.
local function orphan(node, process)
    local held = call('HGETALL', O)
    for i = 1, #held, 2 do
        local token = sub(held[i + 1], 18)
        if sub(token, 1, #node) == node and sub(token, 1, #process) ~= process then
            call('ZADD', LEASE, now, held[i])
        end
    end
end

local function forget_reactors()
    for _, reactor in ipairs(call('ZRANGE', RX, '-inf', now, 'BYSCORE', 'LIMIT', 0, BATCH)) do
        call('ZREM', RX, reactor)
        call('HDEL', RD, reactor)
        for slot = 0, 7 do call('HDEL', RD, reactor .. '/' .. slot) end
    end
end

go_on_without_memory()
local idle = call('ZCARD', READY) == 0
heal()
if ARGV[4] ~= '' then orphan(ARGV[4], ARGV[5]) end
for _, id in ipairs(call('ZRANGE', LEASE, '-inf', now, 'BYSCORE', 'LIMIT', 0, BATCH)) do
    lapse(id)
end
if idle and call('ZCARD', READY) > 0 then wake() end
trim_done(HISTORY)
forget_done(call('ZRANGE', DONE, '-inf', now - KEEP, 'BYSCORE', 'LIMIT', 0, TRIM))
local over = call('ZCARD', DEAD) - HISTORY
if over > 0 then forget_dead(call('ZRANGE', DEAD, 0, math.min(over, TRIM) - 1)) end
forget_reactors()
return {back, rows}
