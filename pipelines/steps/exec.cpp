#include "pipelines/steps/exec.h"

#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "reactor/base/limits.h"
#include "reactor/base/log.h"
#include "reactor/loop/child.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {
constexpr std::size_t kJsonBytes = 1 << 20;
constexpr std::size_t kShownBytes = 500;  // of standard error, in a failure's message

const std::vector<Option>& limits_table() {
    static const std::vector<Option> kTable = {
        {.name = "cpu",
         .type = OptionType::duration,
         .help = "processor time, in whole seconds",
         .least = 1},
        {.name = "memory", .type = OptionType::size, .help = "address space", .least = 1},
        {.name = "files",
         .type = OptionType::integer,
         .help = "open files",
         .least = 1,
         .most = INT32_MAX},
        {.name = "file_size",
         .type = OptionType::size,
         .help = "bytes of each file it writes",
         .least = 1},
    };
    return kTable;
}

ChildLimits limits_of(const Options& given) {
    const auto number = [&](std::string_view name) {
        return static_cast<std::uint64_t>(given.integer(name));
    };
    ChildLimits limits;
    limits.cpu_s = (number("cpu") + 999) / 1000;
    limits.memory_bytes = number("memory");
    limits.open_files = number("files");
    limits.file_size_bytes = number("file_size");
    return limits;
}

Result<int> parse_code(const std::string& text) {
    int number = -1;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (bad == std::errc() && end == text.data() + text.size() && number >= 0 && number <= 255) {
        return number;
    }
    return fail(Errc::usage, "`ok_codes` wants exit codes from 0 to 255, found `" + text + "`");
}

Result<bool> is_ok(int code, const std::vector<std::string>& ok_codes) {
    bool ok = false;
    for (const std::string& text : ok_codes) {
        MUSHER_TRY(const int number, parse_code(text));
        ok = ok || number == code;
    }
    return ok;
}

/// A variable's name goes before a `=`.
bool is_variable(std::string_view name) {
    return !name.empty() && name.find('=') == name.npos && name.find('\0') == name.npos;
}

Faults check_exec(const Options& options) {
    Faults faults;
    const std::vector<std::string> argv = options.list("argv");
    if (argv.empty() || argv[0].empty()) {
        faults.emplace_back(Errc::usage, "`argv` names no program");
    }
    for (const auto& [name, value] : options.json("env").items()) {
        if (is_variable(name)) continue;
        faults.emplace_back(Errc::usage, "`env." + name + "` cannot name a variable");
    }
    for (const std::string& text : options.list("ok_codes")) {
        if (Result<int> code = parse_code(text); !code) faults.push_back(std::move(code).error());
    }
    return faults;
}

/// The last lines of what it complained, on one line.
std::string complaint(const ChildExit& ended) {
    std::string text = ended.err;
    const std::size_t last = text.find_last_not_of(" \t\r\n");
    text.erase(last == std::string::npos ? 0 : last + 1);
    if (text.size() > kShownBytes) {
        const std::size_t line = text.find('\n', text.size() - kShownBytes);
        text.erase(0, line == std::string::npos ? text.size() - kShownBytes : line + 1);
    }
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text.empty() ? text : ": " + text;
}

class Exec final : public Step {
  public:
    bool needs_scratch() const override { return true; }

    Task<Result<StepResult>> run(StepContext& context, const Options& options) override {
        MUSHER_CO_TRY(ChildSpec spec, plan(context, options));
        std::string own = context.scratch + "/" + context.step + "-XXXXXX";
        const bool reads_body = options.text("stdin") == "body";
        Fd body;
        auto prepare = [&]() -> Result<void> {
            if (!mkdtemp(own.data())) return fail(errno_error(errno, "creating " + own));
            if (!reads_body) return {};
            MUSHER_TRY(body, open_body(context.body.path, context.body.identity));
            return {};
        };
        MUSHER_CO_DO(co_await offload(context.loop, prepare));
        spec.stdin_fd = body.get();
        spec.cwd = own;
        if (spec.out.to == ChildOutput::To::file) spec.out.path = own + ".out";
        MUSHER_CO_TRY(const ChildExit ended,
                      co_await run_child(context.loop, spec, context.cancel));
        const std::string mode = options.text("stdout");
        if (mode == "log") write_log(context, ended);
        MUSHER_CO_DO(judge(spec, ended, options));
        StepResult result;
        if (mode == "json") {
            MUSHER_CO_TRY(result.outputs, parsed(spec, ended));
        } else if (mode == "log") {
            result.outputs["output"] = ended.out;
        }
        result.outputs.emplace("exit_code", ended.code);
        if (mode == "body") MUSHER_CO_DO(co_await take_body(context, spec.out.path));
        co_return result;
    }

  private:
    static Result<ChildSpec> plan(const StepContext& context, const Options& options) {
        ChildSpec spec;
        spec.argv = options.list("argv");
        if (spec.argv.empty() || spec.argv[0].empty()) {
            return fail(Errc::usage, "`argv` names no program");
        }
        const Json& env = options.json("env");
        for (const auto& [name, value] : env.items()) {
            if (value.is_null()) continue;
            spec.env[name] = value.is_string() ? value.get<std::string>() : to_line(value);
        }
        if (options.text("stdin") == "body") {
            if (context.body.path.empty()) return fail(Errc::usage, "this job carries no file");
        }
        const std::string mode = options.text("stdout");
        if (mode == "log") spec.out = ChildOutput::capture_last(limits::kOutputBytes);
        if (mode == "json") spec.out = ChildOutput::capture(kJsonBytes);
        if (mode == "body") spec.out = ChildOutput::file("");
        spec.err = ChildOutput::capture_last(limits::kOutputBytes);
        spec.limits = limits_of(options.section("limits"));
        spec.timeout = options.duration("timeout");
        return spec;
    }

    static void write_log(const StepContext& context, const ChildExit& ended) {
        for (const auto& [stream, text] :
             {std::pair<const char*, const std::string&>{"out", ended.out}, {"err", ended.err}}) {
            for (std::size_t from = 0; from < text.size();) {
                const std::size_t end = std::min(text.find('\n', from), text.size());
                log::info("exec.output", Json{{"pipeline", context.pipeline},
                                              {"job", context.job},
                                              {"step", context.place},
                                              {"stream", stream},
                                              {"line", text.substr(from, end - from)}});
                from = end + 1;
            }
        }
    }

    static Result<void> judge(const ChildSpec& spec, const ChildExit& ended,
                              const Options& options) {
        if (ended.timed_out) {
            return fail(Errc::timeout, spec.argv[0] + " was stopped after " +
                                           format_duration(spec.timeout) + complaint(ended));
        }
        MUSHER_TRY(const bool ok, is_ok(ended.code, options.list("ok_codes")));
        if (ended.signal == 0 && ok) return {};
        return fail(Errc::failed, spec.argv[0] + " " + ended.text() + complaint(ended));
    }

    static Result<Json> parsed(const ChildSpec& spec, const ChildExit& ended) {
        if (ended.out_truncated) {
            return fail(Errc::corrupt, spec.argv[0] + " wrote more than 1MiB of JSON");
        }
        auto value = parse_json(ended.out);
        if (!value) return fail(std::move(value).error().within(spec.argv[0] + " wrote"));
        if (value->is_object()) return value;
        return Json{{"value", std::move(*value)}};
    }

    static Task<Result<void>> take_body(StepContext& context, std::string path) {
        auto size_of = [&path]() -> Result<std::uint64_t> {
            std::error_code failed;
            const std::uintmax_t size = std::filesystem::file_size(path, failed);
            if (failed) return fail(errno_error(failed.value(), path));
            return static_cast<std::uint64_t>(size);
        };
        MUSHER_CO_TRY(const std::uint64_t size, co_await offload(context.loop, size_of));
        context.body = Body{path, size, "", {}};
        co_return Result<void>();
    }
};

}  // namespace

const Spec& exec_spec() {
    static const Spec kSpec{
        ComponentKind::step,
        "exec",
        "run a program",
        "No shell: `argv` is the program and its arguments as they are, so nothing that an event "
        "says can become a command. The program runs in an empty folder of its own that is removed "
        "afterwards, in its own process group, without a way to gain privileges, and sees only the "
        "variables of `env` beside PATH, LANG and TZ. It is ended when the job is.\n\n"
        "Secrets belong into `env`, never into `argv`: other users see a program's arguments.",
        {
            {.name = "argv",
             .type = OptionType::text_list,
             .help = "program (a full path, or a name found on PATH) and arguments",
             .required = true,
             .templated = true},
            {.name = "stdin",
             .type = OptionType::choice,
             .help = "what it reads",
             .fallback = "none",
             .choices = {"none", "body"}},
            {.name = "stdout",
             .type = OptionType::choice,
             .help = "log: to the log, the last 64KiB kept as `output`; body: becomes the body; "
                     "json: becomes this step's fields (1MiB at most)",
             .fallback = "log",
             .choices = {"discard", "body", "log", "json"}},
            {.name = "env",
             .type = OptionType::text_map,
             .help = "its environment",
             .templated = true},
            {.name = "timeout",
             .type = OptionType::duration,
             .help = "ended then: SIGTERM, and SIGKILL after 5s",
             .fallback = "10m",
             .least = 1},
            {.name = "limits",
             .type = OptionType::section,
             .help = "what it may use up; nothing here is limited unless it is named",
             .options = limits_table()},
            {.name = "ok_codes",
             .type = OptionType::text_list,
             .help = "exit codes that mean success",
             .fallback = R"(["0"])"},
        },
        {{"exit_code", "0, or another of ok_codes", 0},
         {"output", "with stdout: log, what it wrote", "done"},
         {"*", "with stdout: json, what it wrote", nullptr}},
        R"(version: 1
pipeline: thumbnails
source: { hotfolder: { path: /srv/in, match: "*.jpg" } }
steps:
  - exec: { argv: [convert, "-", "-resize", "200x200", "jpg:-"], stdin: body, stdout: body }
  - directory: { to: /srv/thumbnails }
)",
        Repeats::never,
        "argv",
        check_exec};
    return kSpec;
}

std::unique_ptr<Step> make_exec() { return std::make_unique<Exec>(); }

}  // namespace musher
