#include "pipelines/expr/lua_sandbox.h"

#include <cstdlib>
#include <lua.hpp>
#include <unordered_map>

#include "pipelines/expr/lua_library.h"
#include "pipelines/expr/lua_results.h"
#include "pipelines/expr/lua_values.h"
#include "reactor/base/clock.h"

namespace musher {

namespace {
constexpr int kHookEvery = 32;                 // instructions; one of them may compare megabytes
constexpr const char* kChunk = "=expression";  // Lua's messages begin "expression:1: "

struct Chunk {
    int reference;
    std::string text;
};
}  // namespace

struct LuaSandbox::State {
    lua_State* lua = nullptr;
    std::size_t used = 0;
    std::size_t allocated = 0;  // by the running call
    int environment = LUA_NOREF;
    Evaluation now;
    std::vector<std::unique_ptr<Chunk>> chunks;
    std::unordered_map<std::string, int> numbers;

    ~State() {
        if (lua) lua_close(lua);
    }
    static void* allocate(void* self, void* block, std::size_t old_size, std::size_t size);
    static void count(lua_State* lua, lua_Debug*);
    Result<int> load(const std::string& text, std::size_t& offset);
    Error error_of(int status);
};

void* LuaSandbox::State::allocate(void* self, void* block, std::size_t old_size, std::size_t size) {
    auto& state = *static_cast<State*>(self);
    if (!block) old_size = 0;  // Lua says there what the block is for
    if (size == 0) {
        state.used -= old_size;
        std::free(block);
        return nullptr;
    }
    if (size > old_size) {
        const std::size_t more = size - old_size;
        if (state.used + more > kMemory || state.allocated + more > kAllocated) return nullptr;
        state.allocated += more;
    }
    void* moved = std::realloc(block, size);
    if (moved) state.used += size - old_size;
    return moved;
}

void LuaSandbox::State::count(lua_State* lua, lua_Debug*) {
    Evaluation& now = evaluation(lua);
    now.instructions += kHookEvery;
    if (now.instructions > kInstructions)
        lua::raise(lua, "it runs for too long (an endless loop?)");
    // Instructions are not time: one may compare or build megabytes.
    const std::int64_t spent = thread_cpu_time().count();
    if (now.cpu_limit_ns == 0) now.cpu_limit_ns = spent + kCpuNs;
    if (spent > now.cpu_limit_ns) lua::raise(lua, "it takes too much time");
}

/// Takes Lua's place names off its message and its hint apart.
Error LuaSandbox::State::error_of(int status) {
    if (status == LUA_ERRMEM) return Error(Errc::usage, "it uses too much memory (over 8MiB)");
    std::size_t size = 0;
    const char* raw = lua_type(lua, -1) == LUA_TSTRING ? lua_tolstring(lua, -1, &size) : nullptr;
    if (!raw) return Error(Errc::internal, "Lua failed without a message");
    std::string message(raw, size);
    if (message.starts_with("expression:")) message.erase(0, message.find(": ") + 2);
    std::string hint;
    if (const std::size_t line = message.find('\n'); line != std::string::npos) {
        hint = message.substr(line + 1);
        message.erase(line);
    }
    if (message.find("perform arithmetic on a map") != std::string::npos && hint.empty()) {
        hint = "a name with a dash is written in brackets: steps[\"directory-2\"]";
    }
    return Error(Errc::usage, std::move(message), std::move(hint));
}

namespace {
/// Feeds the text byte by byte: where Lua stops reading is where the fault is.
struct Reader {
    std::string_view head;
    std::string_view text;
    std::string_view tail;
    std::size_t taken = 0;
    bool began = false;
    bool ended = false;

    static const char* read(lua_State*, void* self, std::size_t* size) {
        auto& reader = *static_cast<Reader*>(self);
        if (!std::exchange(reader.began, true)) {
            *size = reader.head.size();
            return reader.head.data();
        }
        if (reader.taken < reader.text.size()) {
            *size = 1;
            return reader.text.data() + reader.taken++;
        }
        *size = std::exchange(reader.ended, true) ? 0 : reader.tail.size();
        return reader.tail.data();
    }
};

std::size_t fault_offset(const Reader& reader, const std::string& message) {
    const std::size_t near = message.rfind(" near '");
    // What is missing at the end is missing after the last word, not in a line below it.
    const std::size_t last = reader.text.find_last_not_of(" \t\r\n");
    if (reader.ended && last != std::string_view::npos) return last + 1;
    if (reader.ended || near == std::string::npos) return reader.taken;
    const std::string token = message.substr(near + 7, message.size() - near - 8);
    const std::size_t at = reader.text.substr(0, reader.taken).rfind(token);
    return at == std::string_view::npos ? reader.taken : at;
}

void replace_first(std::string& text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    if (at != std::string::npos) text.replace(at, from.size(), to);
}

std::string habit_hint(const std::string& text) {
    constexpr std::pair<std::string_view, const char*> kHabits[] = {
        {"!=", "not equal is written ~="}, {"&&", "\"and\" is written and"},
        {"||", "\"or\" is written or"},    {"===", "equal is written =="},
        {"!", "\"not\" is written not"},   {"?", "a choice is written: condition and a or b"},
        {"=", "equal is written =="},
    };
    for (const auto& [habit, hint] : kHabits) {
        if (text.find(habit) != std::string::npos) return hint;
    }
    return {};
}
}  // namespace

Result<int> LuaSandbox::State::load(const std::string& text, std::size_t& offset) {
    Reader reader{"return ", text, ""};
    if (const int status = lua_load(lua, Reader::read, &reader, kChunk, "t"); status != LUA_OK) {
        Error error = error_of(status);
        offset = fault_offset(reader, error.message);
        if (error.hint.empty()) error.hint = habit_hint(text);
        replace_first(error.message, "near <eof>", "at the end");
        replace_first(error.message, "<eof> expected near", "unexpected");
        return fail(std::move(error));
    }
    // Only one value stands in parentheses: "a, b", "a;" and "" do not.
    Reader single{"return (", text, "\n)"};
    if (lua_load(lua, Reader::read, &single, kChunk, "t") != LUA_OK) {
        offset = fault_offset(single, error_of(LUA_ERRSYNTAX).message);
        return fail(Errc::usage, text.find_first_not_of(" \t\r\n") == std::string::npos
                                     ? "the expression is empty"
                                     : "an expression is one value");
    }
    lua_pop(lua, 1);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, environment);
    lua_setupvalue(lua, -2, 1);
    return luaL_ref(lua, LUA_REGISTRYINDEX);
}

LuaSandbox::LuaSandbox(std::unique_ptr<State> state) : state_(std::move(state)) {}
LuaSandbox::~LuaSandbox() = default;
std::size_t LuaSandbox::memory() const { return state_->used; }

namespace {
/// Runs `work` where Lua's errors are caught; its own value is Lua's status.
template <class F>
int protect(lua_State* lua, F& work) {
    lua_pushcfunction(lua, [](lua_State* inside) {
        (*static_cast<F*>(lua_touserdata(inside, 1)))();
        return 0;
    });
    lua_pushlightuserdata(lua, &work);
    return lua_pcall(lua, 1, 0, 0);
}
}  // namespace

Result<std::shared_ptr<LuaSandbox>> LuaSandbox::create() {
    auto state = std::make_unique<State>();
    lua_State* lua = lua_newstate(State::allocate, state.get());
    if (!lua) return fail(Errc::internal, "no memory for the expression sandbox");
    state->lua = lua;
    *static_cast<Evaluation**>(lua_getextraspace(lua)) = &state->now;
    auto open = [&] {
        lua::open_values(lua);
        lua::push_environment(lua);
        state->environment = luaL_ref(lua, LUA_REGISTRYINDEX);
    };
    if (protect(lua, open) != LUA_OK) return fail(Errc::internal, "opening the expression sandbox");
    lua_sethook(lua, State::count, LUA_MASKCOUNT, kHookEvery);
    return std::shared_ptr<LuaSandbox>(new LuaSandbox(std::move(state)));
}

Result<int> LuaSandbox::compile(const std::string& text, std::size_t& offset) {
    State& state = *state_;
    MUSHER_CHECK(!state.now.bindings);
    offset = 0;
    if (const auto known = state.numbers.find(text); known != state.numbers.end()) {
        return known->second;
    }
    state.allocated = 0;
    Result<int> loaded = 0;
    auto load = [&] { loaded = state.load(text, offset); };
    if (const int status = protect(state.lua, load); status != LUA_OK) {
        loaded = fail(state.error_of(status));
    }
    lua_settop(state.lua, 0);
    if (!loaded) return loaded;
    state.chunks.push_back(std::make_unique<Chunk>(Chunk{*loaded, text}));
    const int number = static_cast<int>(state.chunks.size()) - 1;
    state.numbers.emplace(text, number);
    return number;
}

Result<Json> LuaSandbox::evaluate(int chunk, const Bindings& bindings) {
    State& state = *state_;
    MUSHER_CHECK(!state.now.bindings);  // expressions do not evaluate expressions
    const Chunk& compiled = *state.chunks[static_cast<std::size_t>(chunk)];
    state.allocated = 0;
    state.now.bindings = &bindings;
    state.now.text = &compiled.text;
    state.now.instructions = 0;
    state.now.pattern_steps = kPatternSteps;
    state.now.parse_bytes = kParsed;
    state.now.cpu_limit_ns = 0;
    lua_rawgeti(state.lua, LUA_REGISTRYINDEX, compiled.reference);
    const int status = lua_pcall(state.lua, 0, 1, 0);
    Result<Json> value =
        status == LUA_OK ? lua::take(state.lua, -1) : Result<Json>(fail(state.error_of(status)));
    lua_settop(state.lua, 0);
    state.now.bindings = nullptr;
    if (!state.now.parsed.empty()) state.now.parsed.clear();
    if (status != LUA_OK) lua_gc(state.lua, LUA_GCCOLLECT);
    return value;
}

}  // namespace musher
