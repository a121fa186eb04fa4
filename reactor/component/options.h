// Options: what a component was told, decoded and with every default filled in.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "reactor/base/clock.h"
#include "reactor/base/json.h"

namespace musher {

/// Decoded options: canonical JSON (durations in ms, sizes in bytes), every default filled in,
/// null for what is absent. Getters then give the type's zero; they abort on a name or type that
/// the table does not have: that is a programmer's error.
class Options {
  public:
    Options() = default;
    explicit Options(Json values) : values_(std::move(values)) {}

    bool has(std::string_view name) const;  // set, or has a default
    bool flag(std::string_view name) const;
    std::int64_t integer(std::string_view name) const;
    std::string text(std::string_view name) const;
    milliseconds duration(std::string_view name) const;
    std::vector<std::string> list(std::string_view name) const;
    const Json& json(std::string_view name) const;  // null when absent
    Options section(std::string_view name) const;

    const Json& values() const { return values_; }

    /// Texts of an option that came whole or in part from !env, !file, env or vars: what of it must
    /// not be shown.
    const std::vector<std::string>& secrets(std::string_view name) const;
    void add_secret(std::string_view name, std::string text);
    /// The same secrets, other values.
    Options with_values(Json values) const;

  private:
    const Json& at(std::string_view name) const;
    Json values_ = Json::object();
    std::map<std::string, std::vector<std::string>, std::less<>> secrets_;
};

}  // namespace musher
