-- First part of every script. KEYS is the same fixed list in every call (kKeys in scripts.cpp);
-- time is the server's own.
local P, READY, DELAYED, LEASE, O, A, K, U, G, GW, GK = unpack(KEYS, 1, 11)
local DEAD, DE, PR, CX, RC, DONE, DN, RX, RD, META, ST = unpack(KEYS, 12, 22)
local call, sub, pack = redis.call, string.sub, cmsgpack.pack
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local CLASS = 2 ^ 40      -- score = priority * CLASS + order of acceptance
local KEYED, DEDUPED = 1, 2  -- flags of a job

-- In most queues no job has failed, stalled or left a receipt: a key that is not there is not asked
-- id by id.
local function there(key) return call('EXISTS', key) == 1 end
local function fields(key, ids) return there(key) and call('HMGET', key, unpack(ids)) or {} end

-- A value of p: pack(score, accepted_ms, max_attempts, flags, dedupe) .. job as musher encodes it.
local function head_of(value)
    local _, score, accepted, max, flags, dedupe = cmsgpack.unpack_limit(value, 5)
    return score, accepted, max, flags, dedupe
end

-- A value of o: flags, score and token; the first two save a look into p when the job ends.
local function owner(flags, score, token)
    return string.format('%d%016d', flags, score) .. token
end

local function holds(value, token)
    return value and sub(value, 18) == token
end

local function flags_and_score(value)
    return tonumber(sub(value, 1, 1)), tonumber(sub(value, 2, 17))
end

-- Totals in meta, and the same for this minute, which is forgotten after three hours.
local function count(what, n)
    if n == 0 then return end
    call('HINCRBY', META, what, n)
    if call('HINCRBY', ST, what, n) == n then call('EXPIRE', ST, 10800) end
end

-- A server out of memory refuses a script's first write unless it frees some, and no later one.
-- What ends jobs or keeps them alive must go on then: it begins with this write of nothing.
local function go_on_without_memory() call('ZREM', LEASE, '') end

-- One message tells every reactor that this queue has something new to claim or to wait for, …
local queue_name = string.match(P, '^m1:{(.*)}:p$')
local function wake() call('PUBLISH', 'm1:wake', queue_name) end

-- … another one that somebody gave an order: paused, resumed, or cancelled what runs.
local function pass_order() call('PUBLISH', 'm1:wake', queue_name .. ' order') end
