-- ARGV: id. Forgets one job of the dead set. Reply: its state before, nil for an unknown id.
local id = ARGV[1]
local state = place_of(id)
if state == 'dead' or state == 'cancelled' then forget_dead({id}) end
return state
