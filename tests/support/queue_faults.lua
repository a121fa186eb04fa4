-- Test support: reads all records of one queue and says what does not fit together.
local faults = {}
local function fault(...) faults[#faults + 1] = table.concat({...}, ' ') end

local function hash(key)
    local all, flat = {}, call('HGETALL', key)
    for i = 1, #flat, 2 do all[flat[i]] = flat[i + 1] end
    return all
end
local function zset(key)
    local all, flat = {}, call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for i = 1, #flat, 2 do all[flat[i]] = tonumber(flat[i + 1]) end
    return all
end
local p, o, u, g, gk, de = hash(P), hash(O), hash(U), hash(G), hash(GK), hash(DE)
local ready, delayed, lease, gw = zset(READY), zset(DELAYED), zset(LEASE), zset(GW)
local dead, done, dn = zset(DEAD), zset(DONE), hash(DN)
local parked = {}
for member in pairs(gw) do
    local size = tonumber(sub(member, 1, 8), 16)
    parked[sub(member, 8 + size + 15)] = {sub(member, 9, 8 + size), member}
end

local places = {ready = ready, delayed = delayed, lease = lease, parked = parked, dead = dead}
for name, set in pairs(places) do
    for id in pairs(set) do
        if not p[id] then fault(id, 'is in', name, 'but has no job') end
    end
end
local live_dedupe, keyed = {}, {}
for id, value in pairs(p) do
    local in_sets = {}
    for name, set in pairs(places) do
        if set[id] then in_sets[#in_sets + 1] = name end
    end
    if #in_sets ~= 1 then fault(id, 'is in', #in_sets, 'places:', table.concat(in_sets, ',')) end
    if done[id] then fault(id, 'is both live and done') end
    local score, _, _, flags, dedupe = head_of(value)
    if ready[id] and ready[id] ~= score then fault(id, 'is ready with a score not its own') end
    if (dedupe ~= '') ~= (flags >= DEDUPED) then fault(id, 'has wrong flags') end
    if not dead[id] then
        if dedupe ~= '' then
            live_dedupe[dedupe] = id
            if u[dedupe] ~= id then fault(id, 'does not hold its dedupe value', dedupe) end
        end
        if flags % 2 == KEYED then
            keyed[id] = true
            if not gk[id] then fault(id, 'has a key that gk does not know') end
        end
    end
    if o[id] then
        local owner_flags, owner_score = flags_and_score(o[id])
        if owner_flags ~= flags or owner_score ~= score then
            fault(id, 'is owned with flags or score not its own')
        end
    end
end
for field in pairs(hash(RC)) do
    local id = string.match(field, '^[^\n]+')
    if not p[id] then fault(id, 'has receipts and no job') end
end
for id in pairs(lease) do if not o[id] then fault(id, 'has a lease and no owner') end end
for id in pairs(o) do if not lease[id] then fault(id, 'has an owner and no lease') end end
for value, id in pairs(u) do
    if live_dedupe[value] ~= id then fault(value, 'is a dedupe value of nobody alive') end
end

local turns = {}
for id, value in pairs(gk) do
    local key = sub(value, 31)
    if not keyed[id] then fault(id, 'is in gk but is no live keyed job') end
    if p[id] and tonumber(sub(value, 1, 16)) ~= (head_of(p[id])) then
        fault(id, 'has another score in gk')
    end
    if parked[id] then
        if parked[id][1] ~= key then fault(id, 'is parked under another key') end
        if parked[id][2] ~= parked_member(key, tonumber(sub(value, 1, 16)), id) then
            fault(id, 'is parked at a wrong place')
        end
    else
        if turns[key] then fault(key, 'gives two jobs a turn') end
        turns[key] = id
    end
end
for key, id in pairs(g) do
    if turns[key] ~= id then fault(key, 'gives its turn to', id, 'which has none') end
end
for key, id in pairs(turns) do
    if g[key] ~= id then fault(id, 'runs without the turn of', key) end
end

local cancelled = 0
for id in pairs(dead) do
    local what = de[id] and select(2, cmsgpack.unpack_limit(de[id], 1))
    if what == CANCELLED then cancelled = cancelled + 1 end
    if what ~= CANCELLED and what ~= BURIED then fault(id, 'is dead without a record') end
end
if cancelled ~= tonumber(call('HGET', META, 'buried_cancelled') or 0) then
    fault('the number of cancelled jobs is wrong')
end
for id, record in pairs(de) do
    if not p[id] then fault(id, 'has a record and no job') end
    local _, what = cmsgpack.unpack_limit(record, 1)
    if what ~= TRYING and not dead[id] then fault(id, 'has a record of its end but lives') end
end
for id in pairs(done) do if not dn[id] then fault(id, 'is done without a row') end end
for id in pairs(dn) do if not done[id] then fault(id, 'has a row but is not done') end end
for name, key in pairs({a = A, k = K, rc = RC}) do
    for id in pairs(hash(key)) do
        if not p[id] then fault(id, 'is in', name, 'but has no job') end
    end
end
for id in pairs(hash(PR)) do if not lease[id] then fault(id, 'reports without a lease') end end
for _, id in ipairs(call('SMEMBERS', CX)) do
    if not lease[id] then fault(id, 'is to be cancelled but does not run') end
end
return table.concat(faults, '\n')
