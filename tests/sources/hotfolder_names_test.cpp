// Names: what is wanted, what a marker is, and how a claimed path gives the first name back.
#include <gtest/gtest.h>

#include "reactor/base/text.h"
#include "reactor/base/uuid.h"
#include "sources/file_facts.h"
#include "sources/name_rules.h"
#include "sources/work_path.h"

namespace musher::hotfolder {
namespace {

using Verdict = NameRules::Verdict;

NameRules rules(std::vector<std::string> match, const char* marker = "", bool exact = false) {
    return NameRules(std::move(match), {".*", "*.tmp", "*.part", "*.crdownload", "~$*"},
                     *MarkerPattern::parse(marker), exact);
}

TEST(NameRules, JudgesNames) {
    const NameRules pdf = rules({"*.pdf"});
    EXPECT_EQ(pdf.judge("", "a.pdf"), Verdict::wanted);
    EXPECT_EQ(pdf.judge("", "A.PDF"), Verdict::wanted);
    EXPECT_EQ(pdf.judge("", "a.txt"), Verdict::unmatched);
    EXPECT_EQ(pdf.judge("", ".a.pdf"), Verdict::ignored);
    EXPECT_EQ(pdf.judge("", "~$a.pdf"), Verdict::ignored);
    EXPECT_EQ(rules({"*"}).judge("", "a.crdownload"), Verdict::ignored);
    EXPECT_EQ(rules({"*.pdf"}, "", true).judge("", "A.PDF"), Verdict::unmatched);
    EXPECT_EQ(rules({"*.pdf", "*.jpg"}).judge("", "a.jpg"), Verdict::wanted);
}

TEST(NameRules, APatternWithASlashIsHeldAgainstThePath) {
    const NameRules deep = rules({"in/*.pdf"});
    EXPECT_EQ(deep.judge("in", "a.pdf"), Verdict::wanted);
    EXPECT_EQ(deep.judge("", "a.pdf"), Verdict::unmatched);
}

TEST(NameRules, WhatMusherPutsThereIsNeverInput) {
    const NameRules all({"*"}, {}, {}, false);
    EXPECT_EQ(all.judge("", ".hidden"), Verdict::wanted);
    EXPECT_EQ(all.judge("", ".musher"), Verdict::ignored);
    EXPECT_EQ(all.judge("", ".a.musher-tmp-0123456789ab"), Verdict::ignored);
    EXPECT_EQ(all.judge("", ".probe.musher-tmp-made"), Verdict::ignored);
    EXPECT_EQ(all.judge("", "a.musher-tmp-0123456789ab"), Verdict::wanted);
}

TEST(NameRules, Markers) {
    const NameRules named = rules({"*"}, "{name}.done");
    EXPECT_EQ(named.marker().path_for("a.pdf"), "a.pdf.done");
    EXPECT_EQ(named.judge("", "a.pdf.done"), Verdict::marker);
    EXPECT_EQ(named.judge("", ".done"), Verdict::ignored);
    EXPECT_EQ(rules({"*"}, "{stem}.ok").marker().path_for("a.pdf"), "a.ok");
    EXPECT_EQ(rules({"*"}, "READY").judge("", "READY"), Verdict::marker);
    EXPECT_FALSE(rules({"*"}, "READY").marker().per_file());
    const NameRules inside = rules({"*"}, "{name}/READY");
    EXPECT_EQ(inside.marker().path_for("job"), "job/READY");
    EXPECT_EQ(inside.judge("", "READY"), Verdict::wanted);
    for (const char* wrong : {"{name}", "{who}.done", "{name", "{name}{stem}"}) {
        EXPECT_EQ(MarkerPattern::parse(wrong).error().code, Errc::usage) << wrong;
    }
}

TEST(NameRules, StemsAndExtensions) {
    EXPECT_EQ(stem_of("a.tar.gz"), "a.tar");
    EXPECT_EQ(extension_of("a.tar.gz"), "gz");
    EXPECT_EQ(stem_of(".bashrc"), ".bashrc");
    EXPECT_EQ(extension_of(".bashrc"), "");
    EXPECT_EQ(extension_of("README"), "");
}

const std::string kId = new_uuid7(1'700'000'000'000);

std::optional<WorkPath> round_trip(const std::string& subfolder, const std::string& name,
                                   bool folder = false) {
    return parse_work_path("/srv/in/" + work_folder("inv", "") + "/" + mirror_of(subfolder) +
                           claim_name(kId, name, folder));
}

TEST(WorkPath, GivesTheFirstNameBack) {
    const std::string names[] = {"a.pdf",
                                 "-rf",
                                 "a\nb",
                                 "%41",
                                 "\xff\xfe.pdf",
                                 "100%\xff",
                                 "=x",
                                 kId,
                                 std::string(255, 'n'),
                                 std::string(255, '\xfe')};
    for (const std::string& name : names) {
        for (const std::string subfolder : {"", "a", "a/=b/c.d", kId.c_str(), "a/\xff"}) {
            for (const bool folder : {false, true}) {
                const auto found = round_trip(subfolder, name, folder);
                ASSERT_TRUE(found.has_value()) << escape_name(name);
                EXPECT_EQ(found->name, name);
                EXPECT_EQ(found->subfolder, subfolder);
                EXPECT_EQ(found->folder, "/srv/in");
                EXPECT_EQ(found->pipeline, "inv");
                EXPECT_EQ(found->id, kId);
            }
        }
    }
}

TEST(FileFacts, AreAllEscapedOrNone) {
    const FileSample sample{};
    const Json plain = file_facts("/in/a%41.ä", "/in/a%41.ä", sample);
    EXPECT_EQ(plain["name"], "a%41.ä");
    EXPECT_FALSE(plain.contains("name_escaped"));
    const Json odd = file_facts("/in/x", "/in/a%41.\xff", sample);
    EXPECT_EQ(odd["name_escaped"], true);
    for (const auto& [fact, bytes] :
         {std::pair("stem", "a%41"), {"name", "a%41.\xff"}, {"ext", "\xff"}, {"dir", "/in"}}) {
        EXPECT_EQ(unescape_name(odd[fact].get<std::string>()), bytes) << fact;
    }
    const Json below = file_facts("/in/x", "/in\xff/a%41", sample);
    EXPECT_EQ(unescape_name(below["name"].get<std::string>()), "a%41");
}

TEST(WorkPath, EveryPartOfAClaimFitsTheFileSystem) {
    for (const std::size_t length : {217u, 218u, 219u, 255u}) {
        const std::string plain = claim_name(kId, std::string(length, 'n'), false);
        EXPECT_EQ(plain.find('/') != std::string::npos, length > kLongestPlainName) << length;
        const std::size_t slash = plain.find('/');
        EXPECT_LE(slash == std::string::npos ? plain.size() : slash, 255u);
    }
    EXPECT_TRUE(is_utf8(claim_name(kId, "\xff.pdf", false))) << "`event.path` can be opened";
}

TEST(WorkPath, OnlyClaimsAreClaims) {
    for (const char* entry : {".lock", "=sub", "a.pdf", "00000000-0000-7000-8000-00000000000"}) {
        EXPECT_FALSE(parse_claim_name(entry).has_value()) << entry;
    }
    EXPECT_FALSE(parse_claim_name(kId + ".").has_value());
    EXPECT_FALSE(parse_claim_name(kId + "-x").has_value());
    EXPECT_TRUE(parse_claim_name(kId)->own_folder);
    EXPECT_FALSE(parse_work_path("/srv/in/a.pdf").has_value());
    EXPECT_FALSE(parse_work_path("/srv/in/.musher/work/inv/" + kId).has_value());
    EXPECT_FALSE(parse_work_path("/srv/in/.musher/work/inv/" + kId + ".a/b").has_value());
    const auto shared = parse_work_path("/srv/in/.musher/work/inv@" + kId + "/" + kId + ".a");
    ASSERT_TRUE(shared.has_value());
    EXPECT_EQ(shared->node, kId);
    const auto root = parse_work_path("/.musher/work/inv/" + kId + ".a");
    ASSERT_TRUE(root.has_value());
    EXPECT_EQ(root->folder, "/");
}

}  // namespace
}  // namespace musher::hotfolder
