// Control: the steps that hold steps.
#pragma once

namespace musher {

/// What the runner itself does with the steps inside a step; run() of such a step is never called.
enum class Control {
    none,
    choose,    // the first of `cases` that is true, or `default`
    parallel,  // all `branches` at once
    for_each,  // `steps` once for each element of `in`
    attempt,   // `steps`, and `rescue` when one of them fails
    wait,      // `steps` again and again, until `until` is true
};

}  // namespace musher
