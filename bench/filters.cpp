// bench-filters: a file through xz, seal and digest in one pass, beside `xz -T0` alone, `xz -T0`
// into openssl, and `cp`; and back. Both sides compress with the same preset, cores and block size.
#include <fmt/format.h>

#include <fstream>
#include <random>

#include "bench/support.h"
#include "reactor/filters/chain.h"
#include "reactor/filters/seal.h"
#include "reactor/filters/xz.h"
#include "tests/support/temp_dir.h"

namespace musher::bench {
namespace {

constexpr std::size_t kMiB = 1 << 20;
using Filters = std::vector<std::unique_ptr<Filter>>;

std::string words(std::mt19937_64& random, std::size_t size) {
    static const std::vector<std::string> kWords = [] {
        std::mt19937_64 letters(7);
        std::vector<std::string> all(4096);
        for (std::string& word : all) {
            word.resize(2 + letters() % 9);
            for (char& letter : word) letter = static_cast<char>('a' + letters() % 26);
        }
        return all;
    }();
    std::string text;
    while (text.size() < size) {
        const std::uint64_t drawn = random();  // small numbers are common, as in a language
        text += kWords[(drawn & 4095) % (1 + (drawn >> 12 & 4095))];
        text += (drawn >> 24 & 15) == 0 ? '\n' : ' ';
    }
    text.resize(size);
    return text;
}

/// Each MiB is text, noise, text in base64 or an empty page with some noise in it.
void generate(const std::string& path, std::size_t mib) {
    std::mt19937_64 random(1);
    std::ofstream file(path, std::ios::binary);
    for (std::size_t i = 0; i < mib; ++i) {
        std::string block;
        switch (i % 4) {
            case 0:
                block = words(random, kMiB);
                break;
            case 1:
                for (std::size_t at = 0; at < kMiB; at += 8) {
                    const std::uint64_t eight = random();
                    block.append(reinterpret_cast<const char*>(&eight), 8);
                }
                break;
            case 2:
                for (std::size_t at = 0; at < kMiB; ++at) {
                    block += static_cast<char>('0' + random() % 64);
                }
                break;
            default:
                block.assign(kMiB, '\0');
                for (int at = 0; at < 20'000; ++at) block[random() % kMiB] = char(random());
        }
        file << block;
    }
}

/// Wall clock and processor time for each MiB of the plain file. On a machine that others use too
/// the second one is the fairer.
struct Pace {
    Figure mib_per_s, cpu_ms;
    template <class F>
    void measure(double mib, F&& work) {
        const auto began = std::chrono::steady_clock::now();
        const double cpu = cpu_seconds();
        work();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
        mib_per_s.add(mib / took.count());
        cpu_ms.add((cpu_seconds() - cpu) * 1000 / mib);
    }
};

[[noreturn]] void give_up(const Error& error) {
    fmt::print(stderr, "bench-filters: error: {}\n", error.text());
    std::exit(1);
}

template <class T>
T take(Result<T> result) {
    if (!result) give_up(result.error());
    return std::move(*result);
}

Task<void> pass(Loop& loop, Filters& filters, const std::string& from, const std::string& to) {
    Cancel never;
    Chain chain(loop, filters);
    const Result<ChainResult> done = co_await chain.file_to_file(from, to, never);
    if (!done) give_up(done.error());
}

void through(Filters filters, const std::string& from, const std::string& to) {
    RealClock clock;
    Loop loop(clock);
    loop.run(pass(loop, filters, from, to));
    MUSHER_CHECK(loop.close() == 0);
}

void shell(const std::string& command) {
    Program program({"sh", "-c", command});
    if (program.wait(3600) != 0) give_up(Error(Errc::failed, command + " failed"));
}

SealOptions seal_options() { return SealOptions{take(Key::parse(std::string(64, 'a'))), "bench"}; }

struct Paces {
    Pace sealed, alone, piped, copied, unsealed, expanded, expanded_alone;
};

void measure_there(Paces& paces, const test::TempDir& dir, std::uint32_t level, double mib) {
    const std::string in = dir / "in";
    const std::string xz = fmt::format("xz -T0 -{} -c {}", level, in);
    const std::string key(64, 'a');
    const std::string openssl = fmt::format("openssl enc -aes-256-ctr -K {} -iv {:032}", key, 0);
    paces.copied.measure(mib, [&] { shell(fmt::format("cp {} {}", in, dir / "copy")); });
    paces.alone.measure(mib, [&] { shell(fmt::format("{} > {}", xz, dir / "xz")); });
    Filters filters;
    XzEncodeOptions encode;
    encode.level = level;
    filters.push_back(take(make_xz_encoder(encode)));
    filters.push_back(make_seal(seal_options()));
    paces.sealed.measure(mib, [&] { through(std::move(filters), in, dir / "sealed"); });
    paces.piped.measure(mib,
                        [&] { shell(fmt::format("{} | {} > {}", xz, openssl, dir / "copy")); });
}

void measure_back(Paces& paces, const test::TempDir& dir, double mib) {
    const std::string back = dir / "copy";
    paces.expanded_alone.measure(
        mib, [&] { shell(fmt::format("xz -T0 -dc {} > {}", dir / "xz", back)); });
    Filters expand;
    expand.push_back(take(make_xz_decoder({})));
    paces.expanded.measure(mib, [&] { through(std::move(expand), dir / "xz", back); });
    Filters unseal;
    unseal.push_back(make_unseal(seal_options()));
    unseal.push_back(take(make_xz_decoder({})));
    paces.unsealed.measure(mib, [&] { through(std::move(unseal), dir / "sealed", back); });
    shell(fmt::format("cmp {} {}", dir / "in", back));
}

void print_results(const Paces& paces, std::uint32_t level) {
    const auto row = [](const std::string& name, const Pace& it, const Pace& peer) {
        return std::vector<std::string>{name, it.mib_per_s.text(),
                                        it.mib_per_s.ratio_to(peer.mib_per_s), it.cpu_ms.text(),
                                        it.cpu_ms.ratio_to(peer.cpu_ms)};
    };
    const Pace &there = paces.alone, &back = paces.expanded_alone;
    print_table({{fmt::format("preset {}", level), "MiB/s", "to xz", "CPU ms/MiB", "to xz"},
                 row("musher: xz, seal, digest", paces.sealed, there),
                 row("xz -T0", paces.alone, there),
                 row("xz -T0 | openssl enc -aes-256-ctr", paces.piped, there),
                 row("limit: cp", paces.copied, there)});
    print_table({{"back", "MiB/s", "to xz", "CPU ms/MiB", "to xz"},
                 row("musher: unseal, xz, digest", paces.unsealed, back),
                 row("musher: xz, digest", paces.expanded, back),
                 row("xz -T0 -dc", paces.expanded_alone, back),
                 row("limit: cp", paces.copied, back)});
    print_goal("time of one pass / xz alone",
               paces.alone.mib_per_s.median() / paces.sealed.mib_per_s.median(), Want::at_most,
               1.05);
    print_goal("time of expansion / xz -dc",
               back.mib_per_s.median() / paces.unsealed.mib_per_s.median(), Want::at_most, 1.05);
}

void run(const Options& options) {
    print_machine("filters: one file, half of it noise; nothing is synced",
                  {version_of({"xz", "--version"}), version_of({"openssl", "version"})});
    for (const auto& [level, mib] : {std::pair{1u, 512u}, {6u, 96u}}) {
        const test::TempDir dir;
        const unsigned size = options.quick ? mib / 4 : mib;
        generate(dir / "in", size);
        Paces paces;
        for (int i = 0; i < options.runs; ++i) {
            measure_there(paces, dir, level, size);
            measure_back(paces, dir, size);
        }
        print_results(paces, level);
    }
}

}  // namespace
}  // namespace musher::bench

int main(int argc, char** argv) { musher::bench::run(musher::bench::read_options(argc, argv)); }
