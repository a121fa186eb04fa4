// Components describe themselves: help everywhere, examples that work, documents that are true.
#include "pipelines/config/describe.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "pipelines/config/check.h"
#include "pipelines/config/connections.h"
#include "pipelines/config/json_schema.h"
#include "pipelines/config/render_error.h"
#include "pipelines/config/tables.h"
#include "pipelines/config/yaml.h"
#include "tests/support/json_schema_check.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tree.h"

namespace musher {
namespace {

namespace fs = std::filesystem;

std::string read_text(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}
void write_text(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << text;
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
}

void expect_help(const std::vector<Option>& options, const std::string& where) {
    for (const Option& option : options) {
        EXPECT_FALSE(option.help.empty()) << where << "." << option.name;
        EXPECT_NE(option.help.back(), '.') << where << "." << option.name;
        expect_help(option.options, where + "." + std::string(option.name));
    }
}

TEST(Describe, EveryOptionHasHelp) {
    for (const Spec* spec : all_specs()) {
        EXPECT_FALSE(spec->summary.empty()) << spec->name;
        expect_help(spec->options, std::string(spec->name));
        for (const Field& field : spec->fields) {
            EXPECT_FALSE(field.help.empty()) << spec->name << "." << field.name;
        }
    }
    expect_help(daemon_table(), "musher.yml");
    expect_help(pipeline_table(), "pipeline");
    expect_help(step_table(), "step");
    for (const ConnectionKind& kind : connection_kinds()) {
        EXPECT_FALSE(kind.summary.empty()) << kind.name;
        expect_help(kind.options, std::string(kind.name));
    }
}

TEST(Describe, EveryExamplePassesCheck) {
    const test::TempDir dir;
    write_text(dir / "key", std::string(64, 'a'));
    for (const Spec* spec : all_specs()) {
        std::string text(spec->example);
        ASSERT_FALSE(text.empty()) << spec->name;
        const std::string place = "/etc/musher/key";
        if (const std::size_t at = text.find(place); at != std::string::npos) {
            text.replace(at, place.size(), dir / "key");
        }
        const std::string file = dir / (std::string(spec->name) + ".yml");
        write_text(file, text);
        const Configuration read = read_pipelines({file});
        EXPECT_TRUE(read.ok()) << render_problems(read.problems);
        EXPECT_NE(text.find(spec->name), std::string::npos) << spec->name << " is in its example";
    }
}

TEST(Describe, ShippedPipelinesPassCheck) {
    const test::TempDir dir;
    fs::copy("etc/pipelines", dir / "pipelines");
    for (const std::string& file : test::tree_files()) {
        const bool shipped = file.starts_with("pipelines/packs/") && file.ends_with(".yml");
        if (shipped) fs::copy(file, dir / "pipelines");
    }
    write_text(dir / "key", std::string(64, 'a'));
    write_text(dir / "musher.yml",
               "version: 1\nstate: ./state\npipelines: ./pipelines\n"
               "connections: { shop: { postgres: 'postgresql:///shop' } }\n");
    const Configuration read = read_configuration(dir / "musher.yml");
    EXPECT_TRUE(read.ok()) << render_problems(read.problems);
    EXPECT_FALSE(read.pipelines.empty());
}

TEST(Describe, EverySourceHasACommentedPipeline) {
    for (const SourceEntry& source : full_catalogue().sources) {
        const std::string file = "etc/pipelines/" + std::string(source.spec.name) + ".yml";
        ASSERT_TRUE(fs::exists(file)) << file;
        EXPECT_TRUE(read_text(file).starts_with("# An example: ")) << file;
    }
}

/// The blocks of a Markdown file that begin with ```yaml.
std::vector<std::string> yaml_blocks(const std::string& markdown) {
    std::vector<std::string> blocks;
    const std::string fence = "```yaml\n";
    for (std::size_t at = markdown.find(fence); at != std::string::npos;
         at = markdown.find(fence, at)) {
        at += fence.size();
        blocks.push_back(markdown.substr(at, markdown.find("```", at) - at));
    }
    return blocks;
}

TEST(Describe, YamlInTheDocumentsPassesCheck) {
    const test::TempDir dir;
    int number = 0;
    for (const char* document : {"README.md", "etc/doc/RUNBOOK.md", "etc/doc/ARCHITECTURE.md"}) {
        for (const std::string& block : yaml_blocks(read_text(document))) {
            const std::string file = dir / ("block" + std::to_string(++number) + ".yml");
            write_text(file, block);
            const Configuration read = read_pipelines({file});
            EXPECT_TRUE(read.ok()) << document << ":\n" << render_problems(read.problems);
        }
    }
    EXPECT_GT(number, 0);
}

TEST(Describe, TheCommentedConfigurationPassesCheck) {
    const test::TempDir dir;
    std::string text = read_text("etc/musher.yml");
    const std::string place = "/etc/musher/pipelines";
    fs::create_directory(dir / "pipelines");
    text.replace(text.find(place), place.size(), dir / "pipelines");
    write_text(dir / "musher.yml", text);
    const Configuration read = read_configuration(dir / "musher.yml");
    EXPECT_TRUE(read.ok()) << render_problems(read.problems);
}

/// What an editor with the schema says of the text; "" when it has no objection.
std::string objection(const Json& schema, const std::string& text) {
    std::vector<Problem> problems;
    const auto root = parse_yaml(text, "p.yml", problems);
    return root ? test::schema_fault(schema, root->to_json(true)) : "no YAML";
}

TEST(Describe, SchemasAcceptWhatCheckAccepts) {
    const Json pipeline = pipeline_schema();
    for (const Spec* spec : all_specs()) {
        EXPECT_EQ(objection(pipeline, std::string(spec->example)), "") << spec->name;
    }
    for (const auto& entry : fs::directory_iterator("etc/pipelines")) {
        EXPECT_EQ(objection(pipeline, read_text(entry.path())), "") << entry.path();
    }
    EXPECT_EQ(objection(pipeline,
                        "version: 1\nsource: { hotfolder: { path: a, poll: 1s } }\n"
                        "when: true\nlimits: { parallel: \"${vars.n}\", timeout: 0 }\n"
                        "steps:\n  - xz_expand\n  - log: 5\n    id: x\n  - exec: a\n"
                        "  - exec: [ a, b ]\n  - xz_compress:\n"),
              "");
    EXPECT_EQ(objection(pipeline, "version: 1\nsource: { timer: 1h }\nsteps: []\n"), "");
    EXPECT_EQ(objection(musher_schema(),
                        "version: 1\nqueue: { redis: \"redis://h\" }\nvars:\n"
                        "connections: { a: { postgres: x }, b: { redis: y } }\n"
                        "http: { listen: a:1, token: !env X }\n"),
              "");
}

TEST(Describe, SchemasRefuseWhatCheckRefuses) {
    const Json schema = pipeline_schema();
    const std::string head = "version: 1\nsource: { hotfolder: { path: a } }\n";
    const std::pair<std::string, const char*> kWrong[] = {
        {"version: 2\nsource: { hotfolder: { path: a } }\nsteps: []\n", "/version: const"},
        {"version: 1\nsource: { hotfolder: { } }\nsteps: []\n", "/source"},
        {head, ": required"},
        {head + "steps: []\nstpes: []\n", "/stpes: no such key"},
        {head + "steps: [ seal, lgo: x ]\n", "/steps/1"},
        {head + "steps: [ { log: x, directory: y } ]\n", "/steps/0"},
        {head + "steps: [ http_post: \"http://h\" ]\n", "/steps/0"},
        {head + "steps: [ http_get: [ \"http://h\" ] ]\n", "/steps/0"},
        {head + "steps: [ xz_compress: { level: 10 } ]\n", "/steps/0"},
        {head + "steps: []\nlimits: { timeout: 5 min }\n", "/limits/timeout"},
    };
    for (const auto& [text, place] : kWrong) {
        const std::string said = objection(schema, text);
        EXPECT_NE(said.find(place), std::string::npos) << said << " of\n" << text;
    }
}

TEST(Describe, DocumentsAreThoseOfTheTables) {
    EXPECT_EQ(read_text("etc/doc/REFERENCE.md"), reference())
        << "write it anew: musher describe --reference > etc/doc/REFERENCE.md";
    EXPECT_EQ(read_text("etc/doc/pipeline.schema.json"), pipeline_schema().dump(2) + "\n")
        << "write it anew: musher describe --schema > etc/doc/pipeline.schema.json";
    EXPECT_EQ(read_text("etc/doc/musher.schema.json"), musher_schema().dump(2) + "\n")
        << "write it anew: musher describe --schema musher.yml > etc/doc/musher.schema.json";
}

}  // namespace
}  // namespace musher
