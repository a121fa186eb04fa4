#include "pipelines/config/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sstream>

#include "pipelines/config/yaml_scalar.h"
#include "pipelines/config/yaml_text.h"
#include "reactor/base/fd.h"
#include "reactor/base/limits.h"

namespace musher {

namespace {

/// Ends the parser from inside a callback; the Problem is there already.
struct Stop {};

/// Makes the tree from the parser's events: never more than the limits allow, so that a few
/// aliases of aliases cannot fill the memory.
class TreeBuilder final : public YAML::EventHandler {
  public:
    TreeBuilder(const YamlText& text, std::vector<Problem>& problems, Secrets secrets)
        : text_(text), problems_(problems), secrets_(secrets) {}

    void OnDocumentStart(const YAML::Mark& mark) override;
    void OnDocumentEnd() override;
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& text) override;
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value style) override;
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value style) override;
    void OnMapEnd() override { close(); }

    std::optional<Value> take_root() { return std::move(root_); }
    /// The syntax error that the parser threw, in words for people.
    void report_syntax(const YAML::Exception& error);

  private:
    struct Frame {
        Value value;
        YAML::anchor_t anchor = 0;
        std::optional<Value::Entry> key;       // read, its value still to come
        std::map<std::string, Position> keys;  // of the map so far
        std::vector<Value> merged;             // maps behind <<
    };
    struct Anchor {
        Value value;
        std::size_t nodes = 0;
        std::size_t depth = 0;
    };

    Position at(const YAML::Mark& mark) const { return text_.at(mark.line, mark.column); }
    void report(const Position& at, const char* code, std::string message, std::string hint = {});
    void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
              Value::Kind kind);
    void close();
    void add(Value value, YAML::anchor_t anchor);
    void add_to_map(Frame& frame, Value value);
    void add_entry(Frame& frame, Value value);
    void merge(Frame& frame);
    void count(const Position& at, std::size_t nodes, std::size_t depth);

    const YamlText& text_;
    std::vector<Problem>& problems_;
    Secrets secrets_;
    std::vector<Frame> stack_;
    std::map<YAML::anchor_t, Anchor> anchors_;
    std::optional<Value> root_;
    std::size_t nodes_ = 0;
    int documents_ = 0;
    std::optional<std::size_t> last_scalar_;  // offset of the last one with the tag of quotes
};

void TreeBuilder::report(const Position& at, const char* code, std::string message,
                         std::string hint) {
    problems_.push_back(
        Problem{at, Problem::Severity::error, code, std::move(message), std::move(hint)});
}

void TreeBuilder::count(const Position& at, std::size_t nodes, std::size_t depth) {
    nodes_ += nodes;
    if (nodes_ > limits::kConfigNodes) {
        report(at, "too_large",
               fmt::format("the file says more than {} values, aliases counted each time",
                           limits::kConfigNodes),
               "split it; aliases of aliases multiply");
        throw Stop();
    }
    if (stack_.size() + depth > static_cast<std::size_t>(limits::kConfigDepth)) {
        report(at, "too_deep",
               fmt::format("lists and maps nested over {} levels deep", limits::kConfigDepth));
        throw Stop();
    }
}

void TreeBuilder::OnDocumentStart(const YAML::Mark& mark) {
    if (++documents_ == 1) return;
    report(at(mark), "documents", "a second YAML document begins here",
           "one file holds one document: remove the `---`, or make two files");
    throw Stop();
}

void TreeBuilder::OnDocumentEnd() {
    if (!last_scalar_ || text_.is_closed(*last_scalar_)) return;
    report(text_.at_offset(*last_scalar_), "syntax", "this quote is never closed");
    root_.reset();
}

void TreeBuilder::OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) {
    Value value;
    value.at = at(mark);
    count(value.at, 1, 0);
    add(std::move(value), anchor);
}

void TreeBuilder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                           const std::string& text) {
    const auto offset = static_cast<std::size_t>(std::max(mark.pos, 0));
    last_scalar_.reset();
    if (tag != "?") last_scalar_ = offset;
    const Position where = at(mark);
    count(where, 1, 0);
    Value value = make_scalar(text, tag, where, problems_, secrets_);
    value.quoted = tag == "!" && text_.is_quoted_line(offset);
    if (tag == "!") value.block_column = text_.block_column(offset);
    const bool plain = tag == "?" && text_.stands_at(offset, text);
    value.folded = !plain && !value.quoted && value.block_column == 0;
    add(std::move(value), anchor);
}

void TreeBuilder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end()) {  // the parser refuses undefined ones itself
        report(at(mark), "bad_alias", "this alias stands inside the value that it names");
        throw Stop();
    }
    count(at(mark), known->second.nodes, known->second.depth);
    add(known->second.value, 0);
}

void TreeBuilder::OnSequenceStart(const YAML::Mark& mark, const std::string& tag,
                                  YAML::anchor_t anchor, YAML::EmitterStyle::value) {
    open(mark, tag, anchor, Value::Kind::list);
}

void TreeBuilder::OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                             YAML::EmitterStyle::value) {
    open(mark, tag, anchor, Value::Kind::map);
}

void TreeBuilder::open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       Value::Kind kind) {
    Frame frame;
    frame.value.kind = kind;
    frame.value.at = at(mark);
    frame.anchor = anchor;
    if (tag != "?") {
        report_tag(tag, frame.value, problems_);
        frame.value.faulty = true;
    }
    count(frame.value.at, 1, 1);
    stack_.push_back(std::move(frame));
}

namespace {
void measure(const Value& value, std::size_t level, std::size_t& nodes, std::size_t& depth) {
    ++nodes;
    depth = std::max(depth, level);
    for (const Value& item : value.items) measure(item, level + 1, nodes, depth);
    for (const Value::Entry& entry : value.entries) measure(entry.value, level + 1, nodes, depth);
}
}  // namespace

void TreeBuilder::close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    merge(frame);
    add(std::move(frame.value), frame.anchor);
}

void TreeBuilder::add(Value value, YAML::anchor_t anchor) {
    if (anchor != 0) {
        Anchor& named = anchors_[anchor];
        named.value = value;
        measure(value, 0, named.nodes, named.depth);
        count(value.at, named.nodes, 0);  // it is kept a second time
    }
    if (stack_.empty()) {
        root_ = std::move(value);
    } else if (stack_.back().value.is(Value::Kind::list)) {
        stack_.back().value.items.push_back(std::move(value));
    } else {
        add_to_map(stack_.back(), std::move(value));
    }
}

void TreeBuilder::add_to_map(Frame& frame, Value value) {
    if (frame.key) return add_entry(frame, std::move(value));
    frame.key = Value::Entry{value.text, value.at, {}};
    const bool text = !value.is(Value::Kind::list) && !value.is(Value::Kind::map) &&
                      !value.is(Value::Kind::null) && !value.secret && !value.text.empty();
    if (!text) {
        report(value.at, "bad_key",
               value.secret ? "a tag makes values, not keys" : "a key must be text");
        frame.key->key.clear();
    }
}

void TreeBuilder::add_entry(Frame& frame, Value value) {
    Value::Entry entry = std::move(*frame.key);
    frame.key.reset();
    if (entry.key.empty()) return;  // reported as a bad key
    // The parser places a missing value at whatever follows.
    if (value.is(Value::Kind::null) && !value.faulty) value.at = entry.at;
    entry.value = std::move(value);
    if (entry.key == "<<") {
        const bool list = entry.value.is(Value::Kind::list);
        std::vector<Value> maps = list ? entry.value.items : std::vector<Value>{entry.value};
        for (Value& map : maps) {
            if (map.is(Value::Kind::map)) {
                frame.merged.push_back(std::move(map));
            } else {
                report(map.at, "bad_merge", "`<<` merges maps: *NAME or [*NAME, *NAME]");
            }
        }
        return;
    }
    const auto [first, fresh] = frame.keys.emplace(entry.key, entry.at);
    if (!fresh) {
        const Position& same = first->second;
        report(entry.at, "duplicate_key",
               fmt::format("the key `{}` stands twice in one map", entry.key),
               fmt::format("the first is in line {}, column {}", same.line, same.column));
        return;
    }
    frame.value.entries.push_back(std::move(entry));
}

void TreeBuilder::merge(Frame& frame) {
    for (Value& map : frame.merged) {
        for (Value::Entry& entry : map.entries) {
            const bool fresh = frame.keys.emplace(entry.key, entry.at).second;
            if (fresh) frame.value.entries.push_back(std::move(entry));
        }
    }
}

void TreeBuilder::report_syntax(const YAML::Exception& error) {
    const Position where = at(error.mark);
    const std::string_view line = text_.line(where.line);
    const auto column = static_cast<std::size_t>(std::max(error.mark.column, 0));
    const bool flow_open = error.msg.find("flow not found") != std::string::npos;
    const Position opened = stack_.empty() ? where : stack_.back().value.at;
    SyntaxFault fault{error.msg, line, column, where, flow_open ? opened : where};
    problems_.push_back(explain_syntax(fault));
}

}  // namespace

std::optional<Value> parse_yaml(const std::string& text, const std::string& file,
                                std::vector<Problem>& problems, Secrets secrets) {
    const YamlText lines(text, file);
    if (!lines.check_characters(problems)) return std::nullopt;
    std::istringstream stream{std::string(lines.text())};
    TreeBuilder tree(lines, problems, secrets);
    const std::size_t before = problems.size();
    try {
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(tree)) {
        }
    } catch (const Stop&) {
        return std::nullopt;
    } catch (const YAML::Exception& error) {
        tree.report_syntax(error);
        return std::nullopt;
    }
    std::optional<Value> root = tree.take_root();
    if (problems.size() == before && (!root || root->is(Value::Kind::null))) {
        problems.push_back(Problem{lines.start(), Problem::Severity::error, "empty_file",
                                   "the file says nothing", "it begins with: version: 1"});
        return std::nullopt;
    }
    return root;
}

std::optional<std::string> read_config_text(const std::string& file,
                                            std::vector<Problem>& problems) {
    Result<std::string> text = read_small_file(file, limits::kConfigBytes);
    if (text) return std::move(*text);
    const bool large = text.error().code == Errc::usage;
    problems.push_back(
        Problem{Position{std::make_shared<const std::string>(file), 0, 0}, Problem::Severity::error,
                large ? "too_large" : "unreadable",
                large ? fmt::format("the file is larger than {} MiB", limits::kConfigBytes >> 20)
                      : text.error().text(),
                large ? "configuration is small; is this the right file?" : ""});
    return std::nullopt;
}

}  // namespace musher
