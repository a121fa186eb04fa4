// The sandbox in which one pipeline revision's expressions run: Lua 5.4 without a way out.
#pragma once

#include <memory>
#include <string>

#include "pipelines/expr/expression.h"

namespace musher {

/// No files, no code loading, no metatables, no coroutines, nothing that could be written to: an
/// evaluation leaves nothing behind, and an error leaves the sandbox as good as new. Loop thread.
class LuaSandbox {
  public:
    static constexpr std::size_t kMemory = 8 << 20;          // bytes in use at any time
    static constexpr std::size_t kAllocated = 64 << 20;      // bytes asked for by one evaluation
    static constexpr std::size_t kInstructions = 100'000;    // of Lua's machine, per evaluation
    static constexpr std::size_t kPatternSteps = 1'000'000;  // of pattern matching, per evaluation
    static constexpr std::size_t kParsed = 256 << 10;        // bytes given to from_json
    static constexpr std::int64_t kCpuNs = 50'000'000;       // of the thread's own time

    static Result<std::shared_ptr<LuaSandbox>> create();
    ~LuaSandbox();
    LuaSandbox(const LuaSandbox&) = delete;

    /// A number for evaluate(); the same for the same text. `usage` when it does not compile;
    /// `offset` is then the byte of `text` that Lua stumbled over.
    Result<int> compile(const std::string& text, std::size_t& offset);
    /// `usage` when the expression is at fault. `bindings` is not copied and not kept.
    Result<Json> evaluate(int chunk, const Bindings& bindings);
    /// Bytes of Lua's heap.
    std::size_t memory() const;

  private:
    struct State;
    explicit LuaSandbox(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace musher
