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
        {checksum_spec(), make_checksum},
        {exec_spec(), make_exec},
        {http_get_spec(), make_http_get},
        {log_spec(), make_log},
        {seal_spec(), make_seal_step},
        {set_spec(), make_set},
        {sql_spec(), make_sql},
        {unseal_spec(), make_unseal_step},
        {xz_compress_spec(), make_xz_compress},
        {xz_expand_spec(), make_xz_expand},
    };
    return kAll;
}

}  // namespace musher
