// shard_to_ssd: the drop-in for the script of that name, with its options, its lines on stderr and
// its exit codes.
#pragma once

namespace musher {

/// 0; 1 after a failure, with nothing changed; 2 for wrong arguments.
int run_shard_to_ssd(int argc, char** argv);

}  // namespace musher
