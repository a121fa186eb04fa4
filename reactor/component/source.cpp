#include "reactor/component/source.h"

namespace musher {

Task<Result<void>> Source::recall(Event, Cancel&) { co_return Result<void>(); }

Task<Why> Source::why(std::string, Cancel&) { co_return Why(); }

}  // namespace musher
