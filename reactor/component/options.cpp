#include "reactor/component/options.h"

namespace musher {

bool Options::has(std::string_view name) const { return !at(name).is_null(); }

const Json& Options::at(std::string_view name) const {
    const auto found = values_.find(name);
    MUSHER_CHECK(found != values_.end());
    return *found;
}

bool Options::flag(std::string_view name) const {
    const Json& value = at(name);
    MUSHER_CHECK(value.is_null() || value.is_boolean());
    return value.is_boolean() && value.get<bool>();
}

std::int64_t Options::integer(std::string_view name) const {
    const Json& value = at(name);
    MUSHER_CHECK(value.is_null() || value.is_number_integer());
    return value.is_null() ? 0 : value.get<std::int64_t>();
}

std::string Options::text(std::string_view name) const {
    const Json& value = at(name);
    MUSHER_CHECK(value.is_null() || value.is_primitive());
    if (value.is_null()) return {};
    return value.is_string() ? value.get<std::string>() : to_line(value);
}

milliseconds Options::duration(std::string_view name) const { return milliseconds(integer(name)); }

std::vector<std::string> Options::list(std::string_view name) const {
    const Json& value = at(name);
    MUSHER_CHECK(value.is_null() || value.is_array());
    return value.is_null() ? std::vector<std::string>() : value.get<std::vector<std::string>>();
}

Options Options::section(std::string_view name) const {
    const Json& value = at(name);
    MUSHER_CHECK(value.is_null() || value.is_object());
    return value.is_null() ? Options() : Options(value);
}

const Json& Options::json(std::string_view name) const { return at(name); }

const std::vector<std::string>& Options::secrets(std::string_view name) const {
    static const std::vector<std::string> kNone;
    const auto found = secrets_.find(name);
    return found == secrets_.end() ? kNone : found->second;
}

void Options::add_secret(std::string_view name, std::string text) {
    secrets_[std::string(name)].push_back(std::move(text));
}

Options Options::with_values(Json values) const {
    Options other(std::move(values));
    other.secrets_ = secrets_;
    return other;
}

}  // namespace musher
