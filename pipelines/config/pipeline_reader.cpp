#include "pipelines/config/pipeline_reader.h"

#include <fmt/format.h>

#include <filesystem>

#include "pipelines/config/catalogue.h"
#include "pipelines/config/component_options.h"
#include "pipelines/config/problems.h"
#include "pipelines/config/step_list.h"
#include "pipelines/config/tables.h"
#include "pipelines/config/test_reader.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
class PipelineReader {
  public:
    PipelineReader(const Value& root, const std::string& file, const Reading& reading)
        : root_(root), file_(file), reading_(reading) {}
    PipelineConfig read();

  private:
    void read_name();
    void read_source();
    void keep_connections();
    void read_steps_of(std::string_view key, std::vector<StepConfig>& into);
    void read_limits(const Options& limits);
    void read_lane(const Options& top);
    void read_tests();
    std::optional<Value> expression(std::string_view key) const;

    Value root_;
    const std::string& file_;
    const Reading& reading_;
    PipelineConfig config_;
};

PipelineConfig PipelineReader::read() {
    config_.file = file_;
    config_.folder = std::filesystem::path(file_).parent_path().string();
    if (!check_version(root_, reading_.problems)) return std::move(config_);
    render_fixed({*find_option(pipeline_table(), "limits")}, root_, reading_);
    const Options top = decode(pipeline_table(), root_, "a pipeline", reading_.problems);
    if (!root_.is(Value::Kind::map)) return std::move(config_);
    read_name();
    config_.description = top.text("description");
    config_.when = expression("when");
    config_.key = expression("key");
    config_.dedupe = expression("dedupe");
    config_.priority = static_cast<int>(top.integer("priority"));
    read_source();
    read_steps_of("steps", config_.steps);
    read_steps_of("on_failure", config_.on_failure);
    name_steps({&config_.steps, &config_.on_failure}, reading_.problems);
    read_limits(top.section("limits"));
    read_lane(top);
    read_tests();
    return std::move(config_);
}

std::optional<Value> PipelineReader::expression(std::string_view key) const {
    const Value* value = root_.find(key);
    const bool usable = value && !value->faulty && !value->is(Value::Kind::null) &&
                        !value->is(Value::Kind::list) && !value->is(Value::Kind::map);
    return usable ? std::optional(*value) : std::nullopt;
}

void PipelineReader::read_name() {
    const Value* name = root_.find("pipeline");
    config_.name_at = name ? name->at : root_.at;
    if (name && name->faulty) return;
    config_.name = name ? name->text : std::filesystem::path(file_).stem().string();
    if (is_identifier(config_.name)) return;
    add_error(reading_.problems, config_.name_at, "bad_name",
              fmt::format("`{}` cannot name a pipeline", escape_name(config_.name)),
              name ? "use a-z, 0-9, - and _, at most 64 of them"
                   : "the file's name is the pipeline's: add `pipeline: NAME`, or rename the file");
}

void PipelineReader::read_source() {
    const Value* source = root_.find("source");
    if (!source || source->faulty) return;
    Value::Entry named;
    if (source->is(Value::Kind::string)) {  // `source: timer`: a source without options
        named = Value::Entry{source->text, source->at, Value{}};
        named.value.at = source->at;
    } else if (source->is(Value::Kind::map) && source->entries.size() == 1) {
        named = source->entries.front();
    } else {
        const bool many = source->is(Value::Kind::map) && !source->entries.empty();
        add_error(
            reading_.problems, many ? source->entries[1].at : source->at, "bad_source",
            many ? fmt::format("a pipeline has one source, found {}", source->entries.size())
                 : fmt::format("`source` wants one kind, found {}", describe_found(*source)),
            many ? "make a pipeline of its own for each" : "write source: { KIND: { options } }");
        return;
    }
    config_.source_kind = named.key;
    config_.source = reading_.catalogue.find_source(named.key);
    if (!config_.source) {
        add_error(reading_.problems, named.at, "unknown_source",
                  fmt::format("there is no source `{}`", named.key),
                  suggest(named.key, reading_.catalogue.source_names()));
        return;
    }
    config_.source_options = read_component_options(config_.source->spec, named, reading_);
    keep_connections();
}

/// A source is as old as its connections.
void PipelineReader::keep_connections() {
    for (const Option& option : config_.source->spec.options) {
        const Value* name = config_.source_options.find(option.name);
        if (!reading_.daemon || !name || option.type != OptionType::connection) continue;
        const auto named = reading_.daemon->connections.find(name->text);
        if (named != reading_.daemon->connections.end()) config_.connections.insert(*named);
    }
}

void PipelineReader::read_steps_of(std::string_view key, std::vector<StepConfig>& into) {
    const Value* list = root_.find(key);
    // decode() reported what is no list.
    if (list && list->is(Value::Kind::list)) into = read_steps(*list, key, reading_);
}

void PipelineReader::read_limits(const Options& limits) {
    LimitsConfig& out = config_.limits;
    // What is faulty decodes to null: the default stays.
    if (limits.has("parallel")) out.parallel = static_cast<int>(limits.integer("parallel"));
    if (limits.has("attempts")) out.attempts = static_cast<int>(limits.integer("attempts"));
    if (limits.has("backoff")) {
        out.backoff_from = milliseconds(limits.json("backoff")["from"].get<std::int64_t>());
        out.backoff_to = milliseconds(limits.json("backoff")["to"].get<std::int64_t>());
    }
    if (limits.has("timeout")) out.timeout = limits.duration("timeout");
    if (limits.has("waiting")) out.waiting = static_cast<int>(limits.integer("waiting"));
    if (limits.has("rate")) out.rate = static_cast<int>(limits.integer("rate"));
}

void PipelineReader::read_lane(const Options& top) {
    config_.direct = top.text("via") == "direct";
    config_.queue = top.text("queue");
    if (const Value* named = root_.find("queue")) {
        check_connection(*find_option(pipeline_table(), "queue"), *named, reading_);
    }
    if (config_.direct && config_.source && !config_.source->remembers) {
        add_error(reading_.problems, root_.find("via")->at, "bad_lane",
                  fmt::format("`{}` cannot go `via: direct`", config_.source_kind),
                  "leave `via` out: its jobs need the queue to outlive a crash");
    }
    for (const char* name : {"queue", "dedupe"}) {
        const Value* given = root_.find(name);
        if (!config_.direct || !given) continue;
        add_error(reading_.problems, given->at, "bad_lane",
                  fmt::format("`{}` means nothing with `via: direct`", name),
                  "leave it out, or `via`: no Redis remembers its jobs");
    }
}

void PipelineReader::read_tests() {
    const Value* tests = root_.find("tests");
    if (!tests || tests->faulty) return;
    if (!tests->is(Value::Kind::list)) {
        add_error(reading_.problems, tests->at, "bad_type",
                  fmt::format("`tests` wants a list of cases, found {}", describe_found(*tests)),
                  "write - { name: …, given: { … }, expect: { … } }");
        return;
    }
    config_.tests = musher::read_tests(*tests, config_, reading_);
}
}  // namespace

PipelineConfig read_pipeline_tree(const Value& root, const std::string& file,
                                  const Reading& reading) {
    return PipelineReader(root, file, reading).read();
}

}  // namespace musher
