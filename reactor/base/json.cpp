#include "reactor/base/json.h"

#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr std::size_t kFaultBytes = 300;  // the library names all that it has last read

/// The library writes and copies recursively: what is nested too deep would end the stack there.
bool too_deep(std::string_view text, int most) noexcept {
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted && c == '\\') {
            ++i;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == '[' || c == '{')) {
            if (++depth > most) return true;
        } else if (!quoted && (c == ']' || c == '}')) {
            --depth;
        }
    }
    return false;
}
}  // namespace

Result<Json> parse_own_json(std::string_view text) {
    return parse_json(text, limits::kOwnJsonDepth);
}

Result<Json> parse_json(std::string_view text, int depth) {
    if (too_deep(text, depth)) {
        return fail(Errc::corrupt, "JSON nested over " + std::to_string(depth) + " levels deep");
    }
    try {
        return Json::parse(text);
    } catch (const Json::exception& caught) {
        return fail(Errc::corrupt, "not JSON: " + cut(caught.what(), kFaultBytes));
    }
}

std::string to_line(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

namespace {
const Json& member(const Json& object, std::string_view key) {
    static const Json absent;
    const auto found = object.find(key);
    return found == object.end() ? absent : *found;
}
}  // namespace

void append_quoted(std::string& out, std::string_view text) {
    bool plain = true;
    for (const char c : text) plain = plain && c >= ' ' && c < 0x7f && c != '"' && c != '\\';
    if (!plain) {
        out += to_line(Json(text));
        return;
    }
    out += '"';
    out += text;
    out += '"';
}

std::size_t weight_of(const Json& value) {
    constexpr std::size_t kOther = 6;  // a number, true, null, …
    std::size_t weight = 2;            // quotes, brackets
    if (value.is_string()) return weight + value.get_ref<const std::string&>().size();
    if (!value.is_structured()) return kOther;
    for (const auto& [key, member] : value.items()) {
        weight += weight_of(member) + (value.is_object() ? key.size() + 4 : 1);
    }
    return weight;
}

std::string text_in(const Json& object, std::string_view key, std::string fallback) {
    const Json& found = member(object, key);
    return found.is_string() ? found.get<std::string>() : std::move(fallback);
}

std::uint64_t size_in(const Json& object, std::string_view key) {
    const Json& found = member(object, key);
    const bool whole = found.is_number_unsigned() ||
                       (found.is_number_integer() && found.get<std::int64_t>() >= 0);
    return whole ? found.get<std::uint64_t>() : 0;
}

bool flag_in(const Json& object, std::string_view key) {
    const Json& found = member(object, key);
    return found.is_boolean() && found.get<bool>();
}

Json to_json(const Error& error) {
    Json value{{"code", info(error.code).name},
               {"message", error.message},
               {"hint", error.hint.empty() ? std::string(info(error.code).hint) : error.hint},
               {"context", error.context}};
    if (error.retry_after.count() > 0) value["retry_after_ms"] = error.retry_after.count();
    return value;
}

Error error_from_json(const Json& value) {
    Error error(errc_from_name(text_in(value, "code", "internal")), text_in(value, "message"),
                text_in(value, "hint"));
    error.retry_after = std::chrono::milliseconds(size_in(value, "retry_after_ms"));
    for (const Json& line : member(value, "context")) {
        if (line.is_string()) error.context.push_back(line.get<std::string>());
    }
    return error;
}

}  // namespace musher
