#include "tests/support/source_rigs.h"

#include <filesystem>
#include <fstream>

#include "sources/catalogue.h"
#include "tests/support/temp_dir.h"

namespace musher::test {

namespace {

namespace fs = std::filesystem;

class HotfolderRig final : public SourceRig {
  public:
    HotfolderRig() { fs::create_directories(in_); }
    std::string yaml() const override { return "{ path: " + in_ + ", settle: 10ms }"; }
    void happen(const std::string& what) override {
        std::ofstream(dir_ / what) << "content of " << what;
        fs::rename(dir_ / what, in_ + "/" + what);
    }
    std::string what(const Event& event) const override { return event.facts.value("name", ""); }
    bool ended(const std::string& what, Outcome outcome) const override {
        const std::string place = outcome == Outcome::done ? "/done/" : "/failed/";
        return fs::exists(in_ + place + what) && !fs::exists(in_ + "/" + what);
    }
    void take_away() override { fs::rename(in_, dir_ / "away"); }
    void bring_back() override { fs::rename(dir_ / "away", in_); }

  private:
    TempDir dir_;
    std::string in_ = dir_ / "in";
};

const SourceEntry* entry(std::string_view name) {
    for (const SourceEntry& one : source_catalogue()) {
        if (one.spec.name == name) return &one;
    }
    return nullptr;
}
template <class Rig>
std::unique_ptr<SourceRig> make_rig() {
    return std::make_unique<Rig>();
}

}  // namespace

const std::vector<NamedSourceRig>& source_rigs() {
    static const std::vector<NamedSourceRig> kAll = {
        {entry("hotfolder"), make_rig<HotfolderRig>},
    };
    return kAll;
}

}  // namespace musher::test
