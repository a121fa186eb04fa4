-- ARGV: id, error. Reply: the state after it, nil for an unknown id. Only waiting and delayed jobs
-- are withdrawn: as cancelled, with a story that ends with `released`.
local id = ARGV[1]
local state = place_of(id)
if state ~= 'waiting' and state ~= 'delayed' then return state end
go_on_without_memory()
local attempt = attempts(id)
bury(id, CANCELLED, attempt, '', ARGV[2], told_here('released', attempt))
if admitted then wake() end
return 'cancelled'
