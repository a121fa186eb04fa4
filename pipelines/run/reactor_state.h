// What a Reactor is made of; for its own two files.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "pipelines/queue/queue_server.h"
#include "pipelines/run/config_watch.h"
#include "pipelines/run/edits.h"
#include "pipelines/run/measures.h"
#include "pipelines/run/orphans.h"
#include "pipelines/run/pipeline_set.h"
#include "pipelines/run/reactor.h"
#include "pipelines/run/queue_counts.h"
#include "pipelines/run/revisions.h"
#include "pipelines/run/teletype.h"
#include "reactor/task/doorbell.h"

namespace musher {

struct Reactor::State {
    State(Loop& the_loop, Configuration read)
        : loop(the_loop),
          configuration(std::move(read)),
          pool(the_loop),
          around(the_loop, configuration.daemon.connections, pool),
          revisions(configuration.daemon.state + "/revisions"),
          happenings(the_loop.clock()),
          counts(the_loop),
          edited(the_loop.ready()),
          tick(the_loop.timers()),
          scope("reactor", the_loop.ready(), the_loop.clock(), &the_loop.root()),
          pipelines(the_loop, ways()) {}

    // the pipelines (reactor.cpp)
    PipelineSet::Ways ways();
    std::string queue_of(const Program& program) const;
    QueueOptions queue_options(const PipelineConfig& config) const;
    Result<void> build_pipelines(const std::vector<int>& revision);
    Result<std::shared_ptr<Pipeline>> find(const std::string& name) const;
    Task<Result<std::shared_ptr<Pipeline>>> holder(std::string job, Cancel& cancel) const;
    Task<Result<std::vector<Orphan*>>> find_orphans(Cancel& cancel);
    void look_for_orphans();
    Task<void> find_stranded();
    Task<Result<Orphan*>> orphan_named(std::string name, Error unknown, Cancel& cancel);
    Task<Result<Orphan*>> orphan_with(std::string job, Error unknown, Cancel& cancel);
    Task<Result<Json>> release_orphan(std::string name, Error unknown, Cancel& cancel);
    Result<void> look_around();
    void show_stories();
    Task<void> leave();
    Task<Result<void>> start_servers(Cancel& cancel);
    Task<Result<void>> start_server(std::string connection, Cancel& cancel);
    QueueServer& server_of(const PipelineConfig& config);
    Tally& tally_of(const std::string& pipeline);
    void start_ticking();
    void on_wake(std::string_view message);

    // edits while it runs (reactor_edits.cpp)
    Task<void> follow_edits(Cancel& stop);
    Task<ConfigSample> quiet_sample(ConfigSample sample, Cancel& stop);
    Task<void> take_edits(Cancel& stop);
    Task<std::optional<Problem>> try_edit(PipelineConfig config,
                                          Result<std::shared_ptr<const Program>>& program,
                                          Cancel& stop);
    void bring_to_life(Programs wanted, std::map<std::string, Problem>& faults);
    std::vector<Reach> queue_servers() const;
    std::vector<Reach> connections() const;
    Task<void> retry_connections();
    Task<Result<void>> serve_queue(std::string connection, Cancel& stop);
    Task<Result<void>> may_move(const Program& program, Cancel& stop);
    void keep_refused(const std::map<std::string, Problem>& faults, Programs& wanted) const;
    struct Probing;
    Task<std::optional<Problem>> probe(std::shared_ptr<const Program> program, Cancel& stop);
    Task<void> run_probe(std::shared_ptr<Probing> probing);
    void take_settings(DaemonConfig next, bool some_refused);
    void tell_refused(std::map<std::string, Problem> now);
    std::string pipeline_of(const std::string& file) const;
    void tell_edit(std::string_view what, const std::string& pipeline, const std::string& file,
                   const std::string& reason);
    Json broken_row(const Problem& problem) const;

    Loop& loop;
    Configuration configuration;
    Pool pool;
    Teletype teletype{loop};
    Surroundings around;
    std::string started;  // empty: a visit, no pipeline runs
    QueueServer queue_server{loop, configuration.daemon};
    // Those that pipelines name for their own jobs, by connection.
    std::map<std::string, std::unique_ptr<QueueServer>> named_servers;
    std::map<std::string, Json> server_options;  // that they were started with
    Orphans orphans;
    Revisions revisions;
    EventRing happenings;
    std::map<std::string, Tally> tallies;    // by pipeline, also of those that are gone
    QueueCounts counts;
    std::uint64_t refusals = 0;              // edits that were at fault
    Doorbell edited;                         // the configuration may have changed
    bool read_anew = true;                   // … whatever its files look like
    bool reload_settings = false;            // on demand: also what musher.yml names
    Programs programs;                       // what is wanted to run, by name
    std::map<std::string, Problem> refused;  // edits that do not run, by file as shown
    std::set<std::string> unapplied;         // settings of musher.yml that a restart takes over
    std::map<std::string, std::string> failed;  // … that could not be taken over, and why
    std::set<std::string> probing;           // files whose probe does not come back
    std::function<void(const DaemonConfig&)> settings_changed;
    Cancel no_more_looks;                    // at orphans, and connections that are down
    bool retrying = false;
    bool looking_for_orphans = false;
    // Pipelines whose file is gone, and what is to be done about their jobs.
    std::map<std::string, std::string> stranded;
    Timers::Alarm tick;
    Scope scope;
    PipelineSet pipelines;
};

}  // namespace musher
