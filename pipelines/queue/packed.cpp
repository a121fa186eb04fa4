#include "pipelines/queue/packed.h"

namespace musher {

unsigned char PackedReader::take() {
    if (left_.empty()) {
        ok_ = false;
        return 0;
    }
    const auto byte = static_cast<unsigned char>(left_.front());
    left_.remove_prefix(1);
    return byte;
}

std::uint64_t PackedReader::big_endian(std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | take();
    return value;
}

std::int64_t PackedReader::number() {
    const unsigned char tag = take();
    if (tag < 0x80) return tag;
    if (tag >= 0xe0) return static_cast<signed char>(tag);
    if (tag >= 0xcc && tag <= 0xcf) {
        return static_cast<std::int64_t>(big_endian(std::size_t{1} << (tag - 0xcc)));
    }
    switch (tag) {
        case 0xd0:
            return static_cast<std::int8_t>(big_endian(1));
        case 0xd1:
            return static_cast<std::int16_t>(big_endian(2));
        case 0xd2:
            return static_cast<std::int32_t>(big_endian(4));
        case 0xd3:
            return static_cast<std::int64_t>(big_endian(8));
        default:
            ok_ = false;
            return 0;
    }
}

std::string_view PackedReader::text() {
    const unsigned char tag = take();
    std::uint64_t size = 0;
    if ((tag & 0xe0) == 0xa0) {
        size = tag & 0x1f;
    } else if (tag >= 0xd9 && tag <= 0xdb) {
        size = big_endian(std::size_t{1} << (tag - 0xd9));
    } else {
        ok_ = false;
    }
    if (size > left_.size()) ok_ = false;
    if (!ok_) return {};
    const std::string_view text = left_.substr(0, size);
    left_.remove_prefix(size);
    return text;
}

}  // namespace musher
