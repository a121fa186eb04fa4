-- ARGV: id, error. Reply: the state after it, nil for an unknown id.
local id = ARGV[1]
local state = place_of(id)
go_on_without_memory()
if state == 'running' then
    call('SADD', CX, id)
    pass_order()
elseif state == 'waiting' or state == 'delayed' then
    local attempt = attempts(id)
    bury(id, CANCELLED, attempt, '', ARGV[2], told_here('cancelled', attempt))
    if admitted then wake() end
    state = 'cancelled'
end
return state
