#include "pipelines/config/body_use.h"

namespace musher {

namespace {
/// An option's text as written, or its default.
std::string_view said(const std::vector<Option>& table, const Value& given, std::string_view name) {
    if (const Value* value = given.find(name)) return value->text;
    const auto found = std::find_if(table.begin(), table.end(),
                                    [&](const Option& option) { return option.name == name; });
    return found == table.end() ? std::string_view() : found->fallback;
}

std::string_view said(const StepConfig& step, std::string_view name) {
    return said(step.entry->spec.options, step.options, name);
}

BodyState behind_leaf(const StepConfig& step, BodyState before) {
    if (step.kind == "exec" && said(step, "stdout") == "body") return {false, false};
    if (step.kind == "http_get" && said(step, "into") == "body") return {false, true};
    if (step.kind == "checksum" && said(step, "algorithm") == "sha256") before.sha256 = true;
    if (step.entry->make && step.entry->make()->is_filter()) before.sha256 = true;
    return before;
}
}  // namespace

BodyState first_body(const PipelineConfig& pipeline) {
    if (!pipeline.source) return {};
    const auto& table = pipeline.source->spec.options;
    return {said(table, pipeline.source_options, "unit") == "folder", false};
}

bool reads_body(const StepConfig& step) {
    if (step.kind == "exec") return said(step, "stdin") == "body";
    if (step.kind == "http_get") return false;
    if (step.kind == "http_post") return said(step, "body") == "true";
    if (step.kind == "mail") {
        const std::string_view attach = said(step, "attach");
        return !attach.empty() && attach != "false";
    }
    return step.entry->make && step.entry->make()->uses_body();
}

BodyState body_behind(const StepConfig& step, BodyState before) {
    const BodyState after = behind_leaf(step, before);
    return step.when ? either(before, after) : after;
}

BodyState either(BodyState one, BodyState other) {
    return {one.folder && other.folder, one.sha256 || other.sha256};
}

}  // namespace musher
