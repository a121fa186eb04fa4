-- ARGV: id, token, receipt (one line). Reply: 1 stored, -1 not held with this token.
local id, line = ARGV[1], ARGV[3]
if not holds(call('HGET', O, id), ARGV[2]) then return -1 end
go_on_without_memory()
local fields, texts = receipt_fields(id, call('HGET', RC, id))
for _, text in ipairs(texts) do
    if string.find('\n' .. text .. '\n', '\n' .. line .. '\n', 1, true) then return 1 end
end
local last = #fields
if last == 0 then
    call('HSET', RC, id, line)
elseif #texts[last] < FIELD_BYTES then
    call('HSET', RC, fields[last], texts[last] .. '\n' .. line)
else
    call('HSET', RC, id .. '\n' .. last, line)
end
return 1
