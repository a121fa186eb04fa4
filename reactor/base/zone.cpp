#include "reactor/base/zone.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <vector>

#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr const char* kLocalZone = ":/etc/localtime";  // what no TZ means
constexpr const char* kFolder = "/usr/share/zoneinfo/";

/// Every name in tzdata's own list: "Z NAME …" is a zone, "L TARGET NAME" another name of one.
std::vector<std::string> zone_names() {
    std::vector<std::string> names;
    std::ifstream list(std::string(kFolder) + "tzdata.zi");
    for (std::string line; std::getline(list, line);) {
        if (!line.starts_with("Z ") && !line.starts_with("L ")) continue;
        std::istringstream words(line);
        std::string kind;
        std::string first;
        std::string second;
        words >> kind >> first >> second;
        names.push_back(kind == "Z" ? first : second);
    }
    return names;
}

Error unknown(const std::string& zone) {
    const std::vector<std::string> names = zone_names();
    const std::vector<std::string_view> candidates(names.begin(), names.end());
    const auto meant = nearest(zone, candidates);
    return Error(Errc::usage, "unknown time zone '" + zone + "'",
                 meant ? "did you mean `" + std::string(*meant) + "`?"
                       : "use a name such as Europe/Vienna (needs the package tzdata), or UTC");
}
}  // namespace

Result<std::tm> local_time(std::time_t seconds, const std::string& zone) {
    std::tm parts{};
    if (zone == "UTC") {
        gmtime_r(&seconds, &parts);
        return parts;
    }
    std::error_code failed;  // a name too long for a file is no zone either
    if (zone.empty() || zone.find("..") != std::string::npos || zone.front() == '/' ||
        !std::filesystem::is_regular_file(kFolder + zone, failed)) {
        return fail(unknown(zone));
    }
    // The C library converts for one zone per process: switch under a lock, restore at once. TZ
    // stays set: adding it anew each time would move the environment under other threads' getenv.
    static std::mutex guard;
    const std::lock_guard lock(guard);
    const char* old = std::getenv("TZ");
    const std::string saved = old ? old : kLocalZone;
    setenv("TZ", zone.c_str(), 1);
    tzset();
    localtime_r(&seconds, &parts);
    setenv("TZ", saved.c_str(), 1);
    tzset();
    return parts;
}

}  // namespace musher
