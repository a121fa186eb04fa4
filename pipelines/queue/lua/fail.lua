-- ARGV: id, token, error, story, 1 to try again, delay ms, BURIED or CANCELLED when it ends, 1 when
-- it spends a try. Reply: 1 goes on, 0 ended, -1 not held with this token.
local id, token, err, line, spends = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[8])
local value = call('HGET', O, id)

-- An attempt that fails again and again without being spent is told once, as it was last.
local function told_of(attempt)
    local story, record = story_of(id), call('HGET', DE, id)
    if record then
        local _, what, _, at = cmsgpack.unpack_limit(record, 3)
        local again = spends == 0 and what == HELD and at == attempt
        if again then story = string.match(story, '^(.*)\n') or '' end
    end
    return told(story, line)
end

if not value then
    -- The same defeat again, because its answer was lost, gets the same answer.
    local record = call('HGET', DE, id)
    if not record then return -1 end
    local _, what, _, _, last = cmsgpack.unpack_limit(record, 4)
    if last ~= token then return -1 end
    return (what == TRYING or what == HELD) and 1 or 0
end
if not holds(value, token) then return -1 end

go_on_without_memory()
local failures = call('HINCRBY', A, id, spends)
local attempt = attempts(id) + 1 - spends
local _, _, max = head_of(call('HGET', P, id))
local asked = call('SISMEMBER', CX, id) == 1
if asked or ARGV[5] ~= '1' or failures >= max then
    bury(id, asked and CANCELLED or tonumber(ARGV[7]), attempt, token, err, line)
    if admitted then wake() end
    return 0
end
local first_due = call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')[2]
local what = spends == 1 and TRYING or HELD
call('HSET', DE, id, pack(what, now, attempt, token, err, told_of(attempt)))
call('HDEL', O, id)
call('ZREM', LEASE, id)
call('HDEL', PR, id)
local due = now + ARGV[6]
call('ZADD', DELAYED, due, id)
count('retried', spends)
if due < tonumber(first_due or math.huge) then wake() end
return 1
