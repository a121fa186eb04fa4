// The one precompiled header: the standard library and the JSON type, nothing of musher's.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <deque>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>
