// Markers of several files that are spent: every file that they stood for was taken.
#include <unistd.h>

#include <map>
#include <set>

#include "reactor/loop/offload.h"
#include "sources/hotfolder.h"

namespace musher::hotfolder {

namespace {
/// Of one folder.
struct Spent {
    DirId dir = 0;
    std::set<std::string> markers;
    std::vector<std::string> left;  // names that wait for one of them
};
using SpentByFolder = std::map<std::string, Spent>;

/// What is not on the disk is not waited for; a folder that cannot be read keeps its markers.
void find_left(const Premises& premises, const HotfolderRules& rules, SpentByFolder& spent) {
    for (auto& [subfolder, one] : spent) {
        DirScan scan(open_beneath(premises.root, subfolder), subfolder);
        DirScan::Window window;
        while (!window.end) {
            window = scan.next(rules.scan);
            for (Found& found : window.found) {
                const bool waits = one.markers.contains(rules.look.marker.path_for(found.name));
                if (!found.enter && waits) one.left.push_back(std::move(found.name));
            }
        }
        if (window.error != 0) one.markers.clear();
    }
}

void remove_markers(const Premises& premises, const SpentByFolder& spent) {
    for (const auto& [subfolder, one] : spent) {
        const Fd folder = open_beneath(premises.root, subfolder);
        for (const std::string& marker : one.markers) ::unlinkat(folder.get(), marker.c_str(), 0);
    }
}
}  // namespace

/// kill -9 before the end: the marker stays, and releases the next file of its name.
Task<void> Hotfolder::drop_markers(const std::vector<LookRequest>& requests,
                                   const std::vector<LookResult>& results) {
    const MarkerPattern& marker = rules_.look.marker;
    SpentByFolder spent;
    for (std::size_t i = 0; i < requests.size() && marker.set() && marker.shared(); ++i) {
        if (results[i].outcome.finding != Finding::claimed) continue;
        Spent& one = spent[requests[i].subfolder];
        one.dir = requests[i].look.dir;
        one.markers.insert(marker.path_for(requests[i].look.name));
    }
    if (spent.empty()) co_return;
    auto list = [this, &spent] {
        find_left(*premises_, rules_, spent);
        return 0;
    };
    co_await offload(context_.loop, list);
    for (auto& [subfolder, one] : spent) {
        for (const std::string& name : one.left) {
            // Back in its place because `when` was false: it waits for nothing.
            const bool refused = standing_.contains(CandidateKey::View{one.dir, name});
            if (!refused || table_->find(one.dir, name)) one.markers.erase(marker.path_for(name));
        }
    }
    auto remove = [this, &spent] {
        remove_markers(*premises_, spent);
        return 0;
    };
    co_await offload(context_.loop, remove);
}

}  // namespace musher::hotfolder
