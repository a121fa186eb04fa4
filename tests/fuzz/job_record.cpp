// What a queue keeps of a job, as if somebody else had written it: the stored form and the lines
// beside it.
#include "pipelines/queue/job_records.h"
#include "pipelines/queue/packed.h"
#include "pipelines/queue/redis_rows.h"
#include "reactor/base/limits.h"
#include "tests/fuzz/targets.h"

namespace musher::fuzz {

namespace {
/// What can be read can be stored again, and then stays as it is.
void look_at(const Result<Job>& job) {
    if (!job) {
        MUSHER_CHECK(job.error().code == Errc::corrupt);
        return;
    }
    const std::string stored = job->encode();
    const Result<Job> again = Job::decode(job->id, job->queue, stored);
    MUSHER_CHECK(again && again->encode() == stored);
    JobRow row;
    row.job = *job;
    MUSHER_CHECK(parse_json(to_line(row.to_json(true))).has_value());
}

void unpack(std::string_view bytes) {
    PackedReader reader(bytes);
    while (reader.ok() && !reader.rest().empty()) {
        const std::size_t before = reader.rest().size();
        PackedReader other = reader;
        reader.number();
        if (!reader.ok() && !other.text().empty()) reader = other;
        MUSHER_CHECK(reader.rest().size() < before);
    }
}
}  // namespace

void job_record(std::string_view bytes) {
    look_at(Job::decode("i", "q", bytes));
    look_at(read_stored_job("i", "q", bytes));
    unpack(bytes);

    const Json story = read_story(bytes);
    MUSHER_CHECK(story.is_array() && story_line(story).size() <= limits::kStoryBytes);
    std::string lines(bytes);
    append_story(lines, "[]");
    MUSHER_CHECK(read_receipts(bytes).is_array());
    const Json error = read_error(bytes, 1, 1'700'000'000'000);
    MUSHER_CHECK(error.is_null() || !to_line(error).empty());
}

}  // namespace musher::fuzz
