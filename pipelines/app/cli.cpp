#include "pipelines/app/cli.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "pipelines/app/verb.h"
#include "reactor/base/text.h"

namespace musher {

namespace {

constexpr const char* kConfigHelp =
    "musher.yml; default: $MUSHER_CONFIG, ./musher.yml, /etc/musher/musher.yml";

std::string find_config() {
    if (const char* named = std::getenv("MUSHER_CONFIG")) return named;
    if (::access("musher.yml", F_OK) == 0) return "musher.yml";
    return "/etc/musher/musher.yml";
}

/// CLI11 takes the word "[a,b]" for a list, but not behind this.
constexpr char kRaw = '\x01';
std::string raw(std::string word) {
    const bool marked = word.starts_with('[') || word.starts_with(kRaw);
    return marked ? kRaw + std::move(word) : word;
}
std::string as_given(const std::string& word) {
    return word.starts_with(kRaw) ? word.substr(1) : word;
}

/// "PATH..." where CLI11 writes "PATH(1x)".
class HelpText : public CLI::Formatter {
  public:
    std::string make_option_usage(const CLI::Option* option) const override {
        std::string word = option->get_name(true);
        if (option->get_expected_max() > 1) word += "...";
        return option->get_required() ? word : "[" + word + "]";
    }
};

std::string footer_of(std::string_view examples) {
    std::string text = "Examples:\n" + std::string(examples);
    while (text.ends_with('\n')) text.pop_back();
    return text;
}

/// Verbs of two words.
struct Group {
    const char* name;
    const char* summary;
    const char* examples;
};
constexpr Group kGroups[] = {
    {"jobs", "what the queues hold", "  musher jobs list --state dead\n  musher jobs replay ID"},
    {"shard", "shards on an SSD, each there as long as somebody uses it",
     "  musher shard copy /srv/shards/s2 --lockdir /run/shards --ssddir /ssd --id search1\n"
     "  musher shard list --lockdir /run/shards --ssddir /ssd"},
};

/// One verb's options on one CLI11 command.
void add_options(CLI::App& command, const Verb& verb, Call& call) {
    for (const VerbOption& option : verb.options) {
        const std::string name(option.name);
        const std::string help(option.help);
        CLI::Option* added = nullptr;
        const auto store = [&call, name](const std::vector<std::string>& given) {
            std::vector<std::string>& values = call.values[name];
            values.clear();
            for (const std::string& word : given) values.push_back(as_given(word));
            return true;
        };
        switch (option.kind) {
            case VerbOption::Kind::flag:
                added = command.add_flag_callback(
                    "--" + name, [&call, name] { call.values[name]; }, help);
                break;
            case VerbOption::Kind::value:
                added = command.add_option("--" + name, store, help)
                            ->expected(1)
                            ->type_name(std::string(option.word));
                break;
            case VerbOption::Kind::many:
                added = command.add_option("--" + name, store, help)
                            ->expected(1, 1000)
                            ->allow_extra_args(false)
                            ->type_name(std::string(option.word));
                break;
            case VerbOption::Kind::positional:
                added = command.add_option(name, store, help)->expected(1);
                break;
            case VerbOption::Kind::positionals:
                added =
                    command.add_option(name, store, help)->expected(1, 10'000)->allow_extra_args();
                break;
        }
        if (option.required) added->required();
    }
}

class CommandLine {
  public:
    CommandLine() : app_("musher: an event-driven reactor for files, queues and databases") {
        app_.name("musher");
        app_.formatter(std::make_shared<HelpText>());
        app_.require_subcommand(0, 1);
        app_.set_version_flag("--version",
                              fmt::format("musher {} ({})", MUSHER_VERSION, MUSHER_COMMIT));
        app_.footer(
            "Examples:\n  musher run -c musher.yml\n  musher check\n  musher status\n"
            "  musher VERB --help");
        for (const Verb* verb : all_verbs()) add(*verb);
    }
    int run(int argc, char** argv);

  private:
    void add(const Verb& verb);
    int finish(const Verb& verb);
    int usage(const CLI::ParseError& error);
    std::string path_of(const CLI::App* command) const;
    Error fault_of(const CLI::ParseError& error, const CLI::App* command) const;
    int report(std::string_view verb, const Error& error) const;
    int put(std::string_view verb, const std::string& text, int code) const;

    CLI::App app_;
    CLI::App* group_of(const std::string& name);
    bool is_group(const CLI::App* command) const;

    std::map<std::string, CLI::App*> groups_;  // "jobs", of the verbs "jobs …"
    Call call_;
    bool json_ = false;
    std::map<const CLI::App*, const Verb*> verbs_;
};

CLI::App* CommandLine::group_of(const std::string& name) {
    CLI::App*& group = groups_[name];
    if (group) return group;
    for (const Group& one : kGroups) {
        if (name != one.name) continue;
        group = app_.add_subcommand(name, one.summary);
        group->require_subcommand(1);
        group->footer(footer_of(one.examples));
    }
    MUSHER_CHECK(group != nullptr);  // every group has its line in kGroups
    return group;
}

bool CommandLine::is_group(const CLI::App* command) const {
    return command == &app_ || std::any_of(groups_.begin(), groups_.end(),
                                           [&](const auto& one) { return one.second == command; });
}

void CommandLine::add(const Verb& verb) {
    CLI::App* parent = &app_;
    std::string name(verb.name);
    if (const std::size_t space = name.find(' '); space != std::string::npos) {
        const std::string group = name.substr(0, space);
        name = name.substr(space + 1);
        parent = group_of(group);
    }
    CLI::App* command = parent->add_subcommand(name, std::string(verb.summary));
    command->footer(footer_of(verb.examples));
    command->add_flag("--json", call_.json, "one JSON document on stdout");
    if (verb.wants_config) {
        command->add_option("-c,--config", call_.config, kConfigHelp)->type_name("FILE");
    }
    add_options(*command, verb, call_);
    verbs_[command] = &verb;
}

/// The verb or group of verbs that the command line has come to: "jobs list", "jobs", "".
std::string CommandLine::path_of(const CLI::App* command) const {
    std::string path;
    for (; command != &app_; command = command->get_parent()) {
        path = command->get_name() + (path.empty() ? "" : " " + path);
    }
    return path;
}

/// What is wrong with the command line, where CLI11 tells less than it knows.
Error CommandLine::fault_of(const CLI::ParseError& error, const CLI::App* command) const {
    std::vector<std::string> extras = command->remaining();
    std::vector<std::string> known;
    const bool group = is_group(command);
    if (group && command->get_subcommands().empty()) std::erase(extras, "--json");
    const bool option = !extras.empty() && extras.front().starts_with('-');
    for (const CLI::Option* each : command->get_options()) {
        if (option && !each->nonpositional()) continue;
        if (option) known.push_back("--" + each->get_lnames().front());
    }
    for (const CLI::App* verb : command->get_subcommands({})) {
        if (!option) known.push_back(verb->get_name());
    }
    const std::string see =
        "see musher " + path_of(command) + (command == &app_ ? "--help" : " --help");
    if (extras.empty()) return Error(Errc::usage, group ? "no verb is given" : error.what(), see);
    const std::vector<std::string_view> candidates(known.begin(), known.end());
    const std::string word = as_given(extras.front());
    const auto meant = nearest(word, candidates);
    const char* what = option ? "unknown option" : group ? "unknown verb" : "one word too many:";
    return Error(Errc::usage, fmt::format("{} '{}'", what, word),
                 meant ? fmt::format("did you mean '{}'?", *meant) : see);
}

int CommandLine::usage(const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app_.exit(error);  // --help, --version
    const CLI::App* command = &app_;
    while (command->remaining().empty() && !command->get_subcommands().empty()) {
        command = command->get_subcommands().front();
    }
    return report(path_of(command), fault_of(error, command));
}

/// Says it as people or programs want it; the exit code.
int CommandLine::report(std::string_view verb, const Error& error) const {
    if (json_) {
        const Json shown{{"ok", false}, {"error", to_json(error)}};
        std::fputs((to_line(shown) + "\n").c_str(), stdout);
        return info(error.code).exit_code;
    }
    const std::string hint = error.hint.empty() ? std::string(info(error.code).hint) : error.hint;
    const char* space = verb.empty() ? "" : " ";
    std::fputs(fmt::format("musher{}{}: error: {}\n", space, verb, error.text()).c_str(), stderr);
    if (!hint.empty()) std::fputs(fmt::format("hint: {}\n", hint).c_str(), stderr);
    return info(error.code).exit_code;
}

/// The exit code of an answer, which somebody may rely on, once it is written. Who closes a pipe
/// wants no more of it.
int CommandLine::put(std::string_view verb, const std::string& text, int code) const {
    const bool written = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
    if (written || errno == EPIPE) return code;
    const Error error = errno_error(errno, "writing the answer");
    std::fputs(fmt::format("musher {}: error: {}\n", verb, error.text()).c_str(), stderr);
    return code != 0 ? code : info(error.code).exit_code;
}

int CommandLine::finish(const Verb& verb) {
    call_.config = as_given(call_.config);
    if (!call_.config.empty()) call_.values["config"] = {call_.config};
    if (call_.config.empty()) call_.config = find_config();
    const Result<Answer> answer = verb.run(call_);
    if (answer && answer->told) return answer->code;
    if (answer) {
        const std::string text =
            call_.json ? answer->json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
                       : answer->text;
        return put(verb.name, text, answer->code);
    }
    return report(verb.name, answer.error());
}

int CommandLine::run(int argc, char** argv) {
    // Known before the line is understood: what is wrong with it is told in the same way.
    for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i) {
        json_ = json_ || std::string_view(argv[i]) == "--json";
    }
    try {
        std::vector<std::string> words;  // the last one first
        for (int i = argc - 1; i > 0; --i) words.push_back(raw(argv[i]));
        app_.parse(std::move(words));
    } catch (const CLI::ParseError& error) {
        return usage(error);
    }
    for (const auto& [command, verb] : verbs_) {
        if (command->parsed()) return finish(*verb);
    }
    std::fputs(app_.help().c_str(), stdout);
    return info(Errc::usage).exit_code;
}

}  // namespace

int run_cli(int argc, char** argv) { return CommandLine().run(argc, argv); }

}  // namespace musher
