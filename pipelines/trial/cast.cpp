#include "pipelines/trial/cast.h"

#include "pipelines/config/tables.h"
#include "pipelines/config/test_reader.h"
#include "pipelines/trial/understudy.h"

namespace musher {

namespace {
/// Stands for every key of `seal` and `unseal`: what one test seals, it can unseal.
constexpr const char* kTestKey = "6d757368657220746573740000000000000000000000000000000000000000aa";
constexpr const char* kTestText = "***";

void stand_in(const Option& option, Value& value) {
    for (Value& item : value.items) stand_in(option, item);
    for (Value::Entry& entry : value.entries) stand_in(option, entry.value);
    if (!value.secret || !value.faulty) return;
    const bool typed = option.type != OptionType::secret && option.type != OptionType::text &&
                       option.type != OptionType::path && option.type != OptionType::text_list &&
                       option.type != OptionType::text_map && option.type != OptionType::any;
    if (typed) return;  // no text could be one: it is as if it were left out
    value.text = option.type == OptionType::secret ? kTestKey : kTestText;
    value.faulty = false;
}

void stand_in(StepConfig& step) {
    for (Value::Entry& entry : step.options.entries) {
        if (entry.key == "key_file" && find_option(step.entry->spec.options, "key")) {
            entry.key = "key";  // no key of this machine is read
            entry.value.kind = Value::Kind::string;
            entry.value.secret = entry.value.faulty = true;
        }
        const Option* option = find_option(step.entry->spec.options, entry.key);
        if (option) stand_in(*option, entry.value);
    }
}
}  // namespace

Cast::Cast(const PipelineConfig& pipeline, const TestCase& test, std::shared_ptr<Record> record)
    : config_(pipeline), record_(std::move(record)) {
    assign(config_.steps, test);
    assign(config_.on_failure, test);
}

void Cast::assign(std::vector<StepConfig>& steps, const TestCase& test) {
    for (StepConfig& step : steps) {
        for (StepBranch& branch : step.branches) assign(branch.steps, test);
        if (is_control(step.entry->spec)) continue;
        stand_in(step);
        const auto given = test.answers.find(step.id);
        std::vector<TestAnswer> answers;
        if (given != test.answers.end()) answers = given->second;
        const Role role{std::make_shared<const StepConfig>(step),
                        std::make_shared<Answers>(std::move(answers)), record_, config_.folder};
        entries_.push_back(StepEntry{step.entry->spec, [role] { return make_understudy(role); },
                                     step.entry->pure});
        step.entry = &entries_.back();
    }
}

}  // namespace musher
