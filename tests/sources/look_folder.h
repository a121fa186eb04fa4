// A folder with files in it, and looks at them.
#pragma once

#include <gtest/gtest.h>

#include <fstream>

#include "reactor/base/uuid.h"
#include "sources/look.h"
#include "tests/support/temp_dir.h"

namespace musher::hotfolder {

namespace fs = std::filesystem;

inline void write_file(const std::string& path, const std::string& text = "content") {
    std::ofstream(path) << text;
}
inline std::string read_file(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct Folder {
    Folder() {
        // Everybody may drop files, and musher may take them.
        fs::permissions(dir.path(), fs::perms::all);
    }
    std::string operator/(const std::string& name) const { return dir / name; }

    std::shared_ptr<const Premises> open() const {
        PremisesWish wish;
        wish.folder = dir.path();
        wish.pipeline = "test";
        Result<std::shared_ptr<const Premises>> opened = open_premises(wish);
        MUSHER_CHECK(opened.has_value());
        return *opened;
    }
    LookResult look(const LookRequest& request) const {
        Looker looker(open(), rules);
        LookResult result = looker.look(request);
        EXPECT_TRUE(looker.sync().has_value());
        return result;
    }
    static LookRequest request(const std::string& name, const std::string& subfolder = "") {
        LookRequest request;
        request.look.name = name;
        request.look.claim = true;
        request.subfolder = subfolder;
        request.id = new_uuid7(1'700'000'000'000);
        return request;
    }
    LookResult claim(const std::string& name, const std::string& subfolder = "") const {
        return look(request(name, subfolder));
    }
    Finding find(const std::string& name) const { return claim(name).outcome.finding; }

    test::TempDir dir;
    LookRules rules;
};

}  // namespace musher::hotfolder
