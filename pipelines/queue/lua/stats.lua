-- KEYS[23]: the minute before. Reply: waiting, delayed, running, done, dead and cancelled ones;
-- age of the oldest waiting one; due ms of the next delayed one; alive reactors; meta; this
-- minute; the one before.
local CLASSES = 16  -- priorities looked at for the oldest
local oldest, from = now, '-inf'
for _ = 1, CLASSES do
    local first = call('ZRANGE', READY, from, '+inf', 'BYSCORE', 'LIMIT', 0, 1)[1]
    local value = first and call('HGET', P, first)
    if not value then break end
    local score, accepted = head_of(value)
    oldest = math.min(oldest, accepted)
    from = string.format('%.0f', (math.floor(score / CLASS) + 1) * CLASS)
end
local due = call('ZRANGE', DELAYED, 0, 0, 'WITHSCORES')[2]
return {call('ZCARD', READY) + call('ZCARD', GW), call('ZCARD', DELAYED), call('ZCARD', LEASE),
        call('ZCARD', DONE), call('ZCARD', DEAD), now - oldest, due or 0,
        call('ZCOUNT', RX, now, '+inf'), call('HGETALL', META), call('HGETALL', ST),
        call('HGETALL', KEYS[23])}
