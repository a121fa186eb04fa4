#include "pipelines/steps/catalogue.h"

#include "pipelines/steps/checksum.h"
#include "pipelines/steps/seal.h"
#include "pipelines/steps/unseal.h"
#include "pipelines/steps/xz_compress.h"
#include "pipelines/steps/xz_expand.h"

namespace musher {

const std::vector<StepEntry>& step_catalogue() {
    static const std::vector<StepEntry> kAll = {
        {checksum_spec(), make_checksum},
        {seal_spec(), make_seal_step},
        {unseal_spec(), make_unseal_step},
        {xz_compress_spec(), make_xz_compress},
        {xz_expand_spec(), make_xz_expand},
    };
    return kAll;
}

}  // namespace musher
