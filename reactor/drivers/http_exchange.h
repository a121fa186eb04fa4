// One request and its answer on libcurl: what Http::send drives.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "reactor/base/fd.h"
#include "reactor/drivers/curl_multi.h"
#include "reactor/drivers/gunzip.h"
#include "reactor/drivers/http.h"

namespace musher {

/// Lives in the frame of Http::send, with the request it refers to.
class Http::Exchange {
  public:
    Exchange(Loop& loop, const HttpRequest& request);

    /// Sets every option; `usage` for what cannot be sent. `upload_size`: of body_file.
    Result<void> prepare(std::uint64_t upload_size);
    /// Opens body_file; on the pool.
    Result<std::uint64_t> open_body();
    /// Reads the slice that curl waits for; on the pool. Empty at the end of the file.
    Result<std::string> read_body(std::uint64_t offset) const;
    /// What became of the transfer, once it is done.
    Result<HttpResponse> result();
    bool has_arrived() const { return !arrived_.empty() && !burst_; }
    bool ended() const { return transfer.done || enough_ || burst_; }
    /// Gives what has come to on_data.
    void deliver();
    /// The same to on_slice, with what take_arrived() gave; on the pool. Takes some of it or all;
    /// true: call again, there is more.
    std::string take_arrived() { return std::exchange(arrived_, {}); }
    Result<bool> write(std::string_view& arrived);
    bool blocks() const { return static_cast<bool>(request_.on_slice); }

    CurlTransfer transfer;
    bool hungry = false;       // curl waits for more of the body
    bool sated = false;        // curl holds back what came until more is wanted
    std::uint64_t offset = 0;  // of the body file, where `slice` begins
    std::string slice;
    std::size_t slice_used = 0;
    unsigned rewinds = 0;  // how often curl began the body again

  private:
    void prepare_body(std::uint64_t upload_size);
    Result<void> prepare_headers();
    void take_head_line(std::string_view line);
    void begin_body();
    std::size_t take_piece(std::string_view piece);
    bool keep(std::string_view piece);
    bool keep_plain(std::string_view piece);
    bool unpacks_whole() const;
    bool is_done_anyway() const;
    bool is_delimited() const;
    std::uint64_t announced() const;  // Content-Length, 0 without one
    Error says(Errc code, const std::string& what) const;
    Error no_url(const std::string& why) const;
    Error failure() const;
    static std::size_t on_head(char* data, std::size_t, std::size_t size, void* self);
    static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self);
    static std::size_t on_read(char* to, std::size_t, std::size_t size, void* self);
    static int on_seek(void* self, curl_off_t offset, int origin);

    const HttpRequest& request_;
    HttpResponse response_;
    std::string arrived_;         // for on_data and on_slice, up to a slice
    std::uint64_t streamed_ = 0;  // bytes of it so far
    bool enough_ = false;         // we ended it ourselves: the answer is long enough
    bool headed_ = false;         // the last head came to its end
    bool begun_ = false;          // its headers are whole, and judged
    std::optional<Error> fault_;  // of the answer
    std::optional<Gunzip> gunzip_;
    std::uint64_t unpacked_ = 0;  // bytes of it that write() made
    bool burst_ = false;          // they became too many
    std::uint64_t upload_size_ = 0;
    Fd body_;
    std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers_;
    char reason_[CURL_ERROR_SIZE] = "";
};

}  // namespace musher
