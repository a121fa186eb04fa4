// What stands in `when:` and in ${…}: compiled and evaluated on one event.
#include "pipelines/expr/expression.h"

#include <string>

#include "pipelines/expr/lua_sandbox.h"
#include "pipelines/expr/template.h"
#include "tests/fuzz/targets.h"

namespace musher::fuzz {

namespace {
const Bindings& bindings() {
    static const Bindings kBindings = parse_json(R"({
        "event": {"id": "e1", "name": "a b.pdf", "stem": "a b", "size": 10, "ratio": 0.5,
                  "big": 18446744073709551615, "ok": true, "nothing": null, "tags": ["x", "y"],
                  "row": {"mail": "a@b", "my col": 1, "end": 2}},
        "job": {"id": "j1", "attempt": 2, "error": null},
        "steps": {"directory-2": {"path": "/p"}},
        "body": {"size": 10},
        "env": {"TOKEN": "t"},
        "vars": {"limit": 5, "map": {"k": 1}, "text": "ÄÖ\u0000\n%"},
        "now": "2024-05-06T07:08:09.000Z"})")
                                          .value();
    return kBindings;
}

/// A value can be written and read again; a refusal says something.
void look_at(const Result<Json>& result) {
    if (result) {
        MUSHER_CHECK(parse_json(to_line(*result)).has_value());
    } else {
        MUSHER_CHECK(result.error().code == Errc::usage && !result.error().message.empty());
    }
}
}  // namespace

void expression(std::string_view bytes) {
    const std::string text(bytes);
    const std::shared_ptr<LuaSandbox> sandbox = LuaSandbox::create().value();
    const Position at{std::make_shared<const std::string>("p.yml"), 5, 7};
    Position fault = at;
    if (const auto bare = Expression::compile(sandbox, text, at, &fault)) {
        look_at(bare->evaluate(bindings()));
    }
    MUSHER_CHECK(fault.line >= at.line);
    if (const auto parts = TextTemplate::compile(sandbox, text, at, &fault)) {
        look_at(parts->render(bindings()));
        const Result<Json> path = parts->render_path(bindings());
        look_at(path);
        if (path && path->is_string() && !parts->constant()) {
            MUSHER_CHECK(path->get_ref<const std::string&>().find('\0') == std::string::npos);
        }
    }
    MUSHER_CHECK(sandbox->memory() <= LuaSandbox::kMemory);
}

}  // namespace musher::fuzz
