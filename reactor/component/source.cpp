#include "reactor/component/source.h"

namespace musher {

Task<Result<void>> Source::recall(Event, Cancel&) { co_return Result<void>(); }

Task<std::string> Source::whereabouts(Event event, Outcome) {
    co_return event.file;  // nothing moves it
}

Task<Result<void>> Source::retire(Cancel&) { co_return Result<void>(); }

Task<Why> Source::why(std::string, Cancel&) { co_return Why(); }

}  // namespace musher
