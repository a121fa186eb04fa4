#include "pipelines/config/component_options.h"

#include <fmt/format.h>

#include "pipelines/config/daemon_file.h"
#include "pipelines/config/problems.h"
#include "pipelines/config/tables.h"
#include "pipelines/expr/lua_sandbox.h"
#include "pipelines/expr/template.h"

namespace musher {

namespace {
void set_scalar(Value& value, const Json& result) {
    value.text = result.is_string() ? result.get<std::string>() : to_line(result);
    value.kind = Value::Kind::string;
    if (result.is_boolean()) {
        value.kind = Value::Kind::boolean;
        value.boolean = result.get<bool>();
    } else if (result.is_number_integer()) {
        value.kind = Value::Kind::integer;
        value.integer = result.get<std::int64_t>();
    } else if (result.is_number()) {
        value.kind = Value::Kind::real;
        value.real = result.get<double>();
    }
}

/// Renders the leaves of one file on what is known before any event. The sandbox is made at the
/// first leaf that needs it: most files have none.
class FixedRenderer {
  public:
    explicit FixedRenderer(const Reading& reading) : reading_(reading) {}

    void render(const Option& option, Value& value) {
        for (Value& item : value.items) render(option, item);
        for (Value::Entry& entry : value.entries) render(option, entry.value);
        if (!value.is(Value::Kind::string) || value.secret || value.faulty) return;
        if (value.text.find("${") != std::string::npos) render_text(option, value);
    }

  private:
    void render_text(const Option& option, Value& value) {
        if (!sandbox_) sandbox_ = LuaSandbox::create().value();
        Position fault = value.at;
        const auto text = TextTemplate::compile(sandbox_, value.text, value.content(), &fault);
        if (!text) return refuse(value, fault, text.error());
        if (!reading_.daemon) {
            value.faulty = true;  // without musher.yml nobody knows env and vars
            return;
        }
        const Json known{{"env", reading_.daemon->environment}, {"vars", reading_.daemon->vars}};
        const Result<Json> result = text->render(known);
        if (!result) {
            Error error = result.error();
            error.hint = fmt::format("`{}` is fixed before any event: it sees env and vars{}{}",
                                     option.name, error.hint.empty() ? "" : "; ", error.hint);
            return refuse(value, value.at, error);
        }
        if (result->is_null() || result->is_structured()) {
            return refuse(
                value, value.at,
                Error(Errc::usage, fmt::format("`{}` becomes {}", option.name, kind_of(*result))));
        }
        if (text->reads_environment()) {
            value.secret = true;
            value.origin = value.text;
        }
        set_scalar(value, *result);
    }

    void refuse(Value& value, const Position& at, const Error& error) {
        add_error(reading_.problems, at, "bad_expression", error.message, error.hint);
        value.faulty = true;
    }

    const Reading& reading_;
    std::shared_ptr<LuaSandbox> sandbox_;
};

bool is_fixed(const Option& option) {
    switch (option.type) {
        case OptionType::expression:
        case OptionType::expression_map:
        case OptionType::steps:
        case OptionType::cases:
        case OptionType::branches:
            return false;
        default:
            return !option.templated;
    }
}
}  // namespace

void render_fixed(const std::vector<Option>& table, Value& map, const Reading& reading) {
    FixedRenderer renderer(reading);
    for (Value::Entry& entry : map.entries) {
        const Option* option = find_option(table, entry.key);
        if (option && is_fixed(*option)) renderer.render(*option, entry.value);
    }
}

void check_connection(const Option& option, const Value& named, const Reading& reading) {
    const bool dynamic = option.templated && named.text.find("${") != std::string::npos;
    if (!reading.daemon || named.faulty || dynamic || !named.is(Value::Kind::string)) return;
    const auto& kinds = option.choices;
    std::vector<std::string_view> fitting;
    for (const auto& [name, connection] : reading.daemon->connections) {
        if (kinds.empty() ||
            std::find(kinds.begin(), kinds.end(), connection.kind) != kinds.end()) {
            fitting.push_back(name);
        }
    }
    const std::string kind = kinds.empty() ? "connection" : fmt::format("{} connection", kinds[0]);
    const auto found = reading.daemon->connections.find(named.text);
    if (found == reading.daemon->connections.end()) {
        std::string hint = suggest(named.text, fitting);
        if (hint.empty()) hint = "add it to `connections:` of musher.yml";
        add_error(reading.problems, named.at, "unknown_connection",
                  fmt::format("there is no {} `{}`", kind, named.text), std::move(hint));
    } else if (std::find(fitting.begin(), fitting.end(), named.text) == fitting.end()) {
        add_error(
            reading.problems, named.at, "wrong_connection",
            fmt::format("`{}` is a connection of kind {}, and `{}` wants one of kind {}",
                        named.text, found->second.kind, option.name, fmt::join(kinds, " or ")),
            fitting.empty() ? "" : fmt::format("there is: {}", fmt::join(fitting, ", ")));
    }
}

namespace {
bool is_sound(const Value& value) {
    const auto& entries = value.entries;
    return !value.faulty && std::all_of(value.items.begin(), value.items.end(), is_sound) &&
           std::all_of(entries.begin(), entries.end(),
                       [](const Value::Entry& entry) { return is_sound(entry.value); });
}

bool names(const std::string& message, std::string_view option) {
    const std::string tick = fmt::format("`{}", option);
    const std::size_t at = message.find(tick);
    const std::size_t end = at == std::string::npos ? at : at + tick.size();
    return end < message.size() && (message[end] == '`' || message[end] == '.');
}

/// What only the component itself knows to be wrong. Of an option that is faulty anyway it is not
/// asked again, nor for what hangs on several of them.
void check_component(const Spec& spec, const Value& options, const Options& decoded,
                     const Reading& reading) {
    if (!spec.check || !(options.is(Value::Kind::map) || options.is(Value::Kind::null))) return;
    std::vector<const Option*> faulty;
    for (const Option& option : spec.options) {
        const Value* given = options.find(option.name);
        const bool lost = given ? !is_sound(*given) || !decoded.has(option.name) : option.required;
        if (lost) faulty.push_back(&option);
    }
    for (const Error& error : spec.check(decoded)) {
        const auto named = [&](const Option& option) { return names(error.message, option.name); };
        const bool known = std::any_of(faulty.begin(), faulty.end(),
                                       [&](const Option* option) { return named(*option); });
        const bool vague = std::none_of(spec.options.begin(), spec.options.end(), named);
        if (known || (vague && !faulty.empty())) continue;
        const bool elsewhere = std::any_of(
            spec.options.begin(), spec.options.end(),
            [&](const Option& one) { return one.type == OptionType::path && named(one); });
        if (elsewhere && reading.secrets == Secrets::leave) continue;  // a key file of a server
        const char* code = error.code == Errc::denied ? "denied" : "bad_option";
        add_error(reading.problems, place_of(error.message, options), code, error.message,
                  error.hint);
    }
}
}  // namespace

Position place_of(const std::string& message, const Value& options) {
    for (const Value::Entry& entry : options.entries) {
        if (!names(message, entry.key)) continue;
        for (const Value::Entry& inner : entry.value.entries) {
            const std::string path = fmt::format("`{}.{}`", entry.key, inner.key);
            if (message.find(path) != std::string::npos) return inner.at;
        }
        return entry.value.at;
    }
    return options.at;
}

Value read_component_options(const Spec& spec, const Value::Entry& written,
                             const Reading& reading) {
    Value options = with_shorthand(written.value, spec.scalar);
    if (written.value.is(Value::Kind::null)) options.at = written.at;
    render_fixed(spec.options, options, reading);
    const Options decoded = decode(spec.options, options, spec.name, reading.problems);
    check_component(spec, options, decoded, reading);
    for (const Option& option : spec.options) {
        const Value* named = options.find(option.name);
        if (named && option.type == OptionType::connection) {
            check_connection(option, *named, reading);
        }
    }
    return options;
}

}  // namespace musher
