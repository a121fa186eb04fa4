// The command line: finds the verb, prints its answer.
#pragma once

namespace musher {
/// Returns the exit code of the contract's table.
int run_cli(int argc, char** argv);
}  // namespace musher
