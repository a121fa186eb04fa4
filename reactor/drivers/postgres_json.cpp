#include "reactor/drivers/postgres_json.h"

#include <charconv>

namespace musher {

namespace {
/// Fixed numbers of the system catalogue; clients are meant to know them.
enum Oid : unsigned {
    kBool = 16,
    kInt8 = 20,
    kInt2 = 21,
    kInt4 = 23,
    kOid = 26,
    kJson = 114,
    kFloat4 = 700,
    kFloat8 = 701,
    kJsonb = 3802,
};

template <class Number>
Json number(std::string_view text) {
    Number value{};
    const char* const end = text.data() + text.size();
    const auto [stop, bad] = std::from_chars(text.data(), end, value);
    const bool whole = bad == std::errc() && stop == end;
    return whole ? Json(value) : Json(text);
}

Json real(std::string_view text) {
    // JSON has neither NaN nor Infinity.
    const bool finite = text.find_first_of("NI") == std::string_view::npos;
    return finite ? number<double>(text) : Json(text);
}

Json value_of(unsigned type, std::string_view text) {
    switch (type) {
        case kBool:
            return Json(text == "t");
        case kInt2:
        case kInt4:
        case kInt8:
        case kOid:
            return number<std::int64_t>(text);
        case kFloat4:
        case kFloat8:
            return real(text);
        case kJson:
        case kJsonb:
            return parse_json(text).value_or(Json(text));
        default:
            return Json(text);
    }
}
}  // namespace

Json postgres_row(const PostgresResult& result, int row) {
    Json values = Json::object();
    for (int column = 0; column < result.columns(); ++column) {
        Json& value = values[std::string(result.name(column))];
        const auto text = result.text(row, column);
        value = text ? value_of(result.type(column), *text) : Json();
    }
    return values;
}

PostgresParam postgres_param(const Json& value) {
    if (value.is_null()) return std::nullopt;
    if (value.is_string()) return value.get<std::string>();
    return to_line(value);
}

}  // namespace musher
