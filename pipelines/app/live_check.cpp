#include "pipelines/app/live_check.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "pipelines/config/component_options.h"
#include "pipelines/config/folder_use.h"
#include "pipelines/config/problems.h"
#include "pipelines/run/probe.h"
#include "reactor/drivers/atomic_file.h"
#include "reactor/drivers/postgres.h"
#include "reactor/drivers/redis_dial.h"
#include "reactor/drivers/smtp.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {
constexpr Duration kPatience = std::chrono::seconds(5);

/// Can a file be made there? A folder that is missing would be made, so the nearest one above it
/// counts. The file has no name: there is nothing to leave behind. Pool threads.
Result<void> try_to_write(std::string folder) {
    struct stat status{};
    while (::stat(folder.c_str(), &status) != 0 && errno == ENOENT && folder.size() > 1) {
        const std::size_t slash = folder.rfind('/');
        folder = slash == 0 || slash == std::string::npos ? "/" : folder.substr(0, slash);
    }
    const Result<Fd> nameless = Fd::open(folder, O_TMPFILE | O_WRONLY, 0600);
    if (nameless) return {};
    if (errno != EOPNOTSUPP && errno != EISDIR) {
        return fail(Error(nameless.error()).within("making a file in " + folder));
    }
    // A file system without nameless files. kill -9 here: sweep_temporaries() knows the name.
    const Result<AtomicFile> named = AtomicFile::create(folder, "probe", 0600, 0);
    if (!named) return fail(Error(named.error()).within("making a file in " + folder));
    return {};
}

bool in_path(const std::string& program) {
    const char* path = std::getenv("PATH");
    const std::string folders = path ? path : "/usr/bin:/bin";
    for (std::size_t from = 0; from < folders.size();) {
        const std::size_t colon = std::min(folders.find(':', from), folders.size());
        const std::string file = folders.substr(from, colon - from) + "/" + program;
        if (::access(file.c_str(), X_OK) == 0) return true;
        from = colon + 1;
    }
    return false;
}

/// A connection that a component names, and where.
struct Use {
    std::string connection;
    Position at;
};

void add_uses(const std::vector<Option>& table, const Value& options, std::vector<Use>& uses) {
    for (const Option& option : table) {
        const Value* value = options.find(option.name);
        if (!value || option.type != OptionType::connection) continue;
        uses.push_back(Use{value->text, value->at});
    }
}

void add_uses(const std::vector<StepConfig>& steps, std::vector<Use>& uses) {
    for (const StepConfig& step : steps) {
        add_uses(step.entry->spec.options, step.options, uses);
        for (const StepBranch& branch : step.branches) add_uses(branch.steps, uses);
    }
}

class LiveCheck {
  public:
    LiveCheck(Loop& loop, Configuration& read) : loop_(loop), read_(read) {}
    Task<void> run();

  private:
    Task<void> queue();
    Task<void> source(const Program& program);
    Task<void> pipeline(const PipelineConfig& pipeline);
    Task<void> folders(const PipelineConfig& pipeline);
    Task<void> connections(const PipelineConfig& pipeline);
    Task<void> steps(const std::vector<ProgramStep>& steps);
    Task<void> redis(RedisTarget target, Position at, const char* code);
    Task<void> smtp(SmtpTarget target, Position at);
    Task<void> postgres(Use use, PostgresTarget target, bool told);
    Task<void> folder(std::string path, Position at);
    std::string kind_of(const Use& use) const;
    void blame(const Position& at, const char* code, const Error& error) {
        add_error(read_.problems, at, code, error.text(), error.hint);
    }

    Loop& loop_;
    Configuration& read_;
    std::set<std::string> asked_;  // connections and folders, each once
    std::set<std::string> away_;   // connections that do not answer
};

Task<void> LiveCheck::run() {
    if (!read_.daemon.file.empty()) co_await queue();
    for (const PipelineConfig& pipeline : read_.pipelines) {
        co_await this->pipeline(pipeline);
    }
    sort_problems(read_.problems);
}

Task<void> LiveCheck::pipeline(const PipelineConfig& pipeline) {
    const auto program = Program::compile(pipeline, 1);
    if (program) {
        co_await source(**program);
    } else {
        blame(pipeline.source_options.at, "not_compiled", program.error());
    }
    co_await folders(pipeline);
    co_await connections(pipeline);
    if (!program) co_return;
    co_await steps((*program)->steps(false));
    co_await steps((*program)->steps(true));
}

Task<void> LiveCheck::steps(const std::vector<ProgramStep>& steps) {
    for (const ProgramStep& step : steps) {
        for (const ProgramBranch& branch : step.branches) co_await this->steps(branch.steps);
        std::vector<Use> uses;
        add_uses(step.config->entry->spec.options, step.config->options, uses);
        const bool away = std::any_of(uses.begin(), uses.end(), [this](const Use& use) {
            return away_.contains(use.connection);
        });
        if (away) continue;
        Cancel patience;
        const Deadline limit(loop_.timers(), patience, kPatience);
        const StepProbe on{loop_, read_.daemon.connections, patience};
        const Faults faults = co_await step.step->probe(on, step.options.fixed());
        for (const Error& fault : faults) {
            blame(place_of(fault.text(), step.config->options), "refused", fault);
        }
    }
}

Task<void> LiveCheck::queue() {
    const RedisConfig& config = read_.daemon.queue;
    if (!config.embedded) {
        co_await redis(config.target, config.at, "queue_away");
        co_return;
    }
    co_await folder(read_.daemon.state, config.at);
    if (in_path("redis-server")) co_return;
    add_error(read_.problems, config.at, "no_redis_server",
              "no redis-server found to keep the jobs in",
              "apt install redis-server, or name a Redis of your own: queue: { redis: URL }");
}

Task<void> LiveCheck::redis(RedisTarget target, Position at, const char* code) {
    Cancel patience;
    const Deadline limit(loop_.timers(), patience, kPatience);
    const Result<std::unique_ptr<RedisLink>> link = co_await redis_dial(loop_, target, patience);
    if (link) co_return;
    Error error = link.error();
    if (error.message.find(target.name()) == std::string::npos) {
        error = std::move(error).within(target.name());
    }
    if (error.hint.empty()) error.hint = "check that the server runs and can be reached from here";
    blame(at, code, error);
}

Task<void> LiveCheck::source(const Program& program) {
    Cancel patience;
    const Deadline limit(loop_.timers(), patience, kPatience);
    Pool pool(loop_);
    Surroundings around(loop_, read_.daemon.connections, pool);
    around.node = "check --live";
    around.timezone = read_.daemon.timezone;
    std::vector<Problem> found = co_await probe_source(around, program, patience);
    for (Problem& problem : found) read_.problems.push_back(std::move(problem));
}

Task<void> LiveCheck::folders(const PipelineConfig& pipeline) {
    const FolderUse use = folder_use(pipeline);
    for (const WrittenFolder& written : use.written) co_await folder(written.path, written.at);
}

Task<void> LiveCheck::folder(std::string path, Position at) {
    if (!asked_.insert("folder " + path).second) co_return;
    auto attempt = [&path] { return try_to_write(path); };
    const Result<void> wrote = co_await offload(loop_, attempt);
    if (wrote) co_return;
    Error error = wrote.error();
    if (error.hint.empty()) error.hint = "let the user that musher runs as write there";
    blame(at, "unusable_folder", error);
}

Task<void> LiveCheck::connections(const PipelineConfig& pipeline) {
    std::vector<Use> uses;
    add_uses(pipeline.source->spec.options, pipeline.source_options, uses);
    std::set<std::string> of_source;
    for (const Use& use : uses) of_source.insert(use.connection);
    add_uses(pipeline.steps, uses);
    add_uses(pipeline.on_failure, uses);
    for (const Use& use : uses) {
        const std::string kind = kind_of(use);
        if (kind.empty() || !asked_.insert("connection " + use.connection).second) continue;
        const Json& options = read_.daemon.connections.find(use.connection)->second.options;
        if (kind == "redis") {
            const auto target = RedisTarget::from_options(options);
            if (target) co_await redis(*target, use.at, "connection_away");
        } else if (kind == "postgres") {
            const auto target = PostgresTarget::from_options(options);
            // Such a source has tried it, and says more of what is wrong.
            const bool told = of_source.contains(use.connection);
            if (target) co_await postgres(use, *target, told);
        } else if (kind == "smtp") {
            const auto target = SmtpTarget::from_options(options);
            if (target) co_await smtp(*target, use.at);
        }
    }
}

Task<void> LiveCheck::smtp(SmtpTarget target, Position at) {
    Cancel patience;
    const Deadline limit(loop_.timers(), patience, kPatience);
    Smtp server(loop_, target);
    const Result<void> there = co_await server.probe(patience);
    if (there) co_return;
    Error error = there.error();
    if (error.message.find(target.url) == std::string::npos) {
        error = std::move(error).within(target.url);
    }
    if (error.hint.empty()) error.hint = "check that the server runs and can be reached from here";
    blame(at, "connection_away", error);
}

/// Of the connection that it names; "" for none.
std::string LiveCheck::kind_of(const Use& use) const {
    const auto named = read_.daemon.connections.find(use.connection);
    return named == read_.daemon.connections.end() ? "" : named->second.kind;
}

Task<void> LiveCheck::postgres(Use use, PostgresTarget target, bool told) {
    Cancel patience;
    const Deadline limit(loop_.timers(), patience, kPatience);
    Postgres server(loop_, std::move(target));
    const PostgresStatement question("SELECT 1");
    const Result<PostgresResult> answer = co_await server.query(question, patience);
    const std::string trouble = server.trouble();
    co_await server.close();
    if (answer) co_return;
    away_.insert(use.connection);
    if (told) co_return;
    Error error = answer.error();
    // The deadline knows less than the last try.
    if (error.code == Errc::timeout && !trouble.empty()) error.message = trouble;
    if (error.hint.empty()) error.hint = "check that the server runs and can be reached from here";
    blame(use.at, "connection_away", std::move(error).within("connection " + use.connection));
}

}  // namespace

void check_live(Configuration& read) {
    RealClock clock;
    Loop loop(clock);
    LiveCheck check(loop, read);
    loop.run(check.run());
    MUSHER_CHECK(loop.close() == 0);
}

}  // namespace musher
