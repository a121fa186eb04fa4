// The body of POST …/emit: read, made an event, and rehearsed on a pipeline that sees its facts.
#include "pipelines/app/request_body.h"
#include "pipelines/config/catalogue.h"
#include "pipelines/config/pipeline_reader.h"
#include "pipelines/config/yaml.h"
#include "pipelines/queue/memory_queue.h"
#include "pipelines/run/emit.h"
#include "tests/fuzz/targets.h"

namespace musher::fuzz {

namespace {
constexpr const char* kPipeline = R"yaml(version: 1
pipeline: fuzzed
source: { hotfolder: { path: /srv/in } }
when: get(event, "size", 1) > 0
key: "${get(event, 'key.text', event.id)}"
dedupe: get(event, "dedupe")
steps:
  - log: { message: "${event}" }
    when: has(event, "name")
  - set: { values: { all: json(event), stem: "stem(get(event, 'name', ''))" } }
  - directory: { to: "/srv/out/${event.date}", name: "${event.name}" }
)yaml";

/// Everything that a rehearsal needs and that outlives one input.
class Stage {
  public:
    Stage() : pool_(loop_), around_(loop_, connections_, pool_), queue_("fuzzed", clock_) {
        std::vector<Problem> problems;
        const Value root = parse_yaml(kPipeline, "fuzzed.yml", problems).value();
        const Reading reading{full_catalogue(), nullptr, problems};
        PipelineConfig config = read_pipeline_tree(root, "/srv/fuzzed.yml", reading);
        MUSHER_CHECK(problems.empty());
        program_ = Program::compile(std::move(config), 1).value();
    }

    void rehearse(Json facts) {
        const Intake intake(around_, program_, queue_, tally_, Intake::Listener{[] {}, [] {}});
        Result<Event> event;
        loop_.run(make_event(loop_, std::move(facts), event));
        if (!event) return;
        look_at(intake.make_job(*event, ""));
        const Result<Json> shown = musher::rehearse(around_, intake, *program_, *event);
        if (shown) MUSHER_CHECK(parse_json(to_line(*shown)).has_value());
    }

  private:
    static Task<void> make_event(Loop& loop, Json facts, Result<Event>& event) {
        event = co_await hand_made_event(loop, "", std::move(facts));
    }
    /// An admitted job is stored and read again as it was.
    static void look_at(const Result<std::optional<Job>>& job) {
        MUSHER_CHECK(job.has_value());
        if (!*job) return;
        const std::string stored = (*job)->encode();
        const Result<Job> again = Job::decode((*job)->id, (*job)->queue, stored);
        MUSHER_CHECK(again && again->encode() == stored);
    }

    RealClock clock_;
    Loop loop_{clock_};
    Connections connections_;
    Pool pool_;
    Surroundings around_;
    MemoryQueue queue_;
    EventRing happenings_{clock_};
    Tally tally_{clock_, happenings_, "fuzzed"};
    std::shared_ptr<const Program> program_;
};
}  // namespace

void emit_request(std::string_view bytes) {
    static Stage* const kStage = new Stage;
    const std::string body(bytes);
    if (const auto state = read_purge(body)) state_from_name(*state);
    Result<EmitRequest> request = read_emit(body);
    if (request) {
        kStage->rehearse(std::move(request->facts));
    } else {
        const Errc code = request.error().code;
        MUSHER_CHECK(code == Errc::usage || code == Errc::corrupt);
        MUSHER_CHECK(parse_json(to_line(to_json(request.error()))).has_value());
    }
}

}  // namespace musher::fuzz
