#include "reactor/filters/digest.h"

#include <algorithm>
#include <cstring>

namespace musher {

namespace {

class DigestFilter final : public Filter {
  public:
    explicit DigestFilter(DigestKind kind) : kind_(kind), digest_(kind) {}
    std::string_view name() const override { return "digest"; }
    Result<void> push(ByteView& input, Slice& out) override {
        const std::size_t size = std::min(input.size(), out.room());
        if (size == 0) return {};
        std::memcpy(out.tail(), input.data(), size);
        digest_.update(input.first(size));
        bytes_ += size;
        out.resize(out.size() + size);
        input = input.subspan(size);
        return {};
    }
    Result<bool> finish(Slice&) override {
        hex_ = digest_.hex();
        return true;
    }
    Json result() const override {
        Json all{{"bytes", bytes_}};
        all[std::string(digest_name(kind_))] = hex_;
        return all;
    }

  private:
    DigestKind kind_;
    Digest digest_;
    std::uint64_t bytes_ = 0;
    std::string hex_;
};

}  // namespace

std::unique_ptr<Filter> make_digest(DigestKind kind) {
    return std::make_unique<DigestFilter>(kind);
}

}  // namespace musher
