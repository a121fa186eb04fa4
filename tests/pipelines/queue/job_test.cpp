// The stored form of a job, and its row in the contract's shape.
#include "pipelines/queue/job.h"

#include <gtest/gtest.h>

#include "reactor/base/uuid.h"

namespace musher {
namespace {

Job sample() {
    Job job;
    job.id = new_uuid7(1'700'000'000'000);
    job.pipeline = job.queue = "invoices";
    job.revision = 3;
    job.created_ms = 1'700'000'000'000;
    job.event.id = job.id;
    job.event.source = "invoices";
    job.event.kind = "hotfolder";
    job.event.time_ms = job.created_ms;
    job.event.date = "2023-11-14";
    job.event.facts = Json{{"path", "/srv/in/a.pdf"}, {"size", 12}};
    return job;
}

Job again(const Job& job) {
    Result<Job> read = Job::decode(job.id, job.queue, job.encode());
    EXPECT_TRUE(read.has_value()) << read.error().text();
    return read ? *read : Job();
}

TEST(Job, ReadsBackWhatMostJobsHave) {
    const Job job = sample();
    const Job read = again(job);
    EXPECT_EQ(read.encode(), job.encode());
    EXPECT_EQ(read.pipeline, "invoices");
    EXPECT_EQ(read.revision, 3);
    EXPECT_EQ(read.max_attempts, 5);
    EXPECT_EQ(read.event.id, job.id);
    EXPECT_EQ(read.event.source, "invoices");
    EXPECT_EQ(read.event.date, "2023-11-14");
    EXPECT_EQ(*read.event.facts, *job.event.facts);
    EXPECT_TRUE(read.failed.is_null());
}

TEST(Job, ReadsBackWhatFewJobsHave) {
    Job job = sample();
    job.priority = 7;
    job.key = "a \"key\"\n";
    job.dedupe = "Grüße";
    job.due_ms = 1'700'000'060'000;
    job.on_failure = true;
    job.failed = Json{{"id", "x"}, {"error", {{"code", "denied"}}}};
    job.event.id = new_uuid7(1);
    job.event.source = "orders";
    job.event.key = "other";
    job.event.time_ms = job.created_ms - 50;
    job.event.hops = 2;
    const Job read = again(job);
    EXPECT_EQ(read.encode(), job.encode());
    EXPECT_EQ(read.priority, 7);
    EXPECT_EQ(read.key, job.key);
    EXPECT_EQ(read.dedupe, job.dedupe);
    EXPECT_EQ(read.due_ms, job.due_ms);
    EXPECT_TRUE(read.on_failure);
    EXPECT_EQ(read.failed, job.failed);
    EXPECT_EQ(read.event.id, job.event.id);
    EXPECT_EQ(read.event.source, "orders");
    EXPECT_EQ(read.event.key, "other");
    EXPECT_EQ(read.event.time_ms, job.event.time_ms);
    EXPECT_EQ(read.event.hops, 2);
}

TEST(Job, KeepsAFileNameByteForByte) {
    for (const std::string& file : {std::string("/srv/in/a.pdf"), std::string("/srv/w/é.pdf"),
                                    std::string("/srv/w/\xff\xfe.pdf"), std::string()}) {
        Job job = sample();
        job.event.file = file;
        EXPECT_EQ(again(job).event.file, file);
    }
}

TEST(Job, TakesLittleRoomBesideItsFacts) {
    const Job job = sample();
    EXPECT_LE(job.encode().size() - to_line(job.event.facts).size(), 64u) << job.encode();
}

TEST(Job, RefusesAnUnknownVersionByName) {
    const Result<Job> read = Job::decode("i", "orders", "[2,{\"all\":\"new\"}]\n{}");
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error().code, Errc::corrupt);
    EXPECT_EQ(read.error().message,
              "job i of queue orders has format 2, this musher reads format 1");
}

TEST(Job, RefusesWhatIsNoJob) {
    for (const char* blob :
         {"", "\n", "[", "[1", "[1,\n{}", "[1]\n", "[1,2,3]\n{}x", "{\"v\":1}\n{}",
          "[1,\"p\",\"three\"]\n{}", "[1,\"p\",1e100]\n{}", "[1,\"p\"]\n7", "[1,\"p\"]\n[]",
          "[1,\"p\"]\nnull"}) {
        const Result<Job> read = Job::decode("i", "q", blob);
        ASSERT_FALSE(read.has_value()) << blob;
        EXPECT_EQ(read.error().code, Errc::corrupt) << blob;
    }
}

TEST(JobRow, PrintsTheContractsShape) {
    JobRow row;
    row.job = sample();
    row.job.event.file = "/srv/in/.musher/work/1.a.pdf";
    row.state = JobState::delayed;
    row.attempt = 2;
    row.due_ms = 1'700'000'060'000;
    row.story = Json::array({Json{{"what", "failed"}}});
    const Json json = row.to_json(true);
    EXPECT_EQ(json["v"], 1);
    EXPECT_EQ(json["state"], "delayed");
    EXPECT_EQ(json["attempt"], 2);
    EXPECT_EQ(json["created"], "2023-11-14T22:13:20.000Z");
    EXPECT_EQ(json["due"], "2023-11-14T22:14:20.000Z");
    EXPECT_EQ(json["body"], (Json{{"path", "/srv/in/.musher/work/1.a.pdf"}, {"size", 12}}));
    EXPECT_EQ(json["event"]["facts"]["path"], "/srv/in/a.pdf");
    EXPECT_EQ(json["story"].size(), 1u);
    EXPECT_FALSE(row.to_json(false).contains("story"));
}

TEST(JobState, HasSixNames) {
    for (const char* name : {"waiting", "delayed", "running", "done", "dead", "cancelled"}) {
        const auto state = state_from_name(name);
        ASSERT_TRUE(state.has_value());
        EXPECT_EQ(state_name(*state), name);
    }
    EXPECT_FALSE(state_from_name("paused").has_value());
}

}  // namespace
}  // namespace musher
