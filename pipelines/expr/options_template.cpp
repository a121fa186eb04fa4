#include "pipelines/expr/template.h"

namespace musher {

struct OptionsTemplate::Compiler {
    const std::shared_ptr<LuaSandbox>& sandbox;
    std::vector<Problem>& problems;
    OptionsTemplate& into;

    void report(const Error& error, const Position& at) {
        problems.push_back(
            Problem{at, Problem::Severity::error, "bad_expression", error.message, error.hint});
    }

    void bare(const Option& option, const Value& value, const Json::json_pointer& where) {
        if (value.faulty || value.is(Value::Kind::map) || value.is(Value::Kind::list)) return;
        if (value.secret) {
            return report(Error(Errc::usage, "an expression cannot come from " + value.origin,
                                "secrets are seen as env.NAME"),
                          value.at);
        }
        Position at = value.at;
        auto expression = Expression::compile(sandbox, value.text, value.content(), &at);
        if (!expression) return report(expression.error(), at);
        into.leaves_.push_back(Leaf{where, &option, TextTemplate::of(std::move(*expression))});
    }

    void templated(const Option& option, const Value& value, const Json::json_pointer& where) {
        if (value.faulty || value.secret) return;
        if (value.is(Value::Kind::list)) {
            for (std::size_t i = 0; i < value.items.size(); ++i) {
                templated(option, value.items[i], where / i);
            }
        }
        for (const Value::Entry& entry : value.entries) {
            templated(option, entry.value, where / entry.key);
        }
        if (!value.is(Value::Kind::string) || value.text.find("${") == std::string::npos) return;
        Position at = value.at;
        auto text = TextTemplate::compile(sandbox, value.text, value.content(), &at);
        if (!text) return report(text.error(), at);
        into.leaves_.push_back(Leaf{where, &option, std::move(*text)});
    }

    void option(const Option& option, const Value& value) {
        const auto where = Json::json_pointer() / std::string(option.name);
        if (option.type == OptionType::expression) {
            if (!value.is(Value::Kind::null)) bare(option, value, where);
        } else if (option.type == OptionType::expression_map) {
            for (const Value::Entry& entry : value.entries) {
                bare(option, entry.value, where / entry.key);
            }
        } else if (option.templated) {
            // One string stands for a list of one.
            const bool alone =
                option.type == OptionType::text_list && value.is(Value::Kind::string);
            templated(option, value, alone ? where / std::size_t{0} : where);
        }
    }
};

namespace {
Value default_of(const Option& option, const Position& at) {
    Value value;
    value.at = at;
    value.text = option.fallback;
    if (!value.text.empty()) value.kind = Value::Kind::string;
    return value;
}

std::string text_of(const Json& value) {
    return value.is_string() ? value.get<std::string>() : to_line(value);
}
}  // namespace

OptionsTemplate OptionsTemplate::compile(const std::shared_ptr<LuaSandbox>& sandbox,
                                         const std::vector<Option>& table, const Value& map,
                                         std::string_view what, std::vector<Problem>& problems) {
    OptionsTemplate compiled;
    compiled.fixed_ = decode(table, map, what, problems);
    Compiler compiler{sandbox, problems, compiled};
    for (const Option& option : table) {
        const Value* given = map.find(option.name);
        compiler.option(option, given ? *given : default_of(option, map.at));
    }
    // A leaf that decode did not take has its problem already.
    std::erase_if(compiled.leaves_,
                  [&](const Leaf& leaf) { return !compiled.fixed_.values().contains(leaf.where); });
    return compiled;
}

Result<Options> OptionsTemplate::render(const Bindings& bindings, std::string_view but) const {
    if (leaves_.empty()) return fixed_;
    Json values = fixed_.values();
    std::vector<std::pair<const Leaf*, std::string>> secrets;
    for (const Leaf& leaf : leaves_) {
        if (leaf.option->name == but) continue;
        const bool path = leaf.option->type == OptionType::path;
        auto value = path ? leaf.text.render_path(bindings) : leaf.text.render(bindings);
        if (!value) {
            return fail(
                std::move(value).error().within("option " + std::string(leaf.option->name)));
        }
        if (leaf.text.may_hold_secrets()) secrets.emplace_back(&leaf, text_of(*value));
        MUSHER_DO(place(leaf, std::move(*value), values));
    }
    Options options = fixed_.with_values(std::move(values));
    for (auto& [leaf, text] : secrets) options.add_secret(leaf->option->name, std::move(text));
    return options;
}

/// Converts what was rendered to the option's type, as if it stood in the file.
Result<void> OptionsTemplate::place(const Leaf& leaf, Json value, Json& values) {
    const OptionType type = leaf.option->type;
    const bool free = type == OptionType::any || type == OptionType::text_map ||
                      type == OptionType::expression || type == OptionType::expression_map;
    if (free) {
        values[leaf.where] = std::move(value);
        return {};
    }
    const std::string_view wanted = type_name(type);
    if (type == OptionType::text_list) {
        Json& list = values[leaf.where.parent_pointer()];
        if (value.is_array() && list.size() == 1) {
            for (Json& item : value) MUSHER_DO(to_text(leaf, item, "a list of texts"));
            list = std::move(value);
            return {};
        }
        MUSHER_DO(to_text(leaf, value, "text inside a list"));
        values[leaf.where] = std::move(value);
        return {};
    }
    MUSHER_DO(to_text(leaf, value, wanted));
    auto converted =
        convert_text(*leaf.option, value.get_ref<const std::string&>(), leaf.text.at());
    if (!converted) {
        Error error = std::move(converted).error();
        // What came from env may be a secret: the message must not show it.
        if (leaf.text.reads_environment()) {
            error = Error(Errc::usage, "the rendered value is not " + std::string(wanted));
        }
        return refuse(leaf, std::move(error));
    }
    values[leaf.where] = std::move(*converted);
    return {};
}

Result<void> OptionsTemplate::to_text(const Leaf& leaf, Json& value, std::string_view wanted) {
    if (value.is_null() || value.is_structured()) {
        return refuse(leaf, Error(Errc::usage, "the value is " + std::string(kind_of(value)) +
                                                   ", not " + std::string(wanted)));
    }
    if (!value.is_string()) value = to_line(value);
    return {};
}

Failure OptionsTemplate::refuse(const Leaf& leaf, Error error) {
    return fail(std::move(error)
                    .within(position_text(leaf.text.at()))
                    .within("option " + std::string(leaf.option->name)));
}

}  // namespace musher
