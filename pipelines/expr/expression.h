// One Lua expression of a pipeline: compiled once, evaluated for every job.
#pragma once

#include <memory>
#include <string>

#include "reactor/component/value.h"

namespace musher {

class LuaSandbox;

/// What expressions see, as one object: {event, job, steps, body, env, vars, now}.
/// `event` etc. are objects; `now` is RFC 3339 text. Not copied at evaluation.
using Bindings = Json;

/// Loop thread only. Keeps its sandbox alive.
class Expression {
  public:
    /// `usage` with Lua's message and column when it does not compile.
    static Result<Expression> compile(std::shared_ptr<LuaSandbox> sandbox, const std::string& text,
                                      const Position& at);
    /// An unknown field, a wrong type or a used-up budget is `usage`, with the expression's text
    /// and position in its message.
    Result<Json> evaluate(const Bindings& bindings) const;
    /// For `when:`: the result must be true or false.
    Result<bool> test(const Bindings& bindings) const;
    const std::string& text() const { return text_; }
    const Position& at() const { return at_; }

  private:
    Expression(std::shared_ptr<LuaSandbox> sandbox, int chunk, std::string text, Position at);
    std::shared_ptr<LuaSandbox> sandbox_;
    int chunk_;
    std::string text_;
    Position at_;
};

}  // namespace musher
