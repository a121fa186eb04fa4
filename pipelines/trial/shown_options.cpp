#include "pipelines/trial/shown_options.h"

#include <algorithm>
#include <filesystem>

#include "pipelines/run/emit.h"

namespace musher {

namespace {
std::string shown_path(const std::string& path, const std::string& written,
                       const std::string& folder) {
    const bool inside = path.starts_with(folder + "/");
    const bool relative = !written.empty() && written[0] != '/' && !written.starts_with("${");
    if (!inside && !relative) return path;
    return std::filesystem::path(path).lexically_relative(folder).string();
}
}  // namespace

Json shown_options(const StepConfig& config, const Options& rendered, const std::string& folder) {
    Json shown = rendered.values();
    mask_secrets(shown, config.options);
    for (const Option& option : config.entry->spec.options) {
        const auto found = shown.find(option.name);
        if (found == shown.end()) continue;
        if (found->is_null()) {
            shown.erase(found);
        } else if (option.type == OptionType::path && found->is_string()) {
            const Value* written = config.options.find(option.name);
            *found = shown_path(found->get<std::string>(), written ? written->text : "", folder);
        }
    }
    return shown;
}

Json expected_option(const Option& option, const Value& written) {
    const auto text = [](const Value& value) {
        const bool number = value.is(Value::Kind::integer) || value.is(Value::Kind::real);
        // As it stands there: 0600 is no 600.
        return number || value.is(Value::Kind::boolean) ? Json(value.text) : value.to_json(true);
    };
    switch (option.type) {
        case OptionType::duration:
        case OptionType::duration_range:
        case OptionType::size:
            if (!written.is(Value::Kind::string)) return written.to_json(true);
            return convert_text(option, written.text).value_or(Json(written.text));
        case OptionType::text:
        case OptionType::path:
            return text(written);
        case OptionType::text_list: {
            Json texts = Json::array();
            if (!written.is(Value::Kind::list)) texts.push_back(text(written));
            for (const Value& item : written.items) texts.push_back(text(item));
            return texts;
        }
        default:
            return written.to_json(true);
    }
}

bool has_secrets(const Value& written) {
    const auto& items = written.items;
    const auto& entries = written.entries;
    return written.secret || std::any_of(items.begin(), items.end(), has_secrets) ||
           std::any_of(entries.begin(), entries.end(),
                       [](const Value::Entry& entry) { return has_secrets(entry.value); });
}

}  // namespace musher
