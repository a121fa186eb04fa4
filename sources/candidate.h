// Candidate: one file on its way to being ready, and the words for what becomes of it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "reactor/base/clock.h"
#include "sources/file_sample.h"

namespace musher::hotfolder {

/// A folder below (or of) the hot folder; never reused while the source lives.
using DirId = std::uint32_t;

enum class Order { none, oldest, name };

/// What was seen of a file. Later ones say more about its writer.
enum class Sign { found, created, closed, moved_in };

/// What a look found; also the reason why a candidate still waits.
enum class Finding {
    gone,        // no such name any more
    odd,         // a symlink, fifo, socket or device: never taken
    sampled,     // looked at for the first time
    changed,     // is not what the sample said
    writing,     // somebody has it open for writing
    unprovable,  // quiet so far, but leases are refused: needs a longer quiet
    marker_missing,
    too_small,
    denied,   // may not be read or moved
    broken,   // another error; its errno says which
    steady,   // ready, and left where it is
    claimed,  // ready, and moved into the work folder
};

/// Sampling: needs a first sample. Settling: waits for time. Stuck: waits for something else and
/// is looked at with growing pauses. Looking: in the pool's hands.
enum class Phase : std::uint8_t { sampling, settling, stuck, looking };

struct Candidate {
    FileSample sample;
    Instant quiet_from;  // the last sign of a writer
    Instant due;
    Instant since;           // of `reason`
    std::uint64_t turn = 0;  // ties of `due` leave in the order they came
    int error = 0;           // errno of denied and broken
    Phase phase = Phase::sampling;
    Finding reason = Finding::sampled;
    std::uint8_t misses = 0;
    bool sampled = false;
    bool promised = false;  // moved in or marked: its writer says that it is whole
    bool unprovable = false;
    bool was_writing = false;
    std::optional<Sign> again = {};  // seen while being looked at
};

/// One candidate handed to the pool.
struct Look {
    DirId dir = 0;
    std::string name;
    std::optional<FileSample> expected;  // anything else is `changed`
    bool sample_only = false;            // stat, nothing more
    bool claim = false;                  // take it if all holds; else only say `steady`
    bool trust_quiet = false;            // ready even where leases are refused
};

struct Outcome {
    Finding finding = Finding::gone;
    FileSample sample = {};
    int error = 0;
};

struct CandidateKey {
    DirId dir = 0;
    std::string name;

    struct View {
        DirId dir = 0;
        std::string_view name;
    };
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(const View& key) const {
            return std::hash<std::string_view>()(key.name) ^ (key.dir * 0x9e3779b97f4a7c15ULL);
        }
        std::size_t operator()(const CandidateKey& key) const {
            return (*this)(View{key.dir, key.name});
        }
    };
    bool operator==(const CandidateKey&) const = default;
    friend bool operator==(const CandidateKey& a, const View& b) {
        return a.dir == b.dir && a.name == b.name;
    }
};

}  // namespace musher::hotfolder
