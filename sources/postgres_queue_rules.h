// What the options of a postgres_queue say: names in its table, and how often to look.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reactor/component/schema.h"

namespace musher::postgres_queue {

/// Names of columns; an empty one is not used. Only `id` and `status` are always there.
struct Columns {
    std::string id;        // the primary key, of any type
    std::string status;    // text, an enum, a number
    std::string priority;  // read only: lower first
    std::string token;     // text or uuid: one per claim
    std::string reactor;   // text or uuid: who holds the row; a row of Rules::reactors
    std::string tries;     // a number: how often it was given out
    std::string error;     // text; of an array each run appends one element, NULL when it was done
    std::string created;   // read only: older first
    std::string started;   // timestamps of the last claim, change and end
    std::string updated;
    std::string finished;
};

/// One column's part: the option below `columns`, its name in a table of `describe --sql`.
struct Role {
    std::string_view option;
    std::string Columns::* column;
    std::string_view fallback;
    std::string_view help;
};
const std::vector<Role>& roles();

struct Statuses {
    std::string waiting, running, done, failed;
};

struct Rules {
    std::string connection;
    std::string table;     // NAME or SCHEMA.NAME
    std::string reactors;  // the table of heartbeats
    Columns columns;
    bool own_names = false;  // `columns` was given
    Statuses statuses;
    std::string where;  // SQL of the operator
    std::string order;
    std::string channel;
    std::size_t batch = 0;
    Duration poll{0};
    Duration lease{0};
    std::int64_t max_tries = 0;
};

/// Of decoded options without faults.
Rules read_rules(const Options& options);
Faults check_rules(const Options& options);

/// CREATE TABLE for `table` with the default names and primary key `key`, its indexes, the table of
/// heartbeats, and a trigger that notifies.
Result<std::string> table_sql(const std::string& table, const std::string& key);

}  // namespace musher::postgres_queue
