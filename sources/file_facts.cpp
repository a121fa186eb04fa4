#include "sources/file_facts.h"

#include "reactor/base/clock.h"
#include "reactor/base/text.h"

namespace musher {

Json file_facts(const std::string& path, const struct stat& status) {
    const std::size_t slash = path.rfind('/');
    const std::string name = path.substr(slash + 1);
    const std::size_t dot = name.rfind('.');
    const std::size_t cut = dot == std::string::npos || dot == 0 ? name.size() : dot;
    const std::int64_t mtime_ms =
        std::int64_t{status.st_mtim.tv_sec} * 1000 + status.st_mtim.tv_nsec / 1'000'000;
    Json facts{{"path", escape_name(path)},
               {"dir", escape_name(path.substr(0, slash == std::string::npos ? 0 : slash))},
               {"name", escape_name(name)},
               {"stem", escape_name(name.substr(0, cut))},
               {"ext", escape_name(cut < name.size() ? name.substr(cut + 1) : "")},
               {"size", static_cast<std::uint64_t>(status.st_size)},
               {"mtime", format_time(mtime_ms)},
               {"uid", status.st_uid}};
    if (!is_utf8(path)) facts["name_escaped"] = true;
    return facts;
}

}  // namespace musher
