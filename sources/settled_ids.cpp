#include "sources/settled_ids.h"

#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <optional>

#include "reactor/base/fd.h"
#include "reactor/base/uuid.h"
#include "reactor/drivers/atomic_file.h"

namespace musher::hotfolder {

namespace {
using Id = SettledIds::Id;
constexpr std::size_t kIdBytes = sizeof(Id);
constexpr std::size_t kMostBytes = 64 << 20;

/// Of a UUID's text: the digits between its dashes.
std::optional<Id> id_of(std::string_view uuid) {
    if (!is_uuid(uuid)) return std::nullopt;
    std::string digits;
    for (const char c : uuid) {
        if (c != '-') digits += c;
    }
    Id id;
    std::from_chars(digits.data(), digits.data() + 16, id.high, 16);
    std::from_chars(digits.data() + 16, digits.data() + 32, id.low, 16);
    return id;
}

Result<SettledIds::Generation> read_generation(const std::string& file) {
    SettledIds::Generation ids;
    const Result<std::string> bytes = read_small_file(file, kMostBytes);
    if (!bytes && bytes.error().code == Errc::not_found) return ids;
    if (!bytes) return fail(bytes.error());
    ids.reserve(bytes->size() / kIdBytes);
    for (std::size_t at = 0; at + kIdBytes <= bytes->size(); at += kIdBytes) {
        Id id;
        std::memcpy(&id, bytes->data() + at, kIdBytes);
        ids.insert(id);
    }
    return ids;
}
}  // namespace

bool SettledIds::knows(std::string_view id) {
    const std::optional<Id> wanted = id_of(id);
    if (!wanted) return false;
    if (young_.contains(*wanted)) return true;
    if (!old_.contains(*wanted)) return false;
    add(id);
    return true;
}

bool SettledIds::holds(std::string_view id) const {
    const std::optional<Id> wanted = id_of(id);
    return wanted && (young_.contains(*wanted) || old_.contains(*wanted));
}

void SettledIds::add(std::string_view id) {
    const std::optional<Id> settled = id_of(id);
    if (settled && young_.insert(*settled).second) unsaved_.push_back(*settled);
}

void SettledIds::adopt(Generations found) {
    for (const Id& id : young_) found.young.insert(id);
    young_ = std::move(found.young);
    old_ = std::move(found.old);
}

SettledIds::Batch SettledIds::take() {
    Batch batch;
    batch.ids = std::exchange(unsaved_, {});
    batch.last = young_.size() >= most_;
    if (batch.last) old_ = std::exchange(young_, {});
    return batch;
}

void SettledIds::put_back(Batch batch) {
    unsaved_.insert(unsaved_.end(), batch.ids.begin(), batch.ids.end());
}

Result<SettledIds::Generations> SettledIds::read() const {
    Generations found;
    if (file_.empty()) return found;
    MUSHER_TRY(found.young, read_generation(file_));
    MUSHER_TRY(found.old, read_generation(old_file()));
    return found;
}

Result<void> SettledIds::write(const Batch& batch) const {
    MUSHER_DO(make_folders(file_.substr(0, file_.rfind('/'))));
    MUSHER_TRY(const Fd file, Fd::open(file_, O_WRONLY | O_CREAT | O_APPEND, 0600));
    struct stat status{};
    if (::fstat(file.get(), &status) != 0 ||
        ::ftruncate(file.get(), status.st_size - status.st_size % static_cast<off_t>(kIdBytes)) !=
            0) {
        return fail(errno_error(errno, "writing " + file_));
    }
    const char* bytes = reinterpret_cast<const char*>(batch.ids.data());
    MUSHER_DO(write_all(file.get(), std::string_view(bytes, batch.ids.size() * kIdBytes)));
    if (batch.last && std::rename(file_.c_str(), old_file().c_str()) != 0) {
        return fail(errno_error(errno, "renaming " + file_));
    }
    return {};
}

}  // namespace musher::hotfolder
