#include "pipelines/app/test_verb.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "pipelines/app/problems_answer.h"
#include "pipelines/trial/difference.h"
#include "pipelines/trial/junit.h"
#include "pipelines/verb/verb_text.h"
#include "reactor/base/limits.h"
#include "reactor/base/log.h"
#include "reactor/base/text.h"
#include "reactor/drivers/atomic_file.h"

namespace musher {

namespace {
namespace fs = std::filesystem;

/// A folder for what tests write, gone with it.
class Workplace {
  public:
    Workplace() = default;
    Workplace(const Workplace&) = delete;
    ~Workplace() {
        std::error_code ignored;
        if (!path_.empty()) fs::remove_all(path_, ignored);
    }
    Result<void> make() {
        std::error_code failed;
        std::string name = (fs::temp_directory_path(failed) / "musher-test-XXXXXX").string();
        if (failed) name = "/tmp/musher-test-XXXXXX";
        if (!mkdtemp(name.data())) return fail(errno_error(errno, "creating " + name));
        path_ = name;
        return {};
    }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

/// What a link leads to is written, and what is no file (a device, a pipe) stays what it is.
Result<void> write_file(const std::string& path, const std::string& text) {
    std::error_code failed;
    const fs::path real = fs::weakly_canonical(fs::absolute(path), failed);
    const fs::path place = failed ? fs::absolute(path) : real;
    if (fs::exists(place, failed) && !fs::is_regular_file(place, failed)) {
        MUSHER_TRY(const Fd opened, Fd::open(path, O_WRONLY));
        Result<void> written = write_all(opened.get(), text);
        if (!written) return fail(std::move(written).error().within(path));
        return {};
    }
    MUSHER_TRY(AtomicFile file, AtomicFile::create(place.parent_path().string(),
                                                   place.filename().string(), 0644, 0));
    MUSHER_DO(write_all(file.fd().get(), text));
    MUSHER_DO(file.commit(Collision::replace));
    return {};
}

/// What programs and senders of events said, without what a terminal would obey.
std::string harmless(const std::string& text) {
    std::string lines;
    for (const std::string& line : text_lines(text)) lines += shown(Json(line)) + "\n";
    return lines;
}

class TestRun {
  public:
    explicit TestRun(const Call& call) : call_(call) {}
    Result<Answer> run(const Configuration& read);

  private:
    bool wanted(const PipelineConfig& pipeline, const TestCase& test) const;
    TestResult run_one(const PipelineConfig& pipeline, const DaemonConfig& daemon,
                       const TestCase& test);
    Result<void> hold_golden(const PipelineConfig& pipeline, TestResult& result);
    Answer answer(Duration took) const;

    const Call& call_;
    Workplace workplace_;
    std::vector<TestResult> results_;
    std::vector<std::string> written_;  // golden files
};

bool TestRun::wanted(const PipelineConfig& pipeline, const TestCase& test) const {
    if (!call_.has("filter")) return true;
    const std::string pattern = call_.text("filter");
    const std::string whole = pipeline.name + "/" + test.name;
    return glob_match(pattern, test.name, false) || glob_match(pattern, pipeline.name, false) ||
           glob_match(pattern, whole, false);
}

Result<Answer> TestRun::run(const Configuration& read) {
    MUSHER_DO(workplace_.make());
    MUSHER_DO(log::open("/dev/null", log::Level::info));
    const Instant began = RealClock().now();
    std::size_t all = 0;
    for (const PipelineConfig& pipeline : read.pipelines) {
        all += pipeline.tests.size();
        for (const TestCase& test : pipeline.tests) {
            if (wanted(pipeline, test)) results_.push_back(run_one(pipeline, read.daemon, test));
        }
    }
    if (call_.has("filter") && results_.empty()) {
        return fail(Errc::not_found,
                    fmt::format("none of {} tests is named '{}'", all, call_.text("filter")),
                    "the name of a test, of a pipeline, or PIPELINE/NAME; * stands for anything");
    }
    if (call_.has("junit")) MUSHER_DO(write_file(call_.text("junit"), junit_xml(results_)));
    return answer(RealClock().now() - began);
}

TestResult TestRun::run_one(const PipelineConfig& pipeline, const DaemonConfig& daemon,
                            const TestCase& test) {
    TestResult result;
    result.pipeline = &pipeline;
    result.test = &test;
    const Instant began = RealClock().now();
    Result<Observed> seen = run_trial(pipeline, daemon, test, workplace_.path());
    if (seen) {
        result.seen = std::move(*seen);
        result.misses = judge(pipeline, test, result.seen);
        const Result<void> held = hold_golden(pipeline, result);
        if (!held) result.error = held.error().text();
    } else {
        result.error = seen.error().text();
    }
    result.took = RealClock().now() - began;
    return result;
}

std::string shown_golden(const PipelineConfig& pipeline, const TestCase& test) {
    return fs::path(test.golden).lexically_relative(pipeline.folder).string();
}

Result<void> TestRun::hold_golden(const PipelineConfig& pipeline, TestResult& result) {
    const TestCase& test = *result.test;
    if (test.golden.empty()) return {};
    const Result<std::string> golden = read_small_file(test.golden, limits::kConfigBytes);
    if (call_.has("update")) {
        const std::string text = golden_text(result.seen);
        if (golden && *golden == text) return {};
        const bool absent = !golden && golden.error().code == Errc::not_found;
        if (!golden && !absent) return fail(golden.error());
        if (golden && !golden->empty() && !golden->starts_with(kGoldenStart)) {
            result.misses.push_back(
                Miss{test.golden_at,
                     fmt::format("{} is no golden file, which begins with `{}`: it is left alone",
                                 shown_golden(pipeline, test), kGoldenStart),
                     {}});
            return {};
        }
        MUSHER_DO(write_file(test.golden, text));
        written_.push_back(fs::path(test.golden).lexically_proximate(fs::current_path()).string());
        return {};
    }
    if (!golden && golden.error().code == Errc::not_found) {
        result.misses.push_back(Miss{test.golden_at,
                                     fmt::format("{} is not there; musher test --update writes it",
                                                 shown_golden(pipeline, test)),
                                     {}});
        return {};
    }
    if (!golden) return fail(golden.error());
    for (Miss& miss : judge_golden(test, *golden, result.seen)) {
        result.misses.push_back(std::move(miss));
    }
    return {};
}

Answer TestRun::answer(Duration took) const {
    Answer answer;
    std::size_t failed = 0;
    Json tests = Json::array();
    for (const TestResult& result : results_) {
        answer.text += fmt::format("{} {}: {}\n", result.ok() ? "ok    " : "FAILED",
                                   result.pipeline->name, result.test->name);
        if (!result.ok()) answer.text += told(result);
        failed += !result.ok();
        tests.push_back(result_json(result));
    }
    for (const std::string& file : written_) answer.text += fmt::format("wrote {}\n", file);
    const auto ms = std::chrono::duration_cast<milliseconds>(took).count();
    const std::size_t passed = results_.size() - failed;
    if (results_.empty()) {
        answer.text += "no tests: a pipeline file has them under `tests:`\n";
    } else {
        answer.text += fmt::format("{} passed, {} failed ({} ms)\n", passed, failed, ms);
    }
    answer.text = harmless(answer.text);
    if (failed > 0) answer.code = info(Errc::failed).exit_code;
    answer.json = Json{{"ok", failed == 0}, {"passed", passed},    {"failed", failed},
                       {"took_ms", ms},     {"updated", written_}, {"tests", std::move(tests)}};
    return answer;
}
}  // namespace

Result<Answer> test_verb(const Call& call) {
    std::vector<std::string> paths = call.list("PATH");
    const bool named = !paths.empty();
    if (!named) paths.push_back(call.config);
    Configuration read = read_pipelines(
        paths, full_catalogue(), named ? call.text("config") : std::string(), Secrets::leave);
    if (named && call.has("config")) paths.push_back(call.config);
    if (!read.ok()) return problems_answer(call, read, paths);
    return TestRun(call).run(read);
}

}  // namespace musher
