#include "sources/catalogue.h"

#include "sources/farewell.h"
#include "sources/hotfolder.h"
#include "sources/postgres_notify.h"
#include "sources/postgres_queue.h"
#include "sources/timer.h"

namespace musher {

const std::vector<SourceEntry>& source_catalogue() {
    static const std::vector<SourceEntry> kAll = {
        {hotfolder_spec(), make_hotfolder, true, hotfolder::put_back},
        {.spec = postgres_notify_spec(), .make = make_postgres_notify, .sql = postgres_notify_sql},
        {.spec = postgres_queue_spec(),
         .make = make_postgres_queue,
         .remembers = true,
         .sql = postgres_queue::table_sql},
        {timer_spec(), make_timer},
    };
    return kAll;
}

}  // namespace musher
