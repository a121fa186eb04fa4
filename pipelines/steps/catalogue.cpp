#include "pipelines/steps/catalogue.h"

#include "pipelines/steps/checksum.h"
#include "pipelines/steps/exec.h"
#include "pipelines/steps/http_get.h"
#include "pipelines/steps/log.h"
#include "pipelines/steps/seal.h"
#include "pipelines/steps/set.h"
#include "pipelines/steps/sql.h"
#include "pipelines/steps/unseal.h"
#include "pipelines/steps/xz_compress.h"
#include "pipelines/steps/xz_expand.h"

namespace musher {

const std::vector<StepEntry>& step_catalogue() {
    static const std::vector<StepEntry> kAll = {
        {checksum_spec(), make_checksum, true},
        {exec_spec(), make_exec},
        {http_get_spec(), make_http_get},
        {log_spec(), make_log, true},
        {seal_spec(), make_seal_step, true},
        {set_spec(), make_set, true},
        {sql_spec(), make_sql},
        {unseal_spec(), make_unseal_step, true},
        {xz_compress_spec(), make_xz_compress, true},
        {xz_expand_spec(), make_xz_expand, true},
    };
    return kAll;
}

}  // namespace musher
