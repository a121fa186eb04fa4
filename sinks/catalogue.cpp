#include "sinks/catalogue.h"

#include "sinks/directory.h"
#include "sinks/http_post.h"
#include "sinks/mail.h"
#include "sinks/postgres_table.h"
#include "sinks/redis_publish.h"

namespace musher {

const std::vector<StepEntry>& sink_catalogue() {
    static const std::vector<StepEntry> kAll = {
        {directory_spec(), make_directory},
        {http_post_spec(), make_http_post},
        {mail_spec(), make_mail},
        {postgres_table_spec(), make_postgres_table},
        {redis_publish_spec(), make_redis_publish},
    };
    return kAll;
}

}  // namespace musher
