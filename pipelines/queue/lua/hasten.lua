-- ARGV: id. Reply: the state before it, nil for an unknown id. Only waiting and delayed ones move.
local id = ARGV[1]
local state = place_of(id)
if state == 'delayed' then
    local idle = call('ZCARD', READY) == 0
    call('ZREM', DELAYED, id)
    call('ZADD', READY, (head_of(call('HGET', P, id))), id)
    if idle then wake() end
elseif state == 'waiting' then
    local score, due, key = turn_of(id)
    if score and due > 0 then
        call('HSET', GK, id, string.format('%016d%014d', score, 0) .. key)
    end
end
return state
