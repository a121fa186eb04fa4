#include "reactor/component/value.h"

namespace musher {

const Value* Value::find(std::string_view key) const {
    for (const Entry& entry : entries) {
        if (entry.key == key) return &entry.value;
    }
    return nullptr;
}

Position Value::content() const {
    Position place = at;
    if (quoted && place.column > 0) ++place.column;
    if (folded) place.flow = Position::Flow::folded;
    if (block_column > 0) {
        return Position{at.file, at.line + 1, block_column, Position::Flow::block};
    }
    return place;
}

Json Value::to_json(bool reveal) const {
    if (secret && !reveal) return "***";
    switch (kind) {
        case Kind::null:
            return nullptr;
        case Kind::boolean:
            return boolean;
        case Kind::integer:
            return integer;
        case Kind::real:
            return real;
        case Kind::string:
            return text;
        case Kind::list: {
            Json list = Json::array();
            for (const Value& item : items) list.push_back(item.to_json(reveal));
            return list;
        }
        case Kind::map: {
            Json map = Json::object();
            for (const Entry& entry : entries) map[entry.key] = entry.value.to_json(reveal);
            return map;
        }
    }
    return nullptr;
}

std::string_view kind_name(Value::Kind kind) {
    constexpr std::string_view kNames[] = {"nothing", "true or false", "a whole number", "a number",
                                           "text",    "a list",        "a map"};
    return kNames[static_cast<std::size_t>(kind)];
}

std::string describe_found(const Value& value) {
    constexpr std::size_t kShown = 40;
    if (value.secret) return "a secret";
    const bool scalar =
        !value.is(Value::Kind::null) && !value.is(Value::Kind::list) && !value.is(Value::Kind::map);
    if (!scalar) return std::string(kind_name(value.kind));
    std::string text = value.text.substr(0, value.text.find('\n'));
    const bool cut = text.size() > kShown || text.size() < value.text.size();
    std::size_t size = std::min(text.size(), kShown);
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0u) == 0x80u) --size;
    return "`" + text.substr(0, size) + (cut ? "…`" : "`");
}

}  // namespace musher
