#include "pipelines/config/samples.h"

namespace musher {

namespace {
constexpr const char* kTime = "2024-05-06T07:08:09.000Z";
constexpr const char* kId = "018f4c5e-7a10-7cc2-9d3a-0123456789ab";
/// What job.failed says of an error, in on_failure and in a rescue.
Json sample_error(const char* message) {
    return Json{{"code", "failed"}, {"message", message}, {"hint", ""}, {"context", Json::array()}};
}
constexpr const char* kSha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
}  // namespace

Samples::Samples(const PipelineConfig& pipeline, const DaemonConfig* daemon) {
    Json event = Json::object();
    if (pipeline.source) add_fields(event, "event", pipeline.source->spec.fields);
    event.update(Json{{"id", kId},
                      {"source", pipeline.name},
                      {"key", ""},
                      {"time", kTime},
                      {"date", "2024-05-06"}});
    bindings_["event"] = std::move(event);
    bindings_["job"] = Json{{"id", kId}, {"pipeline", pipeline.name}, {"attempt", 1}};
    bindings_["steps"] = Json::object();
    bindings_["body"] = Json{{"size", 1024}};
    bindings_["env"] = daemon ? daemon->environment : Json::object();
    bindings_["vars"] = daemon ? daemon->vars : Json::object();
    bindings_["now"] = kTime;
    if (!pipeline.source) open_.emplace_back("event");
    if (!daemon) open_.insert(open_.end(), {"env", "vars"});
}

void Samples::add_fields(Json& map, const std::string& path, const std::vector<Field>& fields) {
    for (const Field& field : fields) {
        if (field.name == "*") open_.push_back(path);
        if (field.name == "*") continue;
        const std::string name(field.name);
        map[name] = field.sample;
        if (field.sample.is_object() && field.sample.empty()) open_.push_back(path + "." + name);
    }
}

void Samples::enter_steps() { bindings_["job"]["error"] = nullptr; }

void Samples::know_digest(bool known) {
    bindings_["body"].erase("sha256");
    if (known) bindings_["body"]["sha256"] = kSha256;
}

void Samples::enter_on_failure() {
    const char* text = "the server refused the file";
    bindings_["job"]["error"] = text;
    bindings_["job"]["failed"] = Json{{"job", kId}, {"error", sample_error(text)}};
    bindings_["steps"] = Json::object();
    shown_.clear();
}

Json Samples::enter_rescue() {
    Json job = bindings_["job"];
    const char* text = "convert exited with code 1";
    bindings_["job"]["error"] = text;
    bindings_["job"]["failed"] = Json{{"step", "exec"}, {"error", sample_error(text)}};
    return job;
}

void Samples::add_step(const StepConfig& step,
                       const std::map<std::string, std::optional<Json>>& named) {
    // A name with a dash is written in brackets.
    const bool plain = step.id.find('-') == std::string::npos;
    const std::string path = plain ? "steps." + step.id : "steps[\"" + step.id + "\"]";
    Json outputs = Json::object();
    add_fields(outputs, path, step.entry->spec.fields);
    for (const auto& [name, value] : named) {
        if (step.sink) break;
        outputs[name] = value.value_or(nullptr);
        if (!value) open_.push_back(path);
    }
    if (step.sink) {
        outputs.update(Json{{"step", step.id},
                            {"sink", step.kind},
                            {"target", "/srv/out/name"},
                            {"bytes", 1024},
                            {"sha256", kSha256},
                            {"time", kTime}});
    }
    bindings_["steps"][step.id] = std::move(outputs);
    shown_.push_back(step.id);
}

Json Samples::take_since(std::size_t mark) {
    Json& steps = bindings_["steps"];
    Json taken = Json::object();
    for (; shown_.size() > mark; shown_.pop_back()) {
        const auto found = steps.find(shown_.back());
        if (found == steps.end()) continue;
        taken[shown_.back()] = std::move(*found);
        steps.erase(found);
    }
    return taken;
}

void Samples::put_back(Json taken) {
    for (auto& [id, outputs] : taken.items()) {
        bindings_["steps"][id] = std::move(outputs);
        shown_.push_back(id);
    }
}

bool Samples::looks_into_open(std::string_view expression) const {
    return std::any_of(open_.begin(), open_.end(),
                       [&](const std::string& path) { return mentions(expression, path); });
}

bool Samples::is_open(std::string_view field) const {
    return std::any_of(open_.begin(), open_.end(), [&](const std::string& path) {
        return field.starts_with(path) && field.size() > path.size() &&
               (field[path.size()] == '.' || field[path.size()] == '[');
    });
}

}  // namespace musher
