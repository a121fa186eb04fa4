#include "reactor/component/source.h"

namespace musher {

Task<Result<void>> Source::recall(Event, Cancel&) { co_return Result<void>(); }

}  // namespace musher
