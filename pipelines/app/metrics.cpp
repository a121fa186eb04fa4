#include "pipelines/app/metrics.h"

#include "pipelines/app/exposition.h"

namespace musher {

namespace {

using Type = Exposition::Type;
using Counts = Tally::Counts;

double seconds_of(std::int64_t ms) { return static_cast<double>(ms) / 1000; }

struct CounterRow {
    std::string_view name;
    std::string_view help;
    std::uint64_t Counts::* value;
};
constexpr CounterRow kCounters[] = {
    {"musher_jobs_accepted_total", "Jobs that this process has stored in the queue.",
     &Counts::accepted},
    {"musher_jobs_done_total", "Jobs whose steps have all succeeded.", &Counts::done},
    {"musher_jobs_retried_total", "Failed attempts after which the job is tried again.",
     &Counts::retried},
    {"musher_jobs_dead_total", "Jobs that failed for good.", &Counts::dead},
    {"musher_jobs_cancelled_total", "Jobs that were cancelled by hand.", &Counts::cancelled},
    {"musher_events_duplicate_total", "Events whose job was known already.", &Counts::duplicates},
    {"musher_events_unwanted_total", "Events for which when is false.", &Counts::unwanted},
    {"musher_events_rejected_total", "Events that could not become a job; the source keeps them.",
     &Counts::rejected},
    {"musher_sink_holds_total",
     "How often a broken sink or server has stopped the pipeline's claims.", &Counts::holds},
};

struct SpanRow {
    std::string_view name;
    std::string_view help;
    Histogram Counts::* value;
};
constexpr SpanRow kSpans[] = {
    {"musher_job_wait_seconds", "From a job's event to the start of its first attempt.",
     &Counts::wait},
    {"musher_job_run_seconds", "How long attempts took, however they ended.", &Counts::run},
};

struct GaugeRow {
    std::string_view name;
    std::string_view help;
    double (*value)(const PipelineMeasures& one);
};
constexpr GaugeRow kGauges[] = {
    {"musher_jobs_in_flight", "Jobs that run in this process now.",
     [](const PipelineMeasures& one) { return static_cast<double>(one.in_flight); }},
    {"musher_pipeline_well", "1 while nothing of the pipeline is in /health.",
     [](const PipelineMeasures& one) { return one.well ? 1.0 : 0.0; }},
    {"musher_pipeline_held", "1 while a broken sink or server stops the pipeline's claims.",
     [](const PipelineMeasures& one) { return one.held ? 1.0 : 0.0; }},
    {"musher_pipeline_paused", "1 while the pipeline is paused by hand.",
     [](const PipelineMeasures& one) { return one.paused ? 1.0 : 0.0; }},
    {"musher_pipeline_edit_refused",
     "1 while the pipeline's file is at fault and its last good revision runs.",
     [](const PipelineMeasures& one) { return one.edit_refused ? 1.0 : 0.0; }},
    {"musher_pipeline_revision", "The revision that runs.",
     [](const PipelineMeasures& one) { return static_cast<double>(one.revision); }},
};

void add_pipelines(Exposition& out, const std::vector<PipelineMeasures>& pipelines) {
    for (const CounterRow& row : kCounters) {
        out.family(row.name, Type::counter, row.help);
        for (const PipelineMeasures& one : pipelines) {
            out.sample({{"pipeline", one.name}}, static_cast<double>(one.counts->*row.value));
        }
    }
    for (const SpanRow& row : kSpans) {
        out.family(row.name, Type::histogram, row.help);
        for (const PipelineMeasures& one : pipelines) {
            out.sample({{"pipeline", one.name}}, one.counts->*row.value);
        }
    }
    for (const GaugeRow& row : kGauges) {
        out.family(row.name, Type::gauge, row.help);
        for (const PipelineMeasures& one : pipelines) {
            out.sample({{"pipeline", one.name}}, row.value(one));
        }
    }
}

/// Nothing of a queue that did not answer: yesterday's counts would look like today's.
void add_queues(Exposition& out, const Measures& measures) {
    out.family("musher_queue_jobs", Type::gauge, "Jobs in the queue, of all reactors on it.");
    for (const PipelineMeasures& one : measures.pipelines) {
        if (!one.queue) continue;
        const std::pair<std::string_view, std::uint64_t> states[] = {
            {"waiting", one.queue->waiting}, {"delayed", one.queue->delayed},
            {"running", one.queue->running}, {"done", one.queue->done},
            {"dead", one.queue->dead},
        };
        for (const auto& [state, count] : states) {
            out.sample({{"pipeline", one.name}, {"state", state}}, static_cast<double>(count));
        }
    }
    out.family("musher_queue_oldest_waiting_seconds", Type::gauge,
               "Age of the oldest waiting job; 0 when none waits.");
    for (const PipelineMeasures& one : measures.pipelines) {
        if (one.queue) out.sample({{"pipeline", one.name}}, seconds_of(one.queue->oldest_ms));
    }
    out.family("musher_queue_up", Type::gauge, "1 while the queue's server can be used.");
    for (const Reach& one : measures.queues) {
        out.sample({{"connection", one.connection}, {"server", one.name}},
                   one.trouble.empty() ? 1 : 0);
    }
    out.family("musher_connection_up", Type::gauge,
               "1 while a connection of musher.yml that steps have used works.");
    for (const Reach& one : measures.connections) {
        out.sample({{"connection", one.connection}, {"kind", one.name}},
                   one.trouble.empty() ? 1 : 0);
    }
    out.single("musher_edits_refused_total", Type::counter,
               "Edits of the configuration that were at fault.",
               static_cast<double>(measures.refusals));
    out.single("musher_refused_files", Type::gauge,
               "Files of the configuration that are at fault now; what they ran before goes on.",
               static_cast<double>(measures.refused_files));
}

void add_loop(Exposition& out, Loop& loop) {
    const Watchdog& dog = loop.watchdog();
    out.family("musher_loop_lag_seconds", Type::histogram,
               "For how long turns of the event loop kept everything else waiting.");
    out.sample({}, dog.turns());
    out.single("musher_loop_longest_turn_seconds", Type::gauge,
               "The longest turn of the event loop since the start.",
               std::chrono::duration<double>(dog.longest_turn()).count());
    out.family("musher_loop_slow_calls_total", Type::counter,
               "Calls that held the event loop for longer than they may, by what was called.");
    for (const auto& [name, offender] : dog.offenders()) {
        out.sample({{"call", name}}, static_cast<double>(offender.calls));
    }
    out.single("musher_pool_tasks", Type::gauge,
               "Work that was given to the thread pool and has not come back.",
               static_cast<double>(loop.offloaded()));
    out.single("musher_pool_threads", Type::gauge, "Threads of the pool.", Loop::pool_size());
}

void add_process(Exposition& out, const ProcessStats& process) {
    out.family("musher_build_info", Type::gauge, "1; the labels say what runs.");
    out.sample({{"version", MUSHER_VERSION}, {"commit", MUSHER_COMMIT}}, 1);
    out.single("process_cpu_seconds_total", Type::counter,
               "Total user and system CPU time spent in seconds.", process.cpu_seconds);
    out.single("process_open_fds", Type::gauge, "Number of open file descriptors.",
               static_cast<double>(process.open_fds));
    out.single("process_max_fds", Type::gauge, "Maximum number of open file descriptors.",
               static_cast<double>(process.most_fds));
    out.single("process_virtual_memory_bytes", Type::gauge, "Virtual memory size in bytes.",
               static_cast<double>(process.virtual_bytes));
    out.single("process_resident_memory_bytes", Type::gauge, "Resident memory size in bytes.",
               static_cast<double>(process.resident_bytes));
    out.single("process_start_time_seconds", Type::gauge,
               "Start time of the process since unix epoch in seconds.", process.start_seconds);
}

}  // namespace

std::string metrics_text(const Measures& measures, const ProcessStats& process, Loop& loop) {
    Exposition out;
    add_pipelines(out, measures.pipelines);
    add_queues(out, measures);
    add_loop(out, loop);
    add_process(out, process);
    return out.text();
}

}  // namespace musher
