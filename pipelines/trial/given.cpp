#include "pipelines/trial/given.h"

#include <sys/stat.h>

#include <algorithm>

#include "reactor/base/fd.h"
#include "reactor/base/text.h"
#include "reactor/base/uuid.h"
#include "sources/hotfolder_rules.h"
#include "sources/schedule.h"

namespace musher {

namespace {
constexpr std::int64_t kDefaultTime = 1'714'979'289'000;  // 2024-05-06T07:08:09Z
constexpr std::uint64_t kFillerBytes = 64 << 10;          // of a file that no test describes

class GivenMaker {
  public:
    GivenMaker(const PipelineConfig& pipeline, const TestCase& test, const std::string& folder)
        : pipeline_(pipeline), test_(test), folder_(folder) {
        std::vector<Problem> unsaid;  // `check` has said them
        options_ = decode(pipeline.source->spec.options, pipeline.source_options,
                          pipeline.source_kind, unsaid);
    }
    Result<Given> make(const std::string& timezone);

  private:
    Result<void> add_file();
    void name_parts();
    Result<void> set_due(const std::string& timezone);
    void ask_hotfolder();
    bool said(const char* fact) const { return test_.event.contains(fact); }

    const PipelineConfig& pipeline_;
    const TestCase& test_;
    const std::string& folder_;
    Options options_;
    Given given_;
};

Result<Given> GivenMaker::make(const std::string& timezone) {
    Event& event = given_.event;
    for (const Field& field : pipeline_.source->spec.fields) {
        if (field.name != "*") event.facts.edit()[std::string(field.name)] = field.sample;
    }
    event.facts.edit().update(test_.event);
    event.id = text_in(event.facts, "id", uuid_of(pipeline_.name + "/" + test_.name));
    event.facts.edit().erase("id");
    event.source = pipeline_.name;
    event.kind = pipeline_.source_kind;
    given_.at_ms = test_.at_ms.value_or(kDefaultTime);
    MUSHER_DO(add_file());
    name_parts();
    if (pipeline_.source_kind == "timer" && !said("due")) MUSHER_DO(set_due(timezone));
    if (pipeline_.source_kind == "hotfolder") ask_hotfolder();
    return std::move(given_);
}

Result<void> GivenMaker::add_file() {
    Event& event = given_.event;
    if (!test_.file.empty()) {
        MUSHER_TRY(const Fd file, Fd::open(test_.file, O_RDONLY | O_NONBLOCK));
        struct stat info{};
        if (::fstat(file.get(), &info) != 0) return fail(errno_error(errno, test_.file));
        if (!S_ISREG(info.st_mode)) return fail(Errc::usage, test_.file + " is not a file");
        event.file = test_.file;
        if (!said("name")) {
            event.facts.edit()["name"] = escape_name(test_.file.substr(test_.file.rfind('/') + 1));
        }
        if (!said("size")) event.facts.edit()["size"] = static_cast<std::uint64_t>(info.st_size);
        return {};
    }
    if (!test_.content && !pipeline_.source->local_files) return {};
    const std::uint64_t size = std::min(size_in(event.facts, "size"), kFillerBytes);
    const std::string content = test_.content.value_or(std::string(size, '\0'));
    event.file = folder_ + "/given";
    MUSHER_TRY(const Fd file, Fd::open(event.file, O_CREAT | O_WRONLY | O_TRUNC));
    if (test_.content && !said("size")) event.facts.edit()["size"] = content.size();
    return write_all(file.get(), content);
}

/// Of a file's event: what follows from its name.
void GivenMaker::name_parts() {
    Json& facts = given_.event.facts.edit();
    const std::string name = text_in(facts, "name");
    if (!facts.contains("stem") || name.empty()) return;
    if (!said("stem")) facts["stem"] = std::string(hotfolder::stem_of(name));
    if (!said("ext")) facts["ext"] = std::string(hotfolder::extension_of(name));
    if (!said("path")) facts["path"] = text_in(facts, "dir") + "/.musher/work/ID." + name;
}

/// The next time that the timer is due, and when it fires then.
Result<void> GivenMaker::set_due(const std::string& timezone) {
    const std::string own = options_.text("timezone");
    MUSHER_TRY(const timer::Schedule schedule,
               timer::Schedule::from(options_, own.empty() ? timezone : own, pipeline_.name));
    MUSHER_TRY(const timer::Firing firing, schedule.after(given_.at_ms - 1));
    given_.event.facts.edit()["due"] = format_time(firing.due_ms);
    given_.at_ms = firing.at_ms;
    MUSHER_TRY(given_.event.date, format_date(firing.due_ms, schedule.timezone()));
    return {};
}

void GivenMaker::ask_hotfolder() {
    using Verdict = hotfolder::NameRules::Verdict;
    const auto rules = hotfolder::read_rules(options_);
    if (!rules) return;  // of a folder that only musher.yml names
    const std::string name = text_in(given_.event.facts, "name");
    const Verdict verdict = rules->scan.names.judge("", name);
    if (verdict == Verdict::unmatched) given_.refusal = name + " is none of `match`";
    if (verdict == Verdict::ignored) given_.refusal = name + " is one of `ignore`";
    if (verdict == Verdict::marker) given_.refusal = name + " is a marker";
}
}  // namespace

Result<Given> given_event(const PipelineConfig& pipeline, const TestCase& test,
                          const std::string& folder, const std::string& timezone) {
    return GivenMaker(pipeline, test, folder).make(timezone);
}

}  // namespace musher
