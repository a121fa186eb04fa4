#include "pipelines/app/completion.h"

#include <algorithm>

#include "pipelines/app/verb.h"
#include "pipelines/config/check.h"
#include "pipelines/config/describe.h"

namespace musher {

namespace {
using Kind = VerbOption::Kind;
using Words = std::vector<std::string>;

constexpr const char* kBash = R"(_musher() {
    local IFS=$'\n'
    COMPREPLY=($("$1" completion bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _musher musher
)";
constexpr const char* kZsh = R"zsh(#compdef musher
_musher() {
    local -a found
    found=(${(f)"$("${words[1]}" completion zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( ${#found} )); then compadd -a found; else _files; fi
}
if [ "${funcstack[1]}" = _musher ]; then _musher; else compdef _musher musher; fi
)zsh";
constexpr const char* kFish = R"(function __musher_words
    set -l line (commandline -opc)
    set -l found ($line[1] completion fish -- $line[2..-1] (commandline -ct) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c musher -f -a '(__musher_words)'
)";

/// A command line up to the word that is being written.
class Line {
  public:
    explicit Line(std::string config) : config_(std::move(config)) {}
    void take(const std::string& word);
    Words next(const std::string& beginning) const;

  private:
    void take_option(const std::string& word);
    void take_verb(const std::string& word);
    Words verbs() const;
    Words options() const;
    Words values(const VerbOption& option) const;
    Words components() const;

    std::string config_;
    std::string group_;  // "jobs", of verbs of two words
    const Verb* verb_ = nullptr;
    Words given_;                         // positionals
    const VerbOption* awaits_ = nullptr;  // an option without its value yet
    bool awaits_config_ = false;
    bool lost_ = false;  // a word that no verb begins with
};

void Line::take(const std::string& word) {
    if (word == "=") return;  // bash cuts --state=dead into three words
    if (awaits_config_) config_ = word;
    if (awaits_ || awaits_config_) {
        awaits_ = nullptr;
        awaits_config_ = false;
    } else if (word.starts_with('-')) {
        take_option(word);
    } else if (verb_) {
        given_.push_back(word);
    } else {
        take_verb(word);
    }
}

void Line::take_option(const std::string& word) {
    awaits_config_ = word == "-c" || word == "--config";
    if (!verb_) return;
    for (const VerbOption& option : verb_->options) {
        const bool valued = option.kind == Kind::value || option.kind == Kind::many;
        if (valued && word == "--" + std::string(option.name)) awaits_ = &option;
    }
}

void Line::take_verb(const std::string& word) {
    const std::string name = group_.empty() ? word : group_ + " " + word;
    lost_ = true;
    for (const Verb* verb : all_verbs()) {
        if (verb->name == name) verb_ = verb;
        if (verb->name.starts_with(name + " ")) group_ = name;
    }
    lost_ = !verb_ && group_ != name;
}

Words Line::verbs() const {
    Words words;
    for (const Verb* verb : all_verbs()) {
        std::string_view name = verb->name;
        if (!group_.empty()) {
            if (!name.starts_with(group_ + " ")) continue;
            name.remove_prefix(group_.size() + 1);
        }
        words.emplace_back(name.substr(0, name.find(' ')));
    }
    return words;
}

Words Line::options() const {
    Words words{"--help"};
    if (!verb_ && group_.empty()) words.emplace_back("--version");
    if (!verb_) return words;
    words.emplace_back("--json");
    if (verb_->wants_config) words.emplace_back("--config");
    for (const VerbOption& option : verb_->options) {
        const bool word = option.kind == Kind::positional || option.kind == Kind::positionals;
        if (!word) words.push_back("--" + std::string(option.name));
    }
    return words;
}

Words Line::components() const {
    Words words;
    for (const Spec* spec : all_specs()) {
        if (given_.empty() || given_.front() == kind_name(spec->kind)) {
            words.emplace_back(spec->name);
        }
    }
    if (given_.empty()) words.insert(words.end(), {"source", "step", "sink", "expressions"});
    return words;
}

Words Line::values(const VerbOption& option) const {
    if (!option.choices.empty()) return Words(option.choices.begin(), option.choices.end());
    if (option.name == "WHAT") return components();
    if (option.name != "PIPELINE" && option.name != "pipeline") return {};
    Words names;
    for (const PipelineConfig& one : read_configuration(config_).pipelines) {
        names.push_back(one.name);
    }
    return names;
}

Words Line::next(const std::string& beginning) const {
    if (lost_ || awaits_config_) return {};
    if (awaits_) return values(*awaits_);
    if (beginning.starts_with('-')) return options();
    if (!verb_) return verbs();
    std::size_t place = 0;
    for (const VerbOption& option : verb_->options) {
        if (option.kind == Kind::positionals) return values(option);
        if (option.kind == Kind::positional && place++ == given_.size()) return values(option);
    }
    return {};
}
}  // namespace

std::vector<std::string> complete(std::vector<std::string> words, std::string config) {
    Line line(std::move(config));
    std::string last;
    if (!words.empty()) {
        last = std::move(words.back());
        words.pop_back();
    }
    for (const std::string& word : words) line.take(word);
    if (last == "=") last.clear();
    Words found = line.next(last);
    std::erase_if(found, [&](const std::string& word) { return !word.starts_with(last); });
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

Result<std::string> completion_script(const std::string& shell) {
    if (shell == "bash") return kBash;
    if (shell == "zsh") return kZsh;
    if (shell == "fish") return kFish;
    return fail(Errc::usage, "unknown shell '" + shell + "'", "bash, zsh and fish are known");
}

}  // namespace musher
