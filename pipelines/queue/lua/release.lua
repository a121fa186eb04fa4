-- ARGV: id, token, error if it was to be cancelled, delay ms. Reply: 1 waits (again), -1 not held.
local id = ARGV[1]
local value = call('HGET', O, id)
if not value then
    local ended = call('HEXISTS', P, id) == 0 or call('ZSCORE', DEAD, id)
    return ended and -1 or 1
end
if not holds(value, ARGV[2]) then return -1 end
if call('SISMEMBER', CX, id) == 1 then
    local attempt = attempts(id) + 1
    bury(id, CANCELLED, attempt, ARGV[2], ARGV[3], told_here('cancelled', attempt))
    if admitted then wake() end
    return 1
end
local _, score = flags_and_score(value)
local delay = tonumber(ARGV[4])
local idle = delay == 0 and call('ZCARD', READY) == 0
call('HDEL', O, id)
call('ZREM', LEASE, id)
call('HDEL', PR, id)
if delay > 0 then
    call('ZADD', DELAYED, now + delay, id)
else
    call('ZADD', READY, score, id)
end
if idle then wake() end
return 1
