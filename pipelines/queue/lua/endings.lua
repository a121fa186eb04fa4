-- What is kept of failed attempts and of jobs that ended.
-- A value of de: pack(what, ms, attempt, token, error, story) with what = TRYING for a job that
-- goes on (HELD: it failed last through no fault of its own), else how it ended. A value of dn:
-- pack(ms, attempt, p's value, receipts, story).
local TRYING, BURIED, CANCELLED, HELD = 0, 1, 2, 3
local STORY_BYTES, JOB_BYTES, TRIM = 4096, 4096, 64

-- One line per attempt; the oldest go first.
local function told(story, line)
    if line == '' then return story end
    if story ~= '' then line = story .. '\n' .. line end
    while #line > STORY_BYTES do
        local cut = string.find(line, '\n', 1, true)
        if not cut then break end
        line = sub(line, cut + 1)
    end
    return line
end

local function told_here(what, attempt)
    return string.format('[{"time":%d,"what":"%s","attempt":%d}]', now, what, attempt)
end

local function story_of(id)
    local value = call('HGET', DE, id)
    if not value then return '' end
    local _, _, _, _, _, _, story = cmsgpack.unpack_limit(value, 6)
    return story
end

local function attempts(id)
    return tonumber(call('HGET', A, id) or 0) + tonumber(call('HGET', K, id) or 0)
end

-- A finished job is kept without its facts when they are big.
local function without_big_facts(value)
    if #value <= JOB_BYTES then return value end
    local offset = cmsgpack.unpack_limit(value, 5)
    local line = string.find(value, '\n', offset + 1, true)
    return line and sub(value, 1, line) .. '{}' or value
end

local function free_dedupe(id, dedupe)
    if dedupe ~= '' and call('HGET', U, dedupe) == id then call('HDEL', U, dedupe) end
end

-- Out of every set of live jobs; what is known of it stays.
local function unlink(id)
    call('ZREM', READY, id)
    call('ZREM', DELAYED, id)
    call('ZREM', LEASE, id)
    for _, key in ipairs({O, A, K, PR}) do call('HDEL', key, id) end
    call('SREM', CX, id)
end

-- Into the dead set, from wherever it is.
local function bury(id, what, attempt, token, err, line)
    local _, _, _, flags, dedupe = head_of(call('HGET', P, id))
    local story = told(story_of(id), line)
    unlink(id)
    if flags % 2 == KEYED then free_turn(id) end
    free_dedupe(id, dedupe)
    call('ZADD', DEAD, now, id)
    call('HSET', DE, id, pack(what, now, attempt, token, err, story))
    if what == CANCELLED then call('HINCRBY', META, 'buried_cancelled', 1) end
    count(what == CANCELLED and 'cancelled' or 'dead', 1)
end

-- Forgets the first of the dead set; bounded.
local function forget_dead(ids)
    if #ids == 0 then return end
    local cancelled = 0
    for _, value in ipairs(call('HMGET', DE, unpack(ids))) do
        local _, what = cmsgpack.unpack_limit(value, 1)
        if what == CANCELLED then cancelled = cancelled + 1 end
    end
    call('ZREM', DEAD, unpack(ids))
    call('HDEL', DE, unpack(ids))
    call('HDEL', P, unpack(ids))
    forget_receipts(ids, call('HMGET', RC, unpack(ids)))
    if cancelled > 0 then call('HINCRBY', META, 'buried_cancelled', -cancelled) end
end

local function forget_done(ids)
    if #ids == 0 then return end
    call('ZREM', DONE, unpack(ids))
    call('HDEL', DN, unpack(ids))
end

local function trim_done(history)
    local over = call('ZCARD', DONE) - history
    if over > 0 then
        forget_done(call('ZRANGE', DONE, 0, math.min(over, TRIM) - 1))
    end
end
