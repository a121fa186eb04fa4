-- ARGV: id, token, receipt (one line). Reply: 1 stored, -1 not held with this token.
local id, line = ARGV[1], ARGV[3]
if not holds(call('HGET', O, id), ARGV[2]) then return -1 end
go_on_without_memory()
local lines = call('HGET', RC, id)
if not lines then
    call('HSET', RC, id, line)
elseif not string.find('\n' .. lines .. '\n', '\n' .. line .. '\n', 1, true) then
    call('HSET', RC, id, lines .. '\n' .. line)
end
return 1
