#include "pipelines/config/step_list.h"

#include <fmt/format.h>

#include "pipelines/config/catalogue.h"
#include "pipelines/config/component_options.h"
#include "pipelines/config/problems.h"
#include "pipelines/config/tables.h"
#include "reactor/base/limits.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr std::string_view kForm = "write - NAME: { options }";

/// An expression as a value; nothing for what decode() reported as no expression.
std::optional<Value> written_expression(const Value& map, std::string_view key) {
    const Value* value = map.find(key);
    const bool usable = value && !value->faulty && !value->is(Value::Kind::null) &&
                        !value->is(Value::Kind::list) && !value->is(Value::Kind::map);
    return usable ? std::optional(*value) : std::nullopt;
}

/// A map as it stands between `- ` and the next: the component's key, and what goes beside it.
struct StepParts {
    const Value::Entry* component = nullptr;
    Value beside;
};

/// What was meant by a second key that nothing beside a component is called.
std::string second_key_hint(const std::string& first, const std::string& second,
                            const Reading& reading) {
    if (reading.catalogue.find_step(second)) return "begin each step with its own `- `";
    std::vector<std::string_view> beside;
    for (const Option& option : step_table()) beside.push_back(option.name);
    if (const auto meant = nearest(second, beside))
        return fmt::format("did you mean `{}`?", *meant);
    return fmt::format("options stand inside: {}: {{ {}: … }}; beside it only {}", first, second,
                       fmt::join(beside, ", "));
}

std::optional<StepParts> take_apart(const Value& item, const Reading& reading) {
    StepParts parts;
    parts.beside.kind = Value::Kind::map;
    parts.beside.at = item.at;
    for (const Value::Entry& entry : item.entries) {
        if (find_option(step_table(), entry.key)) {
            parts.beside.entries.push_back(entry);
        } else if (!parts.component) {
            parts.component = &entry;
        } else {
            add_error(
                reading.problems, entry.at, "two_steps",
                fmt::format("`{}` and `{}` stand in one step", parts.component->key, entry.key),
                second_key_hint(parts.component->key, entry.key, reading));
            return std::nullopt;
        }
    }
    if (parts.component) return parts;
    add_error(reading.problems, item.at, "no_step", "this step names no component",
              std::string(kForm));
    return std::nullopt;
}

std::vector<StepBranch> read_branches(const Option& option, const Value& list,
                                      const Reading& reading) {
    std::vector<StepBranch> branches;
    const std::string name(option.name);
    if (!list.is(Value::Kind::list)) return branches;  // reported by decode()
    if (option.type == OptionType::steps) {
        branches.push_back(StepBranch{name, std::nullopt, read_steps(list, name, reading)});
        return branches;
    }
    for (const Value& item : list.items) {
        if (option.type == OptionType::branches) {
            branches.push_back(StepBranch{name, std::nullopt, read_steps(item, name, reading)});
            continue;
        }
        decode(case_table(), item, "a case", reading.problems);
        const Value* steps = item.find("steps");
        branches.push_back(StepBranch{name, written_expression(item, "when"),
                                      steps && steps->is(Value::Kind::list)
                                          ? read_steps(*steps, "steps", reading)
                                          : std::vector<StepConfig>()});
    }
    return branches;
}

/// A sink that stands where steps run again and again would deliver each time.
void refuse_sinks(const std::vector<StepConfig>& steps, std::string_view where,
                  std::vector<Problem>& problems) {
    for (const StepConfig& step : steps) {
        if (step.sink) {
            add_error(problems, step.at, "sink_in_wait",
                      fmt::format("`{}` would deliver at every look of `{}`", step.kind, where),
                      fmt::format("put it behind the {}", where));
        }
        for (const StepBranch& branch : step.branches) {
            refuse_sinks(branch.steps, where, problems);
        }
    }
}

void read_inside(StepConfig& step, const Reading& outside) {
    if (outside.depth == limits::kStepDepth) {
        add_error(outside.problems, step.at, "too_deep",
                  fmt::format("steps stand in steps, more than {} deep", limits::kStepDepth),
                  "give the inner ones a pipeline of their own");
        return;
    }
    Reading reading = outside;
    ++reading.depth;
    for (const Option& option : step.entry->spec.options) {
        const Value* inside = holds_steps(option) ? step.options.find(option.name) : nullptr;
        if (!inside) continue;
        for (StepBranch& branch : read_branches(option, *inside, reading)) {
            step.branches.push_back(std::move(branch));
        }
    }
    if (step.entry->spec.control != Control::wait) return;
    for (const StepBranch& branch : step.branches) {
        refuse_sinks(branch.steps, step.kind, reading.problems);
    }
}

std::optional<StepConfig> read_step(const Value& item, const Reading& reading) {
    if (item.is(Value::Kind::string)) {  // `- seal`: a step without options
        Value map;
        map.kind = Value::Kind::map;
        map.at = item.at;
        map.entries.push_back(Value::Entry{item.text, item.at, Value{}});
        map.entries.back().value.at = item.at;
        return item.faulty ? std::nullopt : read_step(map, reading);
    }
    if (!item.is(Value::Kind::map)) {
        if (item.faulty) return std::nullopt;
        add_error(reading.problems, item.at, "no_step",
                  fmt::format("a step is a map, found {}", describe_found(item)),
                  std::string(kForm));
        return std::nullopt;
    }
    const std::optional<StepParts> parts = take_apart(item, reading);
    if (!parts) return std::nullopt;
    StepConfig step;
    step.kind = parts->component->key;
    step.at = parts->component->at;
    step.entry = reading.catalogue.find_step(step.kind);
    if (!step.entry) {
        add_error(reading.problems, step.at, "unknown_step",
                  fmt::format("there is no step `{}`", step.kind),
                  suggest(step.kind, reading.catalogue.step_names()));
        return std::nullopt;
    }
    step.sink = step.entry->spec.kind == ComponentKind::sink;
    const Options common = decode(step_table(), parts->beside, "a step", reading.problems);
    step.id = common.text("id");
    step.timeout = common.duration("timeout");
    step.when = written_expression(item, "when");
    step.options = read_component_options(step.entry->spec, *parts->component, reading);
    if (step.entry->spec.control != Control::none) read_inside(step, reading);
    if (const Value* id = parts->beside.find("id")) step.id_at = id->at;
    return step;
}

void collect(std::vector<StepConfig>& steps, std::vector<StepConfig*>& all) {
    for (StepConfig& step : steps) {
        all.push_back(&step);
        for (StepBranch& branch : step.branches) collect(branch.steps, all);
    }
}
}  // namespace

std::vector<StepConfig> read_steps(const Value& list, std::string_view name,
                                   const Reading& reading) {
    std::vector<StepConfig> steps;
    if (!list.is(Value::Kind::list)) {
        if (list.faulty) return steps;
        add_error(reading.problems, list.at, "bad_type",
                  fmt::format("`{}` wants a list of steps, found {}", name, describe_found(list)),
                  std::string(kForm));
        return steps;
    }
    for (const Value& item : list.items) {
        if (auto step = read_step(item, reading)) steps.push_back(std::move(*step));
    }
    return steps;
}

void name_steps(const std::vector<std::vector<StepConfig>*>& lists,
                std::vector<Problem>& problems) {
    std::vector<StepConfig*> all;
    for (std::vector<StepConfig>* list : lists) collect(*list, all);
    std::map<std::string, Position> taken;
    for (const StepConfig* step : all) {
        if (step->id.empty()) continue;
        if (!is_identifier(step->id)) {
            add_error(problems, step->id_at, "bad_name",
                      fmt::format("`{}` cannot name a step", step->id),
                      "use a-z, 0-9, - and _, at most 64 of them");
        }
        const auto [first, fresh] = taken.emplace(step->id, step->id_at);
        if (fresh) continue;
        add_error(problems, step->id_at, "duplicate_id",
                  fmt::format("two steps have the id `{}`", step->id),
                  fmt::format("the first is in line {}, column {}", first->second.line,
                              first->second.column));
    }
    std::map<std::string, int> numbers;  // the next one of each kind
    for (StepConfig* step : all) {
        if (!step->id.empty()) continue;
        step->id = step->kind;
        int& number = numbers.try_emplace(step->kind, 2).first->second;
        while (!taken.emplace(step->id, step->at).second) {
            step->id = fmt::format("{}-{}", step->kind, number++);
        }
    }
}

}  // namespace musher
