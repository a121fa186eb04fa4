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
    Json facts{{"path", escape_name(path)},
               {"dir", escape_name(original.substr(0, slash == std::string::npos ? 0 : slash))},
               {"name", escape_name(name)},
               {"stem", escape_name(name.substr(0, cut))},
               {"ext", escape_name(cut < name.size() ? name.substr(cut + 1) : "")},
               {"size", sample.size},
               {"mtime", format_time(sample.mtime_ns / 1'000'000)},
               {"uid", sample.uid}};
    if (!is_utf8(original)) facts["name_escaped"] = true;
    return facts;
}

}  // namespace musher
