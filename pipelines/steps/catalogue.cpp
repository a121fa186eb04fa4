#include "pipelines/steps/catalogue.h"

#include "pipelines/steps/checksum.h"
#include "pipelines/steps/exec.h"
#include "pipelines/steps/for_each.h"
#include "pipelines/steps/http_get.h"
#include "pipelines/steps/log.h"
#include "pipelines/steps/parallel.h"
#include "pipelines/steps/seal.h"
#include "pipelines/steps/set.h"
#include "pipelines/steps/sql.h"
#include "pipelines/steps/switch.h"
#include "pipelines/steps/try.h"
#include "pipelines/steps/unseal.h"
#include "pipelines/steps/wait_for.h"
#include "pipelines/steps/xz_compress.h"
#include "pipelines/steps/xz_expand.h"

namespace musher {

const std::vector<StepEntry>& step_catalogue() {
    static const std::vector<StepEntry> kAll = {
        {checksum_spec(), make_checksum, true},
        {exec_spec(), make_exec},
        {for_each_spec(), make_for_each},
        {http_get_spec(), make_http_get},
        {log_spec(), make_log, true},
        {parallel_spec(), make_parallel},
        {seal_spec(), make_seal_step, true},
        {set_spec(), make_set, true},
        {sql_spec(), make_sql},
        {switch_spec(), make_switch},
        {try_spec(), make_try},
        {unseal_spec(), make_unseal_step, true},
        {wait_for_spec(), make_wait_for},
        {xz_compress_spec(), make_xz_compress, true},
        {xz_expand_spec(), make_xz_expand, true},
    };
    return kAll;
}

}  // namespace musher
