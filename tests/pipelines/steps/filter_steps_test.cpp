// The filter steps with their options, against the real xz and an independent reader of Tink's
// format.
#include <gtest/gtest.h>

#include "pipelines/steps/seal.h"
#include "pipelines/steps/unseal.h"
#include "pipelines/steps/xz_compress.h"
#include "pipelines/steps/xz_expand.h"
#include "tests/support/run_loop.h"
#include "tests/support/step_bench.h"
#include "tests/support/tree.h"

namespace musher {
namespace {

using test::file_text;
using test::StepBench;

const std::string kKey(64, '7');
const std::string kOtherKey(64, '8');

void put(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}
std::string text_of(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        text[i] = static_cast<char>("0123456789abcdef\n"[i % 17]);
    return text;
}
/// What a program answered: its exit code.
int shell(const std::string& command) { return WEXITSTATUS(std::system(command.c_str())); }

struct Steps {
    explicit Steps(Loop& loop)
        : compress(loop, xz_compress_spec(), make_xz_compress()),
          expand(loop, xz_expand_spec(), make_xz_expand()),
          seal(loop, seal_spec(), make_seal_step()),
          unseal(loop, unseal_spec(), make_unseal_step()) {}
    Task<void> close() {
        co_await compress.close();
        co_await expand.close();
        co_await seal.close();
        co_await unseal.close();
    }
    std::string key_file(const std::string& key, const char* mode = "600") const {
        const std::string path = seal.dir / ("key-" + key.substr(0, 1));
        put(path, key + "\n");
        EXPECT_EQ(shell(std::string("chmod ") + mode + " " + path), 0);
        return path;
    }
    StepBench compress, expand, seal, unseal;
};
Task<std::string> through(StepBench& bench, std::string text, std::string yaml) {
    bench.write_body(text);
    const Result<std::string> made = co_await bench.filtered(std::move(yaml));
    EXPECT_TRUE(made.has_value()) << made.error().text();
    co_return made.value_or("");
}
Task<Error> refused(StepBench& bench, std::string text, std::string yaml) {
    bench.write_body(text);
    const Result<std::string> made = co_await bench.filtered(std::move(yaml));
    EXPECT_FALSE(made.has_value());
    co_return made ? Error() : made.error();
}

Task<void> xz_both_ways(Loop& loop) {
    Steps steps(loop);
    const std::string text = text_of(3'000'000);
    for (const char* options : {"{}", "{ level: 0 }", "{ level: 9, threads: 1 }",
                                "{ level: 1, threads: 2, block: 256KiB }"}) {
        const std::string packed = co_await through(steps.compress, text, options);
        EXPECT_EQ(steps.compress.outputs["bytes_in"], text.size());
        EXPECT_EQ(steps.compress.outputs["bytes_out"], packed.size());
        put(steps.compress.dir / "a.xz", packed);
        EXPECT_EQ(shell("xz -t " + steps.compress.dir / "a.xz"), 0) << options;
        const std::string back = co_await through(steps.expand, packed, "{}");
        EXPECT_TRUE(back == text) << options;
    }
    put(steps.expand.dir / "b", text);
    EXPECT_EQ(shell("xz -9e -C sha256 -k " + steps.expand.dir / "b"), 0);
    const std::string real = file_text(steps.expand.dir / "b.xz");
    const std::string expanded = co_await through(steps.expand, real, "{}");
    EXPECT_TRUE(expanded == text);
    const std::string nothing = co_await through(steps.compress, "", "{}");
    const std::string still_nothing = co_await through(steps.expand, nothing, "{}");
    EXPECT_EQ(still_nothing, "");
    co_await steps.close();
}
TEST(XzSteps, TheRealProgramUnderstandsThem) { test::on_loop(xz_both_ways); }

Task<void> xz_damage(Loop& loop) {
    Steps steps(loop);
    const std::string packed = co_await through(steps.compress, text_of(100'000), "{}");
    const Error cut = co_await refused(steps.expand, packed.substr(0, packed.size() - 5), "{}");
    EXPECT_EQ(cut.code, Errc::corrupt);
    EXPECT_FALSE(info(cut.code).retryable) << "the job is dead at once";
    const Error none = co_await refused(steps.expand, "", "{}");
    EXPECT_EQ(none.code, Errc::corrupt) << "an empty file is no .xz file";
    const Error plain = co_await refused(steps.expand, "plain text, not xz", "{}");
    EXPECT_EQ(plain.message, "not an .xz file");
    const std::string large = co_await through(steps.compress, text_of(100'000), "level: 9");
    const Error tight = co_await refused(steps.expand, large, "memory_limit: 1MiB");
    EXPECT_EQ(tight.hint, "raise `memory_limit` to 65MiB");
    for (const char* wrong : {"level: 10", "level: -1", "threads: 257", "block: -1"}) {
        const Error option = co_await refused(steps.compress, "", wrong);
        EXPECT_EQ(option.code, Errc::usage) << wrong;
    }
    co_await steps.close();
}
TEST(XzSteps, DamageEndsTheJob) { test::on_loop(xz_damage); }

Task<void> interop(Loop& loop) {
    Steps steps(loop);
    const std::string options =
        "{ key_file: " + steps.key_file(kKey) + ", aad: \"repo/${event.name}\" }";
    const std::string python = "python3 tests/support/tink_file.py ";
    const std::string common = " " + kKey + " 'repo/a b.txt' ";
    const std::string sealed = steps.seal.dir / "sealed";
    const std::string opened = steps.seal.dir / "opened";
    for (const std::size_t size : {0u, 1u, 1048519u, 1048520u, 1048521u, 2097080u, 3'000'000u}) {
        const std::string text = text_of(size);
        const std::string ours = co_await through(steps.seal, text, options);
        put(sealed, ours);
        EXPECT_EQ(shell(python + "open" + common + sealed + " " + opened), 0);
        EXPECT_TRUE(file_text(opened) == text) << size << " bytes of ours, read by them";
        EXPECT_EQ(shell(python + "seal" + common + steps.seal.body.path + " " + sealed), 0);
        const std::string back = co_await through(steps.unseal, file_text(sealed), options);
        EXPECT_TRUE(back == text) << size << " bytes of theirs, read by us";
    }
    EXPECT_EQ(steps.unseal.outputs["key_id"], steps.seal.outputs["key_id"]);
    co_await steps.close();
}
TEST(SealSteps, AnotherImplementationReadsAndWritesTheSame) { test::on_loop(interop); }

Task<void> seal_damage(Loop& loop) {
    Steps steps(loop);
    const std::string right = "key_file: " + steps.key_file(kKey);
    const std::string file = co_await through(steps.seal, text_of(2'500'000), right);
    std::string changed = file;
    changed[2'000'000] = static_cast<char>(changed[2'000'000] ^ 1);
    const Error tampered = co_await refused(steps.unseal, changed, right);
    EXPECT_EQ(tampered.code, Errc::corrupt);
    EXPECT_FALSE(info(tampered.code).retryable);
    EXPECT_EQ(tampered.message, "segment 1 does not verify: it was changed, moved or cut");
    const Error cut = co_await refused(steps.unseal, file.substr(0, 2 << 20), right);
    EXPECT_EQ(cut.message, "the sealed file is truncated after segment 1");
    const Error wrong =
        co_await refused(steps.unseal, file, "key_file: " + steps.key_file(kOtherKey));
    EXPECT_EQ(wrong.code, Errc::corrupt);
    EXPECT_NE(wrong.hint.find("this key's id is "), std::string::npos);
    const Error aad = co_await refused(steps.unseal, file, right + "\naad: other");
    EXPECT_EQ(aad.code, Errc::corrupt);
    const Error empty = co_await refused(steps.unseal, "", right);
    EXPECT_EQ(empty.message, "the sealed file is truncated");
    for (const Error& one : {tampered, cut, wrong, aad, empty}) {
        EXPECT_EQ(one.text().find(kKey), std::string::npos);
        EXPECT_EQ(one.text().find(kOtherKey), std::string::npos);
    }
    co_await steps.close();
}
TEST(SealSteps, DamageAndWrongKeysEndTheJob) { test::on_loop(seal_damage); }

Task<void> keys(Loop& loop) {
    Steps steps(loop);
    const Error open =
        co_await refused(steps.seal, "x", "key_file: " + steps.key_file(kKey, "644"));
    EXPECT_EQ(open.code, Errc::denied);
    EXPECT_NE(open.message.find("can be read by others (mode 0644)"), std::string::npos);
    EXPECT_TRUE(open.hint.starts_with("chmod 600 ")) << open.hint;
    const Error group =
        co_await refused(steps.seal, "x", "key_file: " + steps.key_file(kKey, "660"));
    EXPECT_EQ(group.code, Errc::denied);
    const Error folder = co_await refused(steps.seal, "x", "key_file: /etc");
    EXPECT_EQ(folder.message, "the key file /etc is a folder");
    const Error open_secret =
        co_await refused(steps.seal, "x", "key: !file " + steps.key_file(kKey, "604"));
    EXPECT_NE(open_secret.message.find("can be read by others (mode 0604)"), std::string::npos);
    const Error missing = co_await refused(steps.seal, "x", "key_file: /nowhere/key");
    EXPECT_EQ(missing.code, Errc::not_found);
    const Error none = co_await refused(steps.seal, "x", "aad: x");
    EXPECT_EQ(none.code, Errc::usage);
    const Error plain = co_await refused(steps.seal, "x", "key: " + kKey);
    EXPECT_EQ(plain.code, Errc::usage) << "a secret in the text of a pipeline";
    EXPECT_EQ(plain.text().find(kKey), std::string::npos);
    const Error short_key = co_await refused(steps.seal, "x", "key_file: " + steps.key_file("abc"));
    EXPECT_EQ(short_key.code, Errc::usage);
    EXPECT_NE(short_key.hint.find("openssl rand -hex 32"), std::string::npos);
    ::setenv("MUSHER_TEST_KEY", kKey.c_str(), 1);
    const std::string sealed = co_await through(steps.seal, "secret", "key: !env MUSHER_TEST_KEY");
    const std::string by_file = "key: !file " + steps.key_file(kKey);
    const std::string back = co_await through(steps.unseal, sealed, by_file);
    EXPECT_EQ(back, "secret");
    co_await steps.close();
}
TEST(SealSteps, AKeyIsASecretOrAFileThatOnlyMusherReads) { test::on_loop(keys); }

}  // namespace
}  // namespace musher
