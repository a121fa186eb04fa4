-- Order per key: g says whose turn it is, gk what is known of each keyed job that has not ended
-- (score, due ms, key), gw parks the others of a key in the order of their acceptance.

local function parked_prefix(key)
    -- The length makes no prefix of one key a prefix of another.
    return string.format('%08x', #key) .. key
end

local function parked_member(key, score, id)
    return parked_prefix(key) .. string.format('%014d', score % CLASS) .. id
end

local admitted = false  -- somebody's turn came in this call

-- Where a job goes whose turn has come: to ready, or to delayed when it is not due.
local function admit(id, score, due)
    if due > now then
        call('ZADD', DELAYED, due, id)
    else
        call('ZADD', READY, score, id)
    end
    admitted = true
end

-- Takes a turn, or parks. True: the job may be admitted.
local function take_turn(id, key, score, due)
    call('HSET', GK, id, string.format('%016d%014d', score, due) .. key)
    if call('HSETNX', G, key, id) == 1 then return true end
    call('ZADD', GW, 0, parked_member(key, score, id))
    return false
end

-- score, due and key of a keyed job; nothing for another.
local function turn_of(id)
    local value = call('HGET', GK, id)
    if not value then return end
    return tonumber(sub(value, 1, 16)), tonumber(sub(value, 17, 30)), sub(value, 31)
end

-- A keyed job has ended: whoever is next of its key may run.
local function free_turn(id)
    local score, _, key = turn_of(id)
    if not score then return end
    call('HDEL', GK, id)
    if call('HGET', G, key) ~= id then
        call('ZREM', GW, parked_member(key, score, id))
        return
    end
    local prefix = parked_prefix(key)
    local member = call('ZRANGE', GW, '[' .. prefix, '[' .. prefix .. '\255', 'BYLEX',
                        'LIMIT', 0, 1)[1]
    if not member then
        call('HDEL', G, key)
        return
    end
    call('ZREM', GW, member)
    local next = sub(member, #prefix + 15)
    call('HSET', G, key, next)
    local next_score, due = turn_of(next)
    if next_score then admit(next, next_score, due) end
end
