-- ARGV: id. Reply: 'ok'; 'dup' and the id that holds the dedupe value; its state when it is not
-- dead; nil for an unknown id.
local id = ARGV[1]
local state = place_of(id)
if state ~= 'dead' and state ~= 'cancelled' then return state end
local value, record = call('HGET', P, id), call('HGET', DE, id)
local offset, old_score, _, max, flags, dedupe = cmsgpack.unpack_limit(value, 5)
if dedupe ~= '' and call('HSETNX', U, dedupe, id) == 0 then
    return {'dup', call('HGET', U, dedupe)}
end
local _, _, _, attempt, _, _, story = cmsgpack.unpack_limit(record, 6)
local score = math.floor(old_score / CLASS) * CLASS + call('HINCRBY', META, 'seq', 1)
call('HSET', P, id, pack(score, now, max, flags, dedupe) .. sub(value, offset + 1))
call('ZREM', DEAD, id)
call('HSET', DE, id, pack(TRYING, 0, 0, '', '', told(story, told_here('replayed', attempt))))
if state == 'cancelled' then call('HINCRBY', META, 'buried_cancelled', -1) end
count('replayed', 1)
-- The key of a dead job is not in gk any more: the caller says it.
if ARGV[2] == '' or take_turn(id, ARGV[2], score, 0) then
    local idle = call('ZCARD', READY) == 0
    call('ZADD', READY, score, id)
    if idle then wake() end
end
return 'ok'
