#include "reactor/tree/large_file.h"

#include <algorithm>

namespace musher {

Result<Piece> LargeFile::next() {
    Shared& file = *shared_;
    if (!prepared_) {
        Result<void> done = prepare_large(file.from.get(), file.to.get(), file.info);
        if (!done) return fail(std::move(done).error().within(file.path));
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

Result<void> LargeFile::Shared::copy_one(std::uint64_t offset, std::uint64_t size, Hand& hand) {
    Result<void> done =
        copy_range(from.get(), to.get(), info, offset, size, copy.ways, hand.buffer);
    if (!done) return fail(std::move(done).error().within(path));
    copy.counters.bytes += size;
    return leave();
}

Result<void> LargeFile::Shared::leave() {
    if (--open > 0) return {};
    Result<void> done = finish();
    if (!done) return fail(std::move(done).error().within(path));
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
