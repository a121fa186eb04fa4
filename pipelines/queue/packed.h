// PackedReader: reads what the scripts packed (MessagePack numbers and strings, one after another).
#pragma once

#include <cstdint>
#include <string_view>

namespace musher {

class PackedReader {
  public:
    explicit PackedReader(std::string_view bytes) : left_(bytes) {}
    /// 0 and not ok() for anything that is not a whole number.
    std::int64_t number();
    /// Empty and not ok() for anything that is not a string. Views the bytes given.
    std::string_view text();
    /// What follows the last item read.
    std::string_view rest() const { return left_; }
    bool ok() const { return ok_; }

  private:
    unsigned char take();
    std::uint64_t big_endian(std::size_t bytes);
    std::string_view left_;
    bool ok_ = true;
};

}  // namespace musher
