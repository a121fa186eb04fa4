-- ARGV: format. A queue of the format before is taken over; reply: the format it has now, which
-- is not ours when we cannot read it.
local ours = tonumber(ARGV[1])
local format = tonumber(call('HGET', META, 'format') or ours)
if format == ours or format == ours - 1 then
    call('HSET', META, 'format', ours)
    return ours
end
return format
