#include "pipelines/app/manual.h"

#include <fmt/format.h>

#include <map>

#include "pipelines/app/drop_in.h"
#include "pipelines/app/verb.h"
#include "pipelines/config/connections.h"
#include "pipelines/config/describe.h"
#include "pipelines/config/tables.h"
#include "pipelines/config/test_tables.h"
#include "reactor/base/error.h"

namespace musher {

namespace {
using Kind = VerbOption::Kind;

/// Plain text as roff prints it: nothing in it is a request, hyphens can be copied into a shell.
std::string plain(std::string_view text) {
    std::string roff;
    bool line_begins = true;
    for (const char c : text) {
        if (line_begins && (c == '.' || c == '\'')) roff += "\\&";
        if (c == '\\') {
            roff += "\\e";
        } else if (c == '-') {
            roff += "\\-";
        } else {
            roff += c;
        }
        line_begins = c == '\n';
    }
    return roff;
}

std::string bold(std::string_view text) { return "\\fB" + plain(text) + "\\fR"; }
std::string slanted(std::string_view text) { return "\\fI" + plain(text) + "\\fR"; }

std::string heading(std::string_view name, int section, std::string_view about) {
    std::string capitals(name);
    for (char& c : capitals) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return fmt::format(".TH {} {} \"\" \"musher {}\" \"musher\"\n.SH NAME\n{} \\- {}\n", capitals,
                       section, MUSHER_VERSION, plain(name), plain(about));
}

std::string item(const std::string& term, std::string_view meaning) {
    return fmt::format(".TP\n{}\n{}\n", term, plain(meaning));
}

std::string block(std::string_view lines) {
    return fmt::format(".PP\n.nf\n.RS 2\n{}.RE\n.fi\n", plain(lines));
}

/// "[--state STATE] [PATH...]", as it stands behind the verb.
std::string usage_of(const Verb& verb) {
    std::string usage;
    for (const VerbOption& option : verb.options) {
        std::string word;
        switch (option.kind) {
            case Kind::flag:
                word = bold("--" + std::string(option.name));
                break;
            case Kind::value:
            case Kind::many:
                word = bold("--" + std::string(option.name)) + " " + slanted(option.word);
                break;
            case Kind::positional:
                word = slanted(option.name);
                break;
            case Kind::positionals:
                word = slanted(option.name) + "...";
                break;
        }
        usage += option.required ? " " + word : " [" + word + "]";
    }
    return usage;
}

std::string verb_section(const Verb& verb) {
    std::string text =
        fmt::format(".SS musher {}\n{}.\n.PP\n{}{}\n", plain(verb.name), plain(verb.summary),
                    bold("musher " + std::string(verb.name)), usage_of(verb));
    for (const VerbOption& option : verb.options) {
        const bool word = option.kind == Kind::positional || option.kind == Kind::positionals;
        std::string term = word ? slanted(option.name) : bold("--" + std::string(option.name));
        if (option.kind == Kind::value || option.kind == Kind::many) {
            term += " " + slanted(option.word);
        }
        text += item(term, option.help);
    }
    return text + block(verb.examples);
}

std::string exit_codes() {
    std::map<int, std::string> names{{0, "ok"}};
    for (int code = 0; code <= static_cast<int>(Errc::internal); ++code) {
        const ErrcInfo& one = info(static_cast<Errc>(code));
        std::string& all = names[one.exit_code];
        if (!all.empty()) all += ", ";
        all += one.name;
    }
    std::string text = ".SH EXIT STATUS\n";
    for (const auto& [code, all] : names) text += item(bold(std::to_string(code)), all);
    return text;
}

std::string option_items(const std::vector<Option>& table, const std::string& above) {
    std::string text;
    for (const Option& option : table) {
        const std::string path = above + std::string(option.name);
        std::string meaning(option.help);
        if (!option.choices.empty())
            meaning += fmt::format(" ({})", fmt::join(option.choices, ", "));
        if (const std::string range = range_text(option); !range.empty()) meaning += "; " + range;
        if (option.required) meaning += "; required";
        if (!option.fallback.empty()) meaning += fmt::format("; default {}", option.fallback);
        text += item(bold(path) + " " + slanted(type_word(option.type)), meaning);
        text += option_items(option.options, path + ".");
    }
    return text;
}

std::string component_items() {
    std::string text;
    for (const Spec* spec : all_specs()) {
        text += item(fmt::format("{} {}", kind_name(spec->kind), bold(spec->name)), spec->summary);
    }
    return text;
}

constexpr std::pair<std::string_view, std::string_view> kFiles[] = {
    {"/etc/musher/musher.yml", "the configuration; -c and $MUSHER_CONFIG name another"},
    {"/etc/musher/pipelines/", "one pipeline per file"},
    {"/etc/default/musher", "environment of the service, for !env"},
    {"/var/lib/musher/", "state: control socket, jobs of the private redis-server"},
    {"/var/spool/musher/", "the hot folder of the packaged pipeline"},
    {"/usr/share/doc/musher/examples/", "a commented pipeline for each source"},
};
}  // namespace

std::string manual_page() {
    std::string text = heading("musher", 1, "event-driven reactor for files, queues and databases");
    text += ".SH SYNOPSIS\n" + bold("musher") + " " + slanted("VERB") + " [" + slanted("OPTION") +
            "]... [" + slanted("ARGUMENT") + "]...\n";
    text += ".SH DESCRIPTION\n";
    text += plain(
                "Turns events (files that appear in folders, times that come) into durable jobs, "
                "runs each through the steps of a pipeline, and keeps what happened.") +
            "\n";
    text += ".SH OPTIONS\n" + item(bold("-h") + ", " + bold("--help"), "help, of each verb too") +
            item(bold("--version"), "version and commit") +
            item(bold("--json"),
                 "of each verb: one JSON document on stdout (tap: one in each line)") +
            item(bold("-c") + ", " + bold("--config") + " " + slanted("FILE"),
                 "of most verbs: musher.yml; default $MUSHER_CONFIG, ./musher.yml, "
                 "/etc/musher/musher.yml");
    text += ".SH VERBS\n";
    for (const Verb* verb : all_verbs()) text += verb_section(*verb);
    text += ".SH OTHER NAMES\n" +
            plain(
                "Called by one of these names, it takes the arguments of "
                "the program that it replaces; --help lists them.") +
            "\n";
    for (const DropIn& one : drop_ins()) text += item(bold(one.name), one.summary);
    text += exit_codes() + ".SH FILES\n";
    for (const auto& [path, what] : kFiles) text += item(bold(path), what);
    return text + ".SH SEE ALSO\n.BR musher.yml (5),\n.BR systemd.exec (5)\n";
}

std::string configuration_page() {
    std::string text = heading("musher.yml", 5, "configuration and pipeline files of musher");
    text += ".SH DESCRIPTION\n";
    text += plain(
                "YAML. Unknown keys are errors. A value may come from the environment "
                "(!env NAME) or from a file (!file PATH); secrets must. Durations are written "
                "250ms, 2s, 5m, 1h, 7d; sizes 64KiB, 10MiB, 2GiB. `musher check` shows every "
                "fault, `musher explain` every default.") +
            "\n";
    text += ".SH MUSHER.YML\n" + option_items(daemon_table(), "");
    for (const ConnectionKind& kind : connection_kinds()) {
        text += fmt::format(".SS connections.NAME.{}\n{}.\n", kind.name, plain(kind.summary));
        text += option_items(kind.options, "");
    }
    text += ".SH PIPELINE FILES\n" + option_items(pipeline_table(), "");
    text += ".SS Of a test\n" + option_items(test_table(), "");
    text += ".SS Beside a step's name\n" + option_items(step_table(), "");
    text += ".SH COMPONENTS\n" + plain("`musher describe KIND NAME` lists the options of each.") +
            "\n" + component_items();
    return text + ".SH SEE ALSO\n.BR musher (1)\n";
}

}  // namespace musher
