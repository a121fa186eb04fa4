#include "sources/folder_probe.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "sources/lease_probe.h"
#include "sources/work_path.h"

namespace musher::hotfolder {

namespace {
constexpr const char* kProbe = ".probe.musher-tmp-made";
constexpr const char* kMoved = ".probe.musher-tmp-moved";

class Probe {
  public:
    explicit Probe(const PremisesWish& wish) : wish_(wish) {}
    std::vector<Problem> run();

  private:
    Result<void> open();
    Result<void> make();
    void blame(Error error);
    void doubt(std::string message);
    void lease();
    void rename_it();

    const PremisesWish& wish_;
    Fd folder_;
    std::vector<Problem> problems_;
};

void Probe::blame(Error error) {
    Problem problem;
    problem.code = "unusable_folder";
    problem.message = error.text();
    problem.hint = std::move(error.hint);
    if (problem.hint.empty() && error.code == Errc::denied) {
        problem.hint =
            "let the user that musher runs as write into " + wish_.folder + ", or set claim: none";
    } else if (problem.hint.empty() && error.code == Errc::not_found) {
        problem.hint = "create it, or mount what belongs there";
    }
    problems_.push_back(std::move(problem));
}

void Probe::doubt(std::string message) {
    Problem problem;
    problem.severity = Problem::Severity::warning;
    problem.code = "writers_not_provable";
    problem.message = std::move(message);
    problem.hint =
        "a file is taken when it was quiet for a while; let writers rename it into "
        "place, or set `marker`";
    problems_.push_back(std::move(problem));
}

void Probe::lease() {
    const Fd reading(::openat(folder_.get(), kProbe, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!reading) return;  // another probe has just taken it
    const ReadLease taken(reading.get());
    if (taken.answer() != LeaseAnswer::refused) return;
    doubt("no lease can be had in " + wish_.folder + ", so nothing proves that a writer is done");
}

void Probe::rename_it() {
    // Before musher's first start there is no work folder; it is not for us to make one.
    const Fd work = open_beneath(folder_, std::string(kWorkRoot));
    const Fd& to = work ? work : folder_;
    if (::renameat(folder_.get(), kProbe, to.get(), kMoved) != 0 && errno != ENOENT) {
        blame(errno_error(errno, "claiming a file in " + wish_.folder));
    }
    sweep_probe(to);
}

Result<void> Probe::open() {
    MUSHER_TRY(folder_, Fd::open(wish_.folder, O_RDONLY | O_DIRECTORY));
    MUSHER_DO(check_asides(wish_, folder_));
    MUSHER_TRY(const FsTraits traits, traits_of(folder_));
    if (traits.leases) return {};
    doubt(wish_.folder + " is on " + std::string(traits.name) +
          ", which does not tell of other hosts' writers");
    return {};
}

Result<void> Probe::make() {
    const int flags = O_WRONLY | O_CREAT | O_NOFOLLOW;
    const Result<Fd> made = Fd::open_at(folder_.get(), kProbe, flags, 0600);
    if (made) return {};
    return fail(Error(made.error()).within("in " + wish_.folder));
}

std::vector<Problem> Probe::run() {
    Result<void> works = open();
    if (works && wish_.in_place) return std::move(problems_);
    if (works) works = make();
    if (!works) {
        blame(works.error());
        return std::move(problems_);
    }
    if (problems_.empty()) lease();
    rename_it();
    sweep_probe(folder_);
    return std::move(problems_);
}
}  // namespace

std::vector<Problem> probe_folder(const PremisesWish& wish) { return Probe(wish).run(); }

void sweep_probe(const Fd& folder) {
    ::unlinkat(folder.get(), kProbe, 0);
    ::unlinkat(folder.get(), kMoved, 0);
}

}  // namespace musher::hotfolder
