#include "sources/file_facts.h"

#include "reactor/base/clock.h"
#include "reactor/base/text.h"

namespace musher {

Json file_facts(const std::string& path, const std::string& original,
                const hotfolder::FileSample& sample) {
    const std::size_t slash = original.rfind('/');
    const std::string name = original.substr(slash + 1);
    const std::size_t dot = name.rfind('.');
    const std::size_t cut = dot == std::string::npos || dot == 0 ? name.size() : dot;
    // All or none: `name_escaped` says how each of them is to be read.
    const bool plain = is_utf8(original);
    const auto shown = [plain](const std::string& part) {
        return plain ? part : escape_bytes(part);
    };
    Json facts{{"path", escape_name(path)},
               {"dir", shown(original.substr(0, slash == std::string::npos ? 0 : slash))},
               {"name", shown(name)},
               {"stem", shown(name.substr(0, cut))},
               {"ext", shown(cut < name.size() ? name.substr(cut + 1) : "")},
               {"size", sample.size},
               {"mtime", format_time(sample.mtime_ns / 1'000'000)},
               {"uid", sample.uid}};
    if (!plain) facts["name_escaped"] = true;
    return facts;
}

}  // namespace musher
