#include "sources/catalogue.h"

#include "sources/hotfolder.h"

namespace musher {

const std::vector<SourceEntry>& source_catalogue() {
    static const std::vector<SourceEntry> kAll = {
        {hotfolder_spec(), make_hotfolder, true},
    };
    return kAll;
}

}  // namespace musher
