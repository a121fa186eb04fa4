#include "reactor/tree/large_file.h"

#include <algorithm>

namespace musher {

Result<Piece> LargeFile::next() {
    Shared& file = *shared_;
    if (!prepared_) {
        MUSHER_DO(file.named(file.open_both()));
        prepared_ = true;
    }
    const auto end = static_cast<std::uint64_t>(file.info.st_size);
    if (offset_ == end) {
        MUSHER_DO(file.leave());
        return Piece();
    }
    const std::uint64_t size = std::min(kFileRange, end - offset_);
    ++file.open;
    Piece piece = [shared = shared_, from = offset_, size](Hand& hand) {
        return shared->copy_one(from, size, hand);
    };
    offset_ += size;
    return piece;
}

Result<void> LargeFile::Shared::named(Result<void> done) const {
    if (done) return done;
    return fail(std::move(done).error().within(folder->path_of(name.c_str())));
}

Result<void> LargeFile::Shared::open_both() {
    MUSHER_TRY(from, folder->open_source(name.c_str()));
    MUSHER_DO(check_unchanged(from.get(), info));
    MUSHER_TRY(to, folder->open_copy(name.c_str()));
    return prepare_large(from.get(), to.get(), info);
}

Result<void> LargeFile::Shared::copy_one(std::uint64_t offset, std::uint64_t size, Hand& hand) {
    MUSHER_DO(named(copy_range(from.get(), to.get(), info, offset, size, copy.ways, hand.buffer)));
    copy.counters.bytes += size;
    return leave();
}

Result<void> LargeFile::Shared::leave() {
    if (--open > 0) return {};
    MUSHER_DO(named(finish()));
    return folder->leave();
}

Result<void> LargeFile::Shared::finish() {
    MUSHER_DO(check_unchanged(from.get(), info));
    MUSHER_TRY(const unsigned unkept, copy_attributes(from.get(), to.get(), info, copy.creator,
                                                      copy.creator.given(info.st_mode)));
    copy.counters.unkept += unkept;
    ++copy.counters.files;
    from.reset();
    to.reset();
    return {};
}

}  // namespace musher
