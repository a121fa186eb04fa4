// Options whose string leaves may hold ${…}: compiled at check time, rendered for every job.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pipelines/expr/expression.h"
#include "reactor/component/schema.h"

namespace musher {

/// One string with its ${…} parts. "$${" is a literal "${". Loop thread only.
class TextTemplate {
  public:
    /// `at`: where the text's first character stands. `fault`: as of Expression::compile.
    static Result<TextTemplate> compile(const std::shared_ptr<LuaSandbox>& sandbox,
                                        const std::string& text, const Position& at,
                                        Position* fault = nullptr);
    /// A bare expression as a template of one part.
    static TextTemplate of(Expression expression);
    /// A string made of exactly one ${…} keeps its type; otherwise the parts are joined as text
    /// (a nil, a list or a map inside a text is an error).
    Result<Json> render(const Bindings& bindings) const;
    /// As render(), for a path. `usage` when an expression leads out of the folder that the text
    /// before it names: by a `..` of its own, by a NUL byte, or because it gives nothing and so
    /// makes a path that begins with it begin at the root.
    Result<Json> render_path(const Bindings& bindings) const;
    bool constant() const { return parts_.empty(); }
    /// One ${…} and nothing around it: render() then gives any type.
    bool is_single() const {
        return parts_.size() == 1 && parts_.front().text.empty() && tail_.empty();
    }
    /// In their order, for static checks.
    std::vector<const Expression*> expressions() const;
    /// Whether an expression of it names `env`: what it renders may be a secret.
    bool reads_environment() const;
    /// Or `vars`, which may have come from !env or !file too.
    bool may_hold_secrets() const;
    const Position& at() const { return at_; }

  private:
    struct Part {
        std::string text;  // before the expression
        std::shared_ptr<const Expression> expression;
    };
    Result<Json> join(const Bindings& bindings, std::vector<bool>* given) const;
    std::vector<Part> parts_;
    std::string tail_;
    Position at_;
};

/// A component's options: `decode`d once; templated leaves are rendered for every job.
class OptionsTemplate {
  public:
    /// Faults go to `problems`. Templated options hold their ${…}; expression and
    /// expression_map options are compiled and their rendered value is the expression's result.
    /// Secrets are taken as they are: no ${…} in them is ever looked at. `table` is kept.
    static OptionsTemplate compile(const std::shared_ptr<LuaSandbox>& sandbox,
                                   const std::vector<Option>& table, const Value& map,
                                   std::string_view what, std::vector<Problem>& problems);
    /// `usage` naming option, file, line and column when a part cannot be rendered or converted.
    /// The option called `but` stays as it is written.
    Result<Options> render(const Bindings& bindings, std::string_view but = {}) const;
    /// Without any job: templated leaves are left as written. For static checks and probes.
    const Options& fixed() const { return fixed_; }

  private:
    struct Leaf {
        Json::json_pointer where;
        const Option* option = nullptr;
        TextTemplate text;
    };
    struct Compiler;
    static Result<void> place(const Leaf& leaf, Json value, Json& values);
    static Result<void> to_text(const Leaf& leaf, Json& value, std::string_view wanted);
    static Failure refuse(const Leaf& leaf, Error error);
    Options fixed_;
    std::vector<Leaf> leaves_;
};

}  // namespace musher
