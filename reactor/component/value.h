// Value: a tree read from YAML whose every node knows where it stands.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "reactor/base/json.h"

namespace musher {

/// One place in one file. Lines and columns count from 1; 0 means unknown.
struct Position {
    std::shared_ptr<const std::string> file;
    int line = 0;
    int column = 0;
    /// How a text that begins there goes on: in its line; in the lines below, each from the same
    /// column; or in a way that tells nothing about places inside it.
    enum class Flow { line, block, folded };
    Flow flow = Flow::line;
};

/// What `check` prints: one line of its list.
struct Problem {
    enum class Severity { error, warning };
    Position at;
    Severity severity = Severity::error;
    std::string code;  // stable, snake_case: unknown_key, bad_type, …
    std::string message;
    std::string hint;
};

class Value {
  public:
    enum class Kind { null, boolean, integer, real, string, list, map };
    struct Entry;

    Kind kind = Kind::null;
    Position at;
    bool boolean = false;
    std::int64_t integer = 0;
    double real = 0;
    std::string text;            // a string's content; a scalar's source text
    bool quoted = false;         // in one line of quotes: its content begins one column after `at`
    bool folded = false;         // in several lines that were joined: places inside are unknown
    int block_column = 0;        // of a | block: where its lines begin, from the line after `at`
    bool secret = false;         // from !env or !file: prints as ***
    std::string origin;          // "!env NAME" or "!file PATH" for secrets
    bool faulty = false;         // has its Problem already: nothing more is said about it
    std::vector<Value> items;    // list
    std::vector<Entry> entries;  // map, in the file's order, keys unique

    bool is(Kind wanted) const { return kind == wanted; }
    /// Null when there is no such key or this is no map.
    const Value* find(std::string_view key) const;
    /// Where the first character of a scalar stands.
    Position content() const;
    /// Secrets become "***" unless `reveal`.
    Json to_json(bool reveal) const;
};

struct Value::Entry {
    std::string key;
    Position at;  // of the key
    Value value;
};

std::string_view kind_name(Value::Kind kind);
/// What stands there, for messages: `fast`, a list, nothing, a secret. Long text is cut.
std::string describe_found(const Value& value);

}  // namespace musher
