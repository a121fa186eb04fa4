// Byte buffers: a Slice is an owned block that moves through a chain without being copied.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace musher {

using ByteView = std::span<const unsigned char>;

inline ByteView as_bytes(std::string_view text) {
    return ByteView(reinterpret_cast<const unsigned char*>(text.data()), text.size());
}
inline std::string_view as_text(ByteView bytes) {
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

/// A block of fixed capacity, filled from the front; moves only, not initialised.
class Slice {
  public:
    Slice() = default;
    explicit Slice(std::size_t capacity)
        : data_(std::make_unique_for_overwrite<unsigned char[]>(capacity)), capacity_(capacity) {}

    unsigned char* data() { return data_.get(); }
    const unsigned char* data() const { return data_.get(); }
    std::size_t size() const { return size_; }
    std::size_t capacity() const { return capacity_; }
    std::size_t room() const { return capacity_ - size_; }
    bool empty() const { return size_ == 0; }
    void resize(std::size_t size) { size_ = size; }
    unsigned char* tail() { return data_.get() + size_; }
    ByteView view() const { return ByteView(data_.get(), size_); }

  private:
    std::unique_ptr<unsigned char[]> data_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace musher
