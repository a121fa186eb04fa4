-- The receipts of a job lie in rc, a line each: the first ones in the field `id`, the next in
-- `id\n1`, `id\n2`, …; a field is full from so many bytes on. So storing one writes no more than
-- its own field again, and most jobs have one.
local FIELD_BYTES = 8192
-- How the line of a note begins, its names in order: see pipelines/run/receipt_book.h.
local NOTE = '{"bytes":0,"flow":'

-- The fields of a job and what is in them; `first` is the text of the first one.
local function receipt_fields(id, first)
    local fields, texts = {}, {}
    local field, text = id, first
    while text do
        fields[#fields + 1], texts[#texts + 1] = field, text
        if #text < FIELD_BYTES then break end
        field = id .. '\n' .. #fields
        text = call('HGET', RC, field)
    end
    return fields, texts
end

local function receipts_of(id, first)
    if not first or #first < FIELD_BYTES then return first or '' end
    local _, texts = receipt_fields(id, first)
    return table.concat(texts, '\n')
end

local function forget_receipts(ids, firsts)
    if not there(RC) then return end
    for i, first in ipairs(firsts) do
        if first and #first >= FIELD_BYTES then
            call('HDEL', RC, unpack((receipt_fields(ids[i], first))))
        end
    end
    call('HDEL', RC, unpack(ids))
end

-- Notes say where a job goes on: one that is finished needs none.
local function without_notes(receipts)
    if not string.find(receipts, NOTE, 1, true) then return receipts end
    local kept = {}
    for line in string.gmatch(receipts, '[^\n]+') do
        if sub(line, 1, #NOTE) ~= NOTE then kept[#kept + 1] = line end
    end
    return table.concat(kept, '\n')
end
