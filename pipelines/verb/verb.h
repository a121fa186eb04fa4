// Verb: an option table and a function. Only pipelines/app/cli.cpp knows how options are parsed.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "reactor/base/json.h"

namespace musher {

struct VerbOption {
    enum class Kind { flag, value, many, positional, positionals };
    std::string_view name;  // "json", "pipeline"; positionals: the word in the usage line
    Kind kind = Kind::flag;
    std::string_view help;
    bool required = false;
    std::string_view word = "TEXT";              // for the value in the help: N, FILE
    std::vector<std::string_view> choices = {};  // all that the value may be
};

/// What the user gave, by option name; "config" only if it was given.
struct Call {
    std::string config;  // musher.yml, found or given
    std::map<std::string, std::vector<std::string>, std::less<>> values;
    bool json = false;

    bool has(std::string_view name) const { return values.find(name) != values.end(); }
    std::string text(std::string_view name) const {
        const auto found = values.find(name);
        return found == values.end() || found->second.empty() ? "" : found->second.front();
    }
    std::vector<std::string> list(std::string_view name) const {
        const auto found = values.find(name);
        return found == values.end() ? std::vector<std::string>() : found->second;
    }
};

/// Printed by the CLI: `text` for people, or `json` with --json; `code` becomes the exit code.
struct Answer {
    std::string text;
    Json json = Json::object();
    int code = 0;
    bool told = false;  // the verb has written everything itself
};

struct Verb {
    std::string_view name;  // "jobs list" is a verb of two words
    std::string_view summary;
    std::string_view examples;
    std::vector<VerbOption> options;
    std::function<Result<Answer>(const Call&)> run;
    bool wants_config = true;
};

}  // namespace musher
