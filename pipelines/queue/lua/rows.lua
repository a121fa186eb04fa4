-- Rows for people: id, state, job, failures, stalls, when (due, ended; 0), receipts, record (of de
-- or dn, or ''), progress.

-- The JobState, the date that belongs to it, and the record; nothing for an unknown id.
local function place_of(id)
    if call('HSTRLEN', P, id) == 0 then
        local ended = call('ZSCORE', DONE, id)
        if ended then return 'done', ended, call('HGET', DN, id) end
        return
    end
    local record = call('HGET', DE, id) or ''
    if call('HEXISTS', O, id) == 1 then return 'running', 0, record end
    local ended = call('ZSCORE', DEAD, id)
    if ended then
        local _, what = cmsgpack.unpack_limit(record, 1)
        return what == CANCELLED and 'cancelled' or 'dead', ended, record
    end
    local due = call('ZSCORE', DELAYED, id)
    if due then return 'delayed', due, record end
    return 'waiting', 0, record
end

local function row(id)
    local state, date, record = place_of(id)
    if not state then return end
    return {id, state, call('HGET', P, id) or '', call('HGET', A, id) or '0',
            call('HGET', K, id) or '0', date,
            receipts_of(id, call('HGET', RC, id)), record,
            call('HGET', PR, id) or ''}
end
