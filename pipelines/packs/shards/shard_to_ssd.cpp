#include "pipelines/packs/shards/shard_to_ssd.h"

#include <fmt/format.h>
#include <getopt.h>
#include <unistd.h>

#include <cstdio>

#include "pipelines/packs/shards/shard_answers.h"
#include "pipelines/verb/verb_loop.h"
#include "pipelines/verb/verb_text.h"
#include "reactor/base/text.h"

namespace musher {

namespace {

constexpr const char* kUsage = "usage: {} [-h] [-c | -r] [-l DIR] [-s DIR] -i NAME SHARD\n";
constexpr const char* kHelp = R"(
Manipulate shards on ssd

positional arguments:
  SHARD                 Path to shard

optional arguments:
  -h, --help            show this help message and exit
  -c, --copy            Copy shard on ssd
  -r, --remove          Remove shard from ssd if it is not needed for other
                        services
  -l DIR, --lockdir DIR
                        Directory for placing lock files
  -s DIR, --ssddir DIR  Mountpoint of ssd disk
  -i NAME, --id NAME    Unique id of service
)";

struct Arguments {
    bool help = false, copy = false, remove = false;
    std::string lock_dir, ssd_dir, id, shard;
    std::string fault;  // "": none
};

/// "-l" → "-l/--lockdir", as its original names it.
std::string option_name(const option* known, int letter) {
    for (; known->name; ++known) {
        if (known->val == letter) return fmt::format("-{}/--{}", char(letter), known->name);
    }
    return std::string(1, char(letter));
}

void take_option(Arguments& given, int letter) {
    switch (letter) {
        case 'h':
            given.help = true;
            break;
        case 'c':
            given.copy = true;
            break;
        case 'r':
            given.remove = true;
            break;
        case 'l':
            given.lock_dir = optarg;
            break;
        case 's':
            given.ssd_dir = optarg;
            break;
        default:
            given.id = optarg;
            break;
    }
}

std::string fault_of(const Arguments& given, int words) {
    if (given.copy && given.remove) {
        return "argument -r/--remove: not allowed with argument -c/--copy";
    }
    std::string missing;
    const auto want = [&missing](bool there, const char* name) {
        if (!there) missing += (missing.empty() ? "" : ", ") + std::string(name);
    };
    want(!given.id.empty(), "-i/--id");
    want(words > 0, "SHARD");
    want(given.copy || given.remove, "-c/--copy or -r/--remove");
    want(!given.lock_dir.empty(), "-l/--lockdir");
    want(!given.ssd_dir.empty(), "-s/--ssddir");
    if (missing.empty()) return "";
    return "the following arguments are required: " + missing;
}

Arguments parse(int argc, char** argv) {
    static constexpr option kOptions[] = {{"help", no_argument, nullptr, 'h'},
                                          {"copy", no_argument, nullptr, 'c'},
                                          {"remove", no_argument, nullptr, 'r'},
                                          {"lockdir", required_argument, nullptr, 'l'},
                                          {"ssddir", required_argument, nullptr, 's'},
                                          {"id", required_argument, nullptr, 'i'},
                                          {nullptr, 0, nullptr, 0}};
    Arguments given;
    opterr = 0;
    optind = 0;
    for (;;) {
        const int letter = ::getopt_long(argc, argv, ":hcrl:s:i:", kOptions, nullptr);
        if (letter < 0) break;
        if (letter == ':') {
            given.fault = "argument " + option_name(kOptions, optopt) + ": expected one argument";
            return given;
        }
        if (letter == '?') {
            const std::string word =
                optopt != 0 ? fmt::format("-{}", char(optopt)) : argv[optind - 1];
            given.fault = "unrecognized arguments: " + escape_name(word);
            return given;
        }
        if (optarg && *optarg == '\0') {
            given.fault = "argument " + option_name(kOptions, letter) + ": it is empty";
            return given;
        }
        take_option(given, letter);
        if (given.help) return given;
    }
    const int words = argc - optind;
    if (words > 0) given.shard = argv[optind];
    given.fault = fault_of(given, words);
    if (given.fault.empty() && words > 1) {
        given.fault = fmt::format("unrecognized arguments: {}", escape_name(argv[optind + 1]));
    }
    return given;
}

void say(const std::string& line) {
    std::fputs((shown(Json(escape_name(line))) + "\n").c_str(), stderr);
}

/// The lines of the script; its "args.ssddir" is the folder's name now.
void say_note(const ShardRequest& request, const std::string& lock, ShardNote note) {
    const std::string name = escape_name(request.spot.name);
    switch (note) {
        case ShardNote::locked:
            return say("INFO:shard_to_ssd:Lock on file " + lock + " acquired");
        case ShardNote::copying:
            return say("INFO:root:Starting copy shard " + name + " to ssd");
        case ShardNote::present:
            return say("INFO:root:Shard " + name + " is already on ssd");
        case ShardNote::needed:
            return say("INFO:root:Some services need shard: " + name + " Do nothing.");
        case ShardNote::removing:
            return say("INFO:root:I am last user. Removing shard " + name + " from " +
                       escape_name(request.spot.ssd_dir));
        case ShardNote::unknown_user:
            return say("WARNING:root:" + escape_name(request.user) +
                       " is no user of shard: " + name + " Do nothing.");
        case ShardNote::released:
            return say("INFO:shard_to_ssd:Lock on file " + lock + " released");
    }
}

int failed(const Error& error) {
    say("ERROR:shard_to_ssd:" + error.text());
    if (!error.hint.empty()) say("ERROR:shard_to_ssd:" + error.hint);
    return 1;
}

int run(const Arguments& given) {
    Result<ShardSpot> spot = find_spot(given.shard, given.lock_dir, given.ssd_dir);
    const Result<void> user = check_user(given.id);
    if (!spot || !user) {
        failed(spot ? user.error() : spot.error());
        return 2;  // as other wrong arguments; what fails under the lock is 1
    }
    ShardRequest request;
    request.spot = std::move(*spot);
    request.user = given.id;
    request.copy.crew = whole_machine();
    const std::string lock = escape_name(request.spot.lock_path());
    // A program that reads these lines gets no other ones than the script's.
    const bool terminal = ::isatty(STDERR_FILENO) == 1;
    request.on_warning = [terminal](const std::string& what) {
        if (terminal) say("WARNING:root:" + what);
    };
    const ShardRequest told = request;
    request.on_note = [&](ShardNote note) { say_note(told, lock, note); };
    auto work = [&](Loop& loop, Cancel& cancel) {
        return given.copy ? add_shard_user(loop, std::move(request), cancel)
                          : remove_shard_user(loop, std::move(request), cancel);
    };
    const Result<ShardOutcome> outcome = run_on_loop<ShardOutcome>(work);
    if (!outcome) return failed(outcome.error());
    for (const std::string& line : losses_of(outcome->totals)) told.on_warning(line);
    return 0;
}
}  // namespace

int run_shard_to_ssd(int argc, char** argv) {
    const std::string_view called(argv[0]);
    const std::string_view program = called.substr(called.rfind('/') + 1);
    const Arguments given = parse(argc, argv);
    if (given.help) {
        std::fputs((fmt::format(kUsage, program) + kHelp).c_str(), stdout);
        return 0;
    }
    if (given.fault.empty()) return run(given);
    std::fputs(fmt::format(kUsage, program).c_str(), stderr);
    say(fmt::format("{}: error: {}", program, given.fault));
    return 2;
}

}  // namespace musher
