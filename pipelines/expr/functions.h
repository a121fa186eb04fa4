// What expressions can call, as REFERENCE.md and `musher describe` print it.
#pragma once

#include <string_view>

namespace musher {

struct ExpressionFunction {
    std::string_view name;  // bare; the library registers exactly these
    std::string_view call;  // with its arguments
    std::string_view help;
    std::string_view example;  // an expression …
    std::string_view result;   // … and its value, as JSON
};

inline constexpr ExpressionFunction kExpressionFunctions[] = {
    {"get", "get(map, \"path\", default)", "a field that may be missing or null",
     "get(vars, \"mail.to\", \"ops\")", "\"ops\""},
    {"has", "has(map, \"path\")", "whether a field is there and not null", "has(event, \"size\")",
     "true"},
    {"coalesce", "coalesce(a, b, …)", "the first that is not null", "coalesce(nil, 7)", "7"},
    {"lower", "lower(text)", "small letters, of any script", "lower(\"ÀB\")", "\"àb\""},
    {"upper", "upper(text)", "capital letters, of any script", "upper(\"äb\")", "\"ÄB\""},
    {"trim", "trim(text)", "without white space at both ends", "trim(\"  a b \")", "\"a b\""},
    {"contains", "contains(text, part)", "whether part occurs", "contains(\"abc\", \"b\")", "true"},
    {"starts_with", "starts_with(text, part)", "whether text begins so",
     "starts_with(\"abc\", \"ab\")", "true"},
    {"ends_with", "ends_with(text, part)", "whether text ends so", "ends_with(\"abc\", \"bc\")",
     "true"},
    {"matches", "matches(text, glob)", "* ? [a-z] on the whole text, in any case",
     "matches(\"A.PDF\", \"*.pdf\")", "true"},
    {"replace", "replace(text, from, to)", "every occurrence; no pattern",
     "replace(\"a.b.c\", \".\", \"-\")", "\"a-b-c\""},
    {"split", "split(text, separator)", "a list of the parts", "split(\"a,b,,c\", \",\")",
     "[\"a\",\"b\",\"\",\"c\"]"},
    {"join", "join(list, separator)", "a list as one text", "join({1, \"b\"}, \"-\")", "\"1-b\""},
    {"basename", "basename(path)", "what follows the last slash", "basename(\"/a/b.pdf\")",
     "\"b.pdf\""},
    {"dirname", "dirname(path)", "what precedes the last slash", "dirname(\"/a/b.pdf\")", "\"/a\""},
    {"stem", "stem(path)", "the name without its extension", "stem(\"/a/b.tar.gz\")", "\"b.tar\""},
    {"ext", "ext(path)", "the extension, without the dot", "ext(\"/a/b.tar.gz\")", "\"gz\""},
    {"date", "date(time, format, zone)",
     "a time (text as in event.time, or milliseconds since 1970) by strftime's format; UTC unless "
     "a zone is named",
     "date(\"2024-05-06T07:08:09Z\", \"%Y/%m\")", "\"2024/05\""},
    {"json", "json(value)", "the value as JSON text", "json({a = {1, 2}})",
     "\"{\\\"a\\\":[1,2]}\""},
    {"from_json", "from_json(text)", "the value that JSON text says", "from_json(\"[1, 2]\")[2]",
     "2"},
    {"url_encode", "url_encode(text)", "percent-encoded for a URL", "url_encode(\"a b&c\")",
     "\"a%20b%26c\""},
    {"round", "round(number, digits)", "to the nearest, at 0 digits unless said", "round(2.718, 2)",
     "2.72"},
    {"tonumber", "tonumber(text, base)", "Lua's own; null when it is no number",
     "tonumber(\"0x10\")", "16"},
    {"tostring", "tostring(value)", "Lua's own", "tostring(1) .. \"2\"", "\"12\""},
    {"type", "type(value)", "nil, boolean, number, string, table, map or list", "type(event)",
     "\"map\""},
    {"select", "select(n, …)", "Lua's own", "select(\"#\", 1, 2)", "2"},
    {"pairs", "pairs(map)", "Lua's own, for event's maps and lists too",
     "(function() local n = 0 for _ in pairs({1, 2}) do n = n + 1 end return n end)()", "2"},
    {"ipairs", "ipairs(list)", "Lua's own, for event's lists too",
     "(function() local n = 0 for _, v in ipairs({4, 5}) do n = n + v end return n end)()", "9"},
    {"next", "next(table)", "Lua's own", "next({}) == nil", "true"},
    {"KiB", "KiB", "1024", "64*KiB", "65536"},
    {"MiB", "MiB", "1024 KiB", "1*MiB", "1048576"},
    {"GiB", "GiB", "1024 MiB", "2*GiB", "2147483648"},
    {"TiB", "TiB", "1024 GiB", "1*TiB", "1099511627776"},
    {"string", "string.NAME(…)",
     "Lua's: byte char find format gmatch gsub len lower match rep reverse sub upper; also as "
     "text:NAME(…)",
     "(\"a1b2\"):gsub(\"%d\", \"\")", "\"ab\""},
    {"math", "math.NAME(…)", "Lua's, but for random", "math.max(1, 3)", "3"},
    {"utf8", "utf8.NAME(…)", "Lua's", "utf8.len(\"äö\")", "2"},
};

}  // namespace musher
