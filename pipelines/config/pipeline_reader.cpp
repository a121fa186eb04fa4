#include "pipelines/config/pipeline_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "pipelines/config/tables.h"
#include "pipelines/steps/catalogue.h"
#include "reactor/base/text.h"
#include "sinks/catalogue.h"
#include "sources/catalogue.h"

namespace musher {

namespace {

class Reader {
  public:
    Reader(const std::string& file, const DaemonConfig* daemon, std::vector<Problem>& problems)
        : file_(file), daemon_(daemon), problems_(problems) {}
    PipelineConfig read(const Value& tree);

  private:
    void error(const Position& at, std::string code, std::string message, std::string hint = "") {
        problems_.push_back(Problem{at, Problem::Severity::error, std::move(code),
                                    std::move(message), std::move(hint)});
    }
    void read_name(const Value& tree, PipelineConfig& config);
    void read_source(const Value& tree, PipelineConfig& config);
    void read_limits(const Value& tree, PipelineConfig& config);
    std::vector<StepConfig> read_steps(const Value* list, std::string_view what);
    std::optional<StepConfig> read_step(const Value& item);
    void name_step(StepConfig& step, const Value::Entry* id);
    Value component_options(const Spec& spec, const Value::Entry& entry);
    void check_connections(const Spec& spec, const Value& options);
    std::optional<Value> expression(const Value& tree, std::string_view key);

    const std::string& file_;
    const DaemonConfig* daemon_;
    std::vector<Problem>& problems_;
    std::set<std::string> ids_;
};

std::string did_you_mean(std::string_view wanted, const std::vector<std::string_view>& names) {
    if (const auto meant = nearest(wanted, names)) return fmt::format("did you mean '{}'?", *meant);
    return fmt::format("known: {}", fmt::join(names, ", "));
}

template <class Entry>
std::vector<std::string_view> names_of(const std::vector<Entry>& catalogue) {
    std::vector<std::string_view> names;
    for (const Entry& entry : catalogue) names.push_back(entry.spec.name);
    return names;
}

template <class Entry>
const Entry* find_component(const std::vector<Entry>& catalogue, std::string_view name) {
    for (const Entry& entry : catalogue) {
        if (entry.spec.name == name) return &entry;
    }
    return nullptr;
}

PipelineConfig Reader::read(const Value& tree) {
    PipelineConfig config;
    config.file = file_;
    config.folder = std::filesystem::path(file_).parent_path().string();
    const Options top = decode(pipeline_table(), tree, "a pipeline", problems_);
    if (!tree.is(Value::Kind::map)) return config;
    read_name(tree, config);
    config.description = top.text("description");
    config.when = expression(tree, "when");
    config.key = expression(tree, "key");
    config.dedupe = expression(tree, "dedupe");
    read_source(tree, config);
    config.steps = read_steps(tree.find("steps"), "steps");
    config.on_failure = read_steps(tree.find("on_failure"), "on_failure");
    read_limits(tree, config);
    config.direct = top.text("via") == "direct";
    if (config.direct && config.source && config.source->spec.name == "hotfolder") {
        error(tree.find("via")->at, "bad_lane", "a hot folder cannot go via: direct",
              "leave `via` out: its jobs need the queue to survive a crash");
    }
    config.queue = top.text("queue");
    if (top.has("priority")) config.priority = static_cast<int>(top.integer("priority"));
    return config;
}

void Reader::read_name(const Value& tree, PipelineConfig& config) {
    const Value* name = tree.find("pipeline");
    config.name = name ? name->text : std::filesystem::path(file_).stem().string();
    if (!is_identifier(config.name)) {
        error(name ? name->at : tree.at, "bad_name",
              fmt::format("'{}' cannot name a pipeline", config.name),
              "use a-z, 0-9, - and _, at most 64 characters");
    }
}

std::optional<Value> Reader::expression(const Value& tree, std::string_view key) {
    const Value* value = tree.find(key);
    if (!value || value->is(Value::Kind::list) || value->is(Value::Kind::map) ||
        value->is(Value::Kind::null)) {
        return std::nullopt;  // a wrong type was reported by decode()
    }
    return *value;
}

Value Reader::component_options(const Spec& spec, const Value::Entry& entry) {
    Value options = entry.value;
    const bool scalar = !options.is(Value::Kind::map) && !options.is(Value::Kind::null);
    if (scalar && !spec.scalar.empty()) {
        Value map;
        map.kind = Value::Kind::map;
        map.at = options.at;
        map.entries.push_back(Value::Entry{std::string(spec.scalar), options.at, options});
        options = std::move(map);
    }
    if (options.is(Value::Kind::null)) {
        options.kind = Value::Kind::map;
        options.at = entry.at;
    }
    const std::string what = std::string(spec.name);
    decode(spec.options, options, what, problems_);
    check_connections(spec, options);
    return options;
}

void Reader::check_connections(const Spec& spec, const Value& options) {
    if (!daemon_) return;
    for (const Option& option : spec.options) {
        const Value* named = options.find(option.name);
        if (option.type != OptionType::connection || !named) continue;
        std::vector<std::string_view> names;
        for (const auto& [name, connection] : daemon_->connections) names.push_back(name);
        if (daemon_->connections.find(named->text) == daemon_->connections.end()) {
            error(named->at, "unknown_connection",
                  fmt::format("no connection is named '{}'", named->text),
                  names.empty() ? "add it under connections: in musher.yml"
                                : did_you_mean(named->text, names));
        }
    }
}

void Reader::read_source(const Value& tree, PipelineConfig& config) {
    const Value* source = tree.find("source");
    if (!source) return;
    if (!source->is(Value::Kind::map) || source->entries.size() != 1) {
        error(source->at, "bad_source", "`source` wants exactly one kind: { KIND: { options } }");
        return;
    }
    const Value::Entry& entry = source->entries.front();
    config.source_kind = entry.key;
    config.source = find_component(source_catalogue(), entry.key);
    if (!config.source) {
        error(entry.at, "unknown_source", fmt::format("there is no source '{}'", entry.key),
              did_you_mean(entry.key, names_of(source_catalogue())));
        return;
    }
    config.source_options = component_options(config.source->spec, entry);
}

std::vector<StepConfig> Reader::read_steps(const Value* list, std::string_view what) {
    std::vector<StepConfig> steps;
    if (!list) return steps;
    if (!list->is(Value::Kind::list)) {
        error(list->at, "bad_steps", fmt::format("`{}` wants a list of steps", what),
              "write `- NAME: { options }` for each step");
        return steps;
    }
    for (const Value& item : list->items) {
        if (auto step = read_step(item)) steps.push_back(std::move(*step));
    }
    return steps;
}

std::optional<StepConfig> Reader::read_step(const Value& item) {
    const Value::Entry* named = nullptr;
    const Value::Entry* id = nullptr;
    Value beside;
    beside.kind = Value::Kind::map;
    beside.at = item.at;
    if (item.is(Value::Kind::string)) {  // `- seal`: a step without options
        Value bare;
        bare.kind = Value::Kind::map;
        bare.at = item.at;
        bare.entries.push_back(Value::Entry{item.text, item.at, Value{}});
        return read_step(bare);
    }
    for (const Value::Entry& entry : item.entries) {
        const auto& table = step_table();
        if (std::any_of(table.begin(), table.end(),
                        [&](const Option& option) { return option.name == entry.key; })) {
            beside.entries.push_back(entry);
            if (entry.key == "id") id = &entry;
        } else if (named) {
            error(entry.at, "two_steps",
                  fmt::format("'{}' and '{}' stand in one step", named->key, entry.key),
                  "begin each step with its own `- `");
            return std::nullopt;
        } else {
            named = &entry;
        }
    }
    if (!named) {
        error(item.at, "no_step", "a step wants a name: `- NAME: { options }`");
        return std::nullopt;
    }
    StepConfig step;
    step.at = named->at;
    step.kind = named->key;
    step.entry = find_component(step_catalogue(), named->key);
    if (!step.entry) {
        step.entry = find_component(sink_catalogue(), named->key);
        step.sink = step.entry != nullptr;
    }
    if (!step.entry) {
        std::vector<std::string_view> names = names_of(step_catalogue());
        for (const std::string_view name : names_of(sink_catalogue())) names.push_back(name);
        error(named->at, "unknown_step", fmt::format("there is no step '{}'", named->key),
              did_you_mean(named->key, names));
        return std::nullopt;
    }
    const Options common = decode(step_table(), beside, "a step", problems_);
    step.timeout = common.duration("timeout");
    step.when = expression(item, "when");
    step.options = component_options(step.entry->spec, *named);
    name_step(step, id);
    return step;
}

void Reader::name_step(StepConfig& step, const Value::Entry* id) {
    if (id) {
        step.id = id->value.text;
        if (!is_identifier(step.id)) {
            error(id->value.at, "bad_name", fmt::format("'{}' cannot name a step", step.id),
                  "use a-z, 0-9, - and _");
        } else if (!ids_.insert(step.id).second) {
            error(id->value.at, "duplicate_id", fmt::format("two steps have the id '{}'", step.id));
        }
        return;
    }
    step.id = step.kind;
    for (int number = 2; !ids_.insert(step.id).second; ++number) {
        step.id = step.kind + "-" + std::to_string(number);
    }
}

void Reader::read_limits(const Value& tree, PipelineConfig& config) {
    Value none;
    none.kind = Value::Kind::map;
    const Value* given = tree.find("limits");
    const std::size_t before = problems_.size();
    const Options limits = decode(limits_table(), given ? *given : none, "limits", problems_);
    if (problems_.size() != before) return;
    LimitsConfig& out = config.limits;
    out.parallel = static_cast<int>(limits.integer("parallel"));
    out.attempts = static_cast<int>(limits.integer("attempts"));
    out.backoff_from = milliseconds(limits.json("backoff")["from"].get<std::int64_t>());
    out.backoff_to = milliseconds(limits.json("backoff")["to"].get<std::int64_t>());
    out.timeout = limits.duration("timeout");
    out.waiting = static_cast<int>(limits.integer("waiting"));
    out.rate = static_cast<int>(limits.integer("rate"));
}

}  // namespace

PipelineConfig read_pipeline_tree(const Value& tree, const std::string& file,
                                  const DaemonConfig* daemon, std::vector<Problem>& problems) {
    return Reader(file, daemon, problems).read(tree);
}

Options decoded_options(const std::vector<Option>& table, const Value& map) {
    std::vector<Problem> reported_before;
    return decode(table, map, "", reported_before);
}

}  // namespace musher
