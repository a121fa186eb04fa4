// As much of JSON Schema as musher's own schemas use; another keyword is a fault of its own.
#pragma once

#include <fmt/format.h>

#include <regex>
#include <set>
#include <string>

#include "reactor/base/json.h"

namespace musher::test {

class SchemaCheck {
  public:
    explicit SchemaCheck(const Json& root) : root_(root) {}

    /// "" when `value` fits, else where it does not and by which keyword.
    std::string fault(const Json& schema, const Json& value, const std::string& at = "") const {
        for (const auto& [keyword, wanted] : schema.items()) {
            std::string found = judge(keyword, wanted, schema, value, at);
            if (!found.empty()) return found;
        }
        return {};
    }

  private:
    std::string judge(const std::string& keyword, const Json& wanted, const Json& schema,
                      const Json& value, const std::string& at) const {
        static const std::set<std::string> kNotes = {"$schema", "$defs", "title", "description",
                                                     "default"};
        if (kNotes.contains(keyword)) return {};
        if (keyword == "$ref") {
            return fault(root_.at(Json::json_pointer(wanted.get<std::string>().substr(1))), value,
                         at);
        }
        if (keyword == "anyOf" || keyword == "oneOf" || keyword == "allOf") {
            return combine(keyword, wanted, value, at);
        }
        if (keyword == "properties" || keyword == "additionalProperties" || keyword == "items") {
            return descend(keyword, wanted, schema, value, at);
        }
        return fits(keyword, wanted, value) ? "" : fmt::format("{}: {}", at, keyword);
    }

    std::string combine(const std::string& keyword, const Json& wanted, const Json& value,
                        const std::string& at) const {
        std::size_t good = 0;
        std::string last;
        for (const Json& one : wanted) {
            const std::string found = fault(one, value, at);
            found.empty() ? static_cast<void>(++good) : static_cast<void>(last = found);
        }
        const bool fine = keyword == "anyOf"   ? good > 0
                          : keyword == "oneOf" ? good == 1
                                               : good == wanted.size();
        return fine ? "" : fmt::format("{}: {} ({})", at, keyword, last);
    }

    std::string descend(const std::string& keyword, const Json& wanted, const Json& schema,
                        const Json& value, const std::string& at) const {
        if (keyword == "items" ? !value.is_array() : !value.is_object()) return {};
        const Json& known = schema.contains("properties") ? schema["properties"] : kNone;
        for (const auto& [key, item] : value.items()) {
            const std::string place = at + "/" + key;
            const bool rest = keyword == "additionalProperties";
            if (keyword != "items" && known.contains(key) == rest) continue;
            if (wanted.is_boolean()) return wanted.get<bool>() ? "" : place + ": no such key";
            const Json& one = keyword == "properties" ? wanted.at(key) : wanted;
            if (std::string found = fault(one, item, place); !found.empty()) return found;
        }
        return {};
    }

    static bool is_type(const std::string& type, const Json& value) {
        if (type == "integer") return value.is_number_integer();
        const std::string name = value.type_name();  // object, array, string, boolean, number, null
        return type == name;
    }

    static bool fits(const std::string& keyword, const Json& wanted, const Json& value) {
        if (keyword == "type") {
            const Json types = wanted.is_array() ? wanted : Json::array({wanted});
            return std::any_of(types.begin(), types.end(),
                               [&](const Json& type) { return is_type(type, value); });
        }
        if (keyword == "const") return value == wanted;
        if (keyword == "enum")
            return std::find(wanted.begin(), wanted.end(), value) != wanted.end();
        if (keyword == "pattern") {
            return !value.is_string() || std::regex_search(value.get<std::string>(),
                                                           std::regex(wanted.get<std::string>()));
        }
        if (keyword == "minimum") return !value.is_number() || value >= wanted;
        if (keyword == "maximum") return !value.is_number() || value <= wanted;
        if (keyword == "minProperties") return !value.is_object() || value.size() >= wanted;
        if (keyword == "maxProperties") return !value.is_object() || value.size() <= wanted;
        if (keyword == "required") {
            return !value.is_object() ||
                   std::all_of(wanted.begin(), wanted.end(), [&](const Json& key) {
                       return value.contains(key.get<std::string>());
                   });
        }
        return false;
    }

    inline static const Json kNone = Json::object();
    const Json& root_;
};

inline std::string schema_fault(const Json& schema, const Json& value) {
    return SchemaCheck(schema).fault(schema, value);
}

}  // namespace musher::test
