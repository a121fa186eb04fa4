#include "reactor/drivers/gunzip.h"

#include <zlib.h>

namespace musher {

struct Gunzip::State {
    z_stream stream{};
    bool ended = false;
};

Gunzip::Gunzip() : state_(std::make_unique<State>()) {
    // 15 bits of window are the most that there are; 16 more: gzip, and nothing else.
    MUSHER_CHECK(inflateInit2(&state_->stream, 15 + 16) == Z_OK);
}

Gunzip::Gunzip(Gunzip&&) noexcept = default;

Gunzip::~Gunzip() {
    if (state_) inflateEnd(&state_->stream);
}

Result<bool> Gunzip::unpack(std::string_view& packed, std::string& plain, std::size_t room) {
    z_stream& stream = state_->stream;
    if (state_->ended && !packed.empty()) {
        inflateReset(&stream);
        state_->ended = false;
    }
    const std::size_t before = plain.size();
    plain.resize(before + room);
    stream.next_in = reinterpret_cast<z_const Bytef*>(const_cast<char*>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = reinterpret_cast<Bytef*>(plain.data() + before);
    stream.avail_out = static_cast<uInt>(room);
    const int code = state_->ended ? Z_STREAM_END : inflate(&stream, Z_NO_FLUSH);
    packed.remove_prefix(packed.size() - stream.avail_in);
    plain.resize(before + room - stream.avail_out);
    state_->ended = code == Z_STREAM_END;
    // Z_BUF_ERROR: there was nothing to do.
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
        return fail(Errc::failed, "the answer's gzip stream is damaged");
    }
    // Full to the brim: more may be waiting inside.
    return !packed.empty() || (stream.avail_out == 0 && !state_->ended);
}

bool Gunzip::whole() const { return state_->ended; }

}  // namespace musher
