// What a Reactor is made of; for its own two files.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pipelines/queue/queue_server.h"
#include "pipelines/run/orphans.h"
#include "pipelines/run/pipeline.h"
#include "pipelines/run/reactor.h"

namespace musher {

struct Reactor::State {
    State(Loop& the_loop, Configuration read)
        : loop(the_loop),
          configuration(std::move(read)),
          pool(the_loop),
          around(the_loop, configuration.daemon.connections, pool),
          tick(the_loop.timers()),
          scope("reactor", the_loop.ready(), the_loop.clock(), &the_loop.root()) {}

    Result<void> build_pipelines();
    Result<Pipeline*> find(const std::string& name) const;
    Task<Result<Pipeline*>> holder(std::string job, Cancel& cancel) const;
    Task<Result<std::vector<Orphan*>>> find_orphans(Cancel& cancel);
    Task<Result<Orphan*>> orphan_named(std::string name, Error unknown, Cancel& cancel);
    Task<Result<Orphan*>> orphan_with(std::string job, Error unknown, Cancel& cancel);
    Task<Result<Json>> release_orphan(std::string name, Error unknown, Cancel& cancel);
    Result<void> look_around();
    Task<void> leave();
    Task<Result<void>> start_servers(Cancel& cancel);
    QueueServer& server_of(const PipelineConfig& config);
    void start_ticking();
    void on_wake(std::string_view message);

    Loop& loop;
    Configuration configuration;
    Pool pool;
    Surroundings around;
    std::string started;  // empty: a visit, no pipeline runs
    QueueServer queue_server{loop, configuration.daemon};
    // Those that pipelines name for their own jobs, by connection.
    std::map<std::string, std::unique_ptr<QueueServer>> named_servers;
    std::vector<std::unique_ptr<Pipeline>> pipelines;
    Orphans orphans;
    Timers::Alarm tick;
    Scope scope;
};

}  // namespace musher
