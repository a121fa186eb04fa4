#include "pipelines/queue/job.h"

#include <algorithm>
#include <charconv>

#include "reactor/base/clock.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr std::string_view kStates[] = {"waiting", "delayed", "running",
                                        "done",    "dead",    "cancelled"};

/// Fields of the head, in their order in the array. Trailing ones are left out when they hold
/// their defaults (0), so what most jobs do not have stands last.
enum Field : std::size_t {
    kVersion,
    kPipeline,
    kRevision,
    kPriority,
    kMaxAttempts,
    kCreated,
    kKind,
    kTime,
    kDate,
    kKey,
    kDedupe,
    kDue,
    kFile,
    kHops,
    kOnFailure,
    kFailed,
    kEventId,
    kEventSource,
    kEventKey,
};

/// Writes the array without building a Json of it: this runs once per job put.
class HeadWriter {
  public:
    explicit HeadWriter(std::string& out) : out_(out) {}

    void number(std::int64_t value) {
        next();
        char digits[24];
        const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
        out_.append(digits, end);
        if (value != 0) keep_ = out_.size();
    }
    void text(std::string_view value) {
        next();
        append_quoted(out_, value);
        keep_ = out_.size();
    }
    /// 0 stands for `same`, the value that nearly every job has here.
    void text_unless(std::string_view same, std::string_view value) {
        value == same ? number(0) : text(value);
    }
    void json(const Json& value) {
        if (value.is_null()) return number(0);
        next();
        out_ += to_line(value);
        keep_ = out_.size();
    }
    void end() {
        out_.resize(keep_);
        out_ += ']';
    }

  private:
    void next() { out_ += out_.empty() ? '[' : ','; }
    std::string& out_;
    std::size_t keep_ = 0;
};

/// A path is bytes: what is not UTF-8 travels as hex in an array, a known one as 1.
Json file_field(const Event& event, bool facts_stay) {
    if (event.file.empty()) return nullptr;
    const auto path = event.facts->find("path");
    if (facts_stay && path != event.facts->end() && *path == event.file) return 1;
    if (is_utf8(event.file)) return event.file;
    const auto* bytes = reinterpret_cast<const unsigned char*>(event.file.data());
    return Json::array({to_hex(std::span(bytes, event.file.size()))});
}

std::string file_of(const Json& field, const Json& facts) {
    if (field.is_string()) return field.get<std::string>();
    if (field.is_array()) {
        const auto bytes = from_hex(field.at(0).get_ref<const std::string&>());
        return bytes ? std::string(bytes->begin(), bytes->end()) : std::string();
    }
    return field == 1 ? text_in(facts, "path") : std::string();
}

/// The head of version 1; missing trailing fields read as 0.
class HeadReader {
  public:
    explicit HeadReader(const Json& head) : head_(head) {}
    const Json& at(Field field) const { return field < head_.size() ? head_[field] : zero_; }
    /// Throws for a real: it may lie outside of every integer's range.
    std::int64_t number(Field field) const {
        return std::clamp(at(field).get_ref<const Json::number_integer_t&>(), -kMost, kMost);
    }
    int small(Field field) const { return static_cast<int>(number(field)); }
    std::string text(Field field, const std::string& same = {}) const {
        return at(field).is_string() ? at(field).get<std::string>() : same;
    }

  private:
    // Dates and counts are doubles in Redis' scripts; sums of these do not overflow.
    static constexpr std::int64_t kMost = std::int64_t{1} << 53;
    const Json& head_;
    Json zero_ = 0;
};

Job read_version_1(std::string id, std::string queue, const Json& array, Json facts) {
    const HeadReader head(array);
    Job job;
    job.id = std::move(id);
    job.queue = std::move(queue);
    job.pipeline = head.text(kPipeline);
    job.revision = head.small(kRevision);
    job.priority = head.small(kPriority);
    job.max_attempts = head.small(kMaxAttempts);
    job.created_ms = head.number(kCreated);
    job.key = head.text(kKey);
    job.dedupe = head.text(kDedupe);
    job.due_ms = head.number(kDue);
    job.on_failure = head.small(kOnFailure) != 0;
    if (const Json& failed = head.at(kFailed); failed != 0) job.failed = failed;
    Event& event = job.event;
    event.id = head.text(kEventId, job.id);
    event.source = head.text(kEventSource, job.pipeline);
    event.kind = head.text(kKind);
    event.key = head.text(kEventKey, job.key);
    event.time_ms = job.created_ms + head.number(kTime);
    event.date = head.text(kDate);
    event.file = file_of(head.at(kFile), facts);
    event.hops = head.small(kHops);
    event.facts = std::move(facts);
    return job;
}

/// The number after '[', without parsing the rest: it may be of a version we cannot read.
std::optional<int> version_of(std::string_view blob) {
    int version = 0;
    if (blob.empty() || blob.front() != '[') return std::nullopt;
    const auto [end, error] = std::from_chars(blob.data() + 1, blob.data() + blob.size(), version);
    if (error != std::errc()) return std::nullopt;
    return version;
}

Json time_or_null(std::int64_t wall_ms) {
    return wall_ms == 0 ? Json(nullptr) : Json(format_time(wall_ms));
}

Json body_of(const Event& event) {
    if (event.file.empty()) return nullptr;
    Json body{{"path", escape_name(event.file)}};
    if (const auto size = event.facts->find("size"); size != event.facts->end())
        body["size"] = *size;
    return body;
}
}  // namespace

std::string_view state_name(JobState state) { return kStates[static_cast<std::size_t>(state)]; }

std::optional<JobState> state_from_name(std::string_view name) {
    for (std::size_t i = 0; i < std::size(kStates); ++i) {
        if (kStates[i] == name) return static_cast<JobState>(i);
    }
    return std::nullopt;
}

std::string Job::encode() const {
    const std::string facts = to_line(event.facts);
    std::string out;
    HeadWriter head(out);
    head.number(kJobVersion);
    head.text(pipeline);
    head.number(revision);
    head.number(priority);
    head.number(max_attempts);
    head.number(created_ms);
    head.text(event.kind);
    head.number(event.time_ms - created_ms);
    head.text_unless("", event.date);
    head.text_unless("", key);
    head.text_unless("", dedupe);
    head.number(due_ms);
    head.json(file_field(event, facts.size() <= kKeptJobBytes / 2));
    head.number(event.hops);
    head.number(on_failure ? 1 : 0);
    head.json(failed);
    head.text_unless(id, event.id);
    head.text_unless(pipeline, event.source);
    head.text_unless(key, event.key);
    head.end();
    out += '\n';
    out += facts;
    return out;
}

Result<Job> Job::decode(std::string id, std::string queue, std::string_view blob) {
    const std::string what = "job " + id + " of queue " + queue;
    const std::optional<int> version = version_of(blob);
    const std::size_t line = blob.find('\n');
    if (!version || line == std::string_view::npos) {
        return fail(Errc::corrupt, what + " is not a stored job");
    }
    if (*version != kJobVersion) {
        return fail(Errc::corrupt,
                    what + " has format " + std::to_string(*version) +
                        ", this musher reads format " + std::to_string(kJobVersion),
                    "run the musher that wrote it, or a newer one");
    }
    const Result<Json> head = parse_own_json(blob.substr(0, line));
    Result<Json> facts = parse_own_json(blob.substr(line + 1));
    if (!head || !facts) {
        const Error& fault = head ? facts.error() : head.error();
        return fail(Errc::corrupt, what + " cannot be read: " + fault.message);
    }
    if (!facts->is_object()) return fail(Errc::corrupt, what + " cannot be read: its facts");
    try {
        return read_version_1(std::move(id), std::move(queue), *head, std::move(*facts));
    } catch (const Json::exception& caught) {
        return fail(Errc::corrupt, what + " cannot be read: " + caught.what());
    }
}

Json JobRow::to_json(bool with_story) const {
    Json all{{"v", kJobVersion},
             {"id", job.id},
             {"pipeline", job.pipeline},
             {"queue", job.queue},
             {"revision", job.revision},
             {"priority", job.priority},
             {"key", job.key},
             {"dedupe", job.dedupe},
             {"state", state_name(state)},
             {"attempt", attempt},
             {"created", format_time(job.created_ms)},
             {"due", time_or_null(due_ms)},
             {"ended", time_or_null(ended_ms)},
             {"event", job.event.to_json()},
             {"body", body_of(job.event)},
             {"receipts", receipts},
             {"error", error}};
    if (job.on_failure) all["on_failure"] = true;
    if (!progress.is_null()) all["progress"] = progress;
    if (with_story) all["story"] = story;
    return all;
}

}  // namespace musher
