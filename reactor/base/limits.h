// Every bound of the program in one place; each says what it protects.
#pragma once

#include <chrono>
#include <cstddef>

namespace musher::limits {

inline constexpr std::size_t kSliceBytes = 1 << 20;      // one unit of heavy work
inline constexpr std::size_t kConfigBytes = 4 << 20;     // a YAML file
inline constexpr std::size_t kConfigNodes = 100'000;     // YAML nodes, aliases expanded
inline constexpr std::size_t kConfigProblems = 200;      // of one file that are said
inline constexpr int kConfigDepth = 64;                  // nesting of a YAML file
inline constexpr std::size_t kSecretBytes = 64 << 10;    // a file behind !file
inline constexpr int kOwnJsonDepth = 640;                // of what musher wraps around it
inline constexpr int kJsonDepth = 512;                   // nesting of JSON from outside
inline constexpr std::size_t kReplyItems = 1 << 20;      // of one list in a Redis reply
inline constexpr std::size_t kQueueBatch = 128;          // jobs per script call
inline constexpr std::size_t kQueueDepth = 4;            // script calls in flight
inline constexpr std::size_t kDirectHistory = 4096;  // via: direct; over what can be unsettled
inline constexpr std::size_t kStoryBytes = 4096;         // a finished job's story
inline constexpr std::size_t kOutputBytes = 64 << 10;    // exec output kept with the job
inline constexpr std::size_t kScanWindow = 4096;         // directory entries in memory at a scan
inline constexpr std::size_t kOrderWindow = 100'000;     // entries that `order:` sorts exactly
inline constexpr std::size_t kFileBatch = 256;           // renames per group commit
inline constexpr std::size_t kSettledIds = 500'000;      // of one generation, see SettledIds
inline constexpr std::size_t kSocketPath = 107;          // bytes of a unix socket's path
inline constexpr std::size_t kPostgresNotifications = 4096;  // of one link, held for their reader
inline constexpr std::size_t kResponseBytes = 1 << 20;  // of an HTTP answer kept as fields
inline constexpr std::size_t kRowsBytes = 1 << 20;  // of a query's rows kept with the job
inline constexpr std::size_t kRounds = 1000;          // of one for_each
inline constexpr std::size_t kListBytes = 256 << 10;  // of its list, kept with the job as JSON
inline constexpr std::size_t kReceiptsBytes = 1 << 20;  // of one job, its notes among them; about
inline constexpr int kStepDepth = 8;                  // nesting of steps in steps
inline constexpr int kHops = 8;                          // a file's own output read as input
inline constexpr int kStalls = 2;                        // lease losses before `poison`
inline constexpr std::chrono::milliseconds kLoopCall{5};  // longest call on the loop
inline constexpr std::chrono::seconds kLease{30};
inline constexpr std::chrono::seconds kBeat{10};
inline constexpr std::chrono::seconds kLastReceipt{5};  // to tell the queue what a stop cut off

}  // namespace musher::limits
