// One Lua expression of a pipeline: compiled once, evaluated for every job.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "reactor/component/value.h"

namespace musher {

class LuaSandbox;

/// What expressions see, as one object: {event, job, steps, body, env, vars, now}, and the names of
/// the for_each steps around. `event` etc. are objects; `now` is RFC 3339 text. Not copied at
/// evaluation.
using Bindings = Json;

/// Loop thread only. Keeps its sandbox alive.
class Expression {
  public:
    /// `usage` with Lua's message when it does not compile; `fault` then gets its exact place.
    static Result<Expression> compile(std::shared_ptr<LuaSandbox> sandbox, const std::string& text,
                                      const Position& at, Position* fault = nullptr);
    /// An unknown field, a wrong type or a used-up budget is `usage`: the message names the
    /// expression, the context its file:line:column.
    Result<Json> evaluate(const Bindings& bindings) const;
    /// For `when:`: the result must be true or false.
    Result<bool> test(const Bindings& bindings) const;
    const std::string& text() const { return text_; }
    const Position& at() const { return at_; }

  private:
    Expression(std::shared_ptr<LuaSandbox> sandbox, int chunk, std::string text, Position at);
    const Json* follow(const Bindings& bindings) const;
    Error explain(Error error) const;

    std::shared_ptr<LuaSandbox> sandbox_;
    int chunk_;
    std::string text_;
    Position at_;
    std::vector<std::string> path_;  // of a bare "event.row.name": needs no Lua
};

/// Whether a for_each may call its element so: a name of Lua's, and of nothing else. An error says
/// what it is instead.
Result<void> check_free_name(std::string_view name);
/// Whether the expression may look at what is called `name`. Errs towards yes.
bool mentions(std::string_view expression, std::string_view name);
/// "text", "a number", "a list", … for messages.
std::string_view kind_of(const Json& value);
/// "pipelines/a.yml:5:14"; shorter where parts are unknown.
std::string position_text(const Position& at);
/// The place `offset` bytes into the text that begins at `at`; `at` itself where lines break and it
/// is not known how.
Position position_in(const Position& at, std::string_view text, std::size_t offset);

}  // namespace musher
