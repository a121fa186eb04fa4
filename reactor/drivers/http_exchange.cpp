#include "reactor/drivers/http_exchange.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "reactor/base/limits.h"

namespace musher {

namespace {
std::string small_letters(std::string text) {
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
}
}  // namespace

Http::Exchange::Exchange(Loop& loop, const HttpRequest& request)
    : transfer(loop), request_(request), headers_(nullptr, &curl_slist_free_all) {}

std::size_t Http::Exchange::on_head(char* data, std::size_t, std::size_t size, void* self) {
    std::string_view line(data, size);
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
    static_cast<Exchange*>(self)->take_head_line(line);
    return size;
}

void Http::Exchange::take_head_line(std::string_view line) {
    if (line.starts_with("HTTP/")) {  // also after a redirect, and after 1xx
        response_.headers.clear();
        headed_ = false;
        const std::size_t space = line.find(' ');
        response_.status = space == std::string_view::npos
                               ? 0
                               : std::atoi(std::string(line.substr(space)).c_str());
        return;
    }
    if (line.empty()) headed_ = true;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string name = small_letters(std::string(line.substr(0, colon)));
    line.remove_prefix(colon + 1);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    response_.headers.emplace_back(std::move(name), std::string(line));
}

/// Decides once, before the first byte of the body, how it is read.
void Http::Exchange::begin_body() {
    if (std::exchange(begun_, true) || !request_.compressed) return;
    const std::string coding = small_letters(response_.header("content-encoding"));
    if (coding == "gzip" || coding == "x-gzip") {
        gunzip_.emplace();
    } else if (!coding.empty() && coding != "identity" && response_.ok()) {
        fault_ = says(Errc::failed, "the answer's encoding is not gzip, and nobody asked for it");
    }
}

std::size_t Http::Exchange::on_body(char* data, std::size_t, std::size_t size, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    exchange.begin_body();
    if (exchange.fault_) return CURL_WRITEFUNC_ERROR;
    const bool streams = exchange.request_.on_data || exchange.request_.on_slice;
    if (streams && exchange.response_.ok()) return exchange.take_piece({data, size});
    return exchange.keep({data, size}) ? size : CURL_WRITEFUNC_ERROR;
}

/// False when that is enough, or a fault.
bool Http::Exchange::keep(std::string_view piece) {
    if (!gunzip_) return keep_plain(piece);
    constexpr std::size_t kRoom = 64 << 10;
    for (bool more = true; more;) {
        std::string plain;
        const Result<bool> unpacked = gunzip_->unpack(piece, plain, kRoom);
        if (!unpacked) fault_ = says(unpacked.error().code, unpacked.error().message);
        if (!unpacked || !keep_plain(plain)) return false;
        more = *unpacked;
    }
    return true;
}

bool Http::Exchange::keep_plain(std::string_view piece) {
    const std::size_t room = request_.response_limit - response_.body.size();
    response_.body.append(piece.substr(0, room));
    if (piece.size() <= room) return true;
    response_.truncated = enough_ = true;
    return false;
}

Result<bool> Http::Exchange::write(std::string_view& arrived) {
    if (!gunzip_) {
        MUSHER_DO(request_.on_slice(std::exchange(arrived, {})));
        return false;
    }
    std::string plain;
    const Result<bool> more = gunzip_->unpack(arrived, plain, limits::kSliceBytes);
    if (!more) return fail(says(more.error().code, more.error().message));
    unpacked_ += plain.size();
    burst_ = unpacked_ > request_.stream_limit;
    if (burst_) return false;
    if (!plain.empty()) MUSHER_DO(request_.on_slice(plain));
    return *more;
}

std::uint64_t Http::Exchange::announced() const {
    return std::strtoull(response_.header("content-length").c_str(), nullptr, 10);
}

std::size_t Http::Exchange::take_piece(std::string_view piece) {
    if (enough_) return CURL_WRITEFUNC_ERROR;
    const std::uint64_t room = request_.stream_limit - streamed_;
    if (piece.size() > room || (streamed_ == 0 && announced() > room)) {
        transfer.changed.wake_one();
        response_.truncated = enough_ = true;
        return CURL_WRITEFUNC_ERROR;
    }
    if (!arrived_.empty() && arrived_.size() + piece.size() > limits::kSliceBytes) {
        sated = true;  // curl keeps this piece and brings it again
        return CURL_WRITEFUNC_PAUSE;
    }
    streamed_ += piece.size();
    arrived_.append(piece);
    transfer.changed.wake_one();
    return piece.size();
}

void Http::Exchange::deliver() {
    const std::string piece = take_arrived();
    if (!enough_) enough_ = !request_.on_data(piece);
}

/// Without a length, chunks or HTTP/2's frames the end is where the connection ends, for whatever
/// reason it does.
bool Http::Exchange::is_delimited() const {
    long version = 0;
    curl_easy_getinfo(transfer.easy, CURLINFO_HTTP_VERSION, &version);
    if (version != CURL_HTTP_VERSION_1_0 && version != CURL_HTTP_VERSION_1_1) return true;
    if (request_.method == "HEAD" || response_.status == 204 || response_.status == 304) {
        return true;
    }
    const std::string coding = small_letters(response_.header("transfer-encoding"));
    return !response_.header("content-length").empty() ||
           coding.find("chunked") != std::string::npos;
}

/// Sound framing tells that all bytes came, not that they were all there are.
bool Http::Exchange::unpacks_whole() const {
    const bool bodiless = request_.method == "HEAD" || response_.status == 204;
    const bool asked = response_.ok() && !response_.truncated && !bodiless;
    return !asked || !gunzip_ || gunzip_->whole();
}

/// Nothing was amiss with the request: only the rest of the answer is missing.
bool Http::Exchange::is_done_anyway() const {
    if (!request_.head_suffices || !headed_ || !response_.ok()) return false;
    curl_off_t sent = 0;
    curl_easy_getinfo(transfer.easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    return static_cast<std::uint64_t>(sent) >= upload_size_;
}

Result<HttpResponse> Http::Exchange::result() {
    begin_body();
    if (fault_ && response_.ok()) return fail(*fault_);
    if (transfer.code != CURLE_OK && !enough_ && !fault_) {
        if (!is_done_anyway()) return fail(failure());
        response_.body.clear();
        response_.truncated = true;
    }
    if (burst_) response_.truncated = true;
    if (!unpacks_whole()) {
        return fail(says(Errc::failed, "the answer ends in the middle of its gzip stream"));
    }
    curl_off_t seconds = 0;
    curl_easy_getinfo(transfer.easy, CURLINFO_RETRY_AFTER, &seconds);
    constexpr std::chrono::seconds kMost = kLongestRetryAfter;
    response_.retry_after = std::chrono::seconds(std::clamp<curl_off_t>(seconds, 0, kMost.count()));
    response_.delimited = is_delimited();
    const std::string location = response_.header("location");
    if (response_.status / 100 == 3 && request_.redirects == 0 && !location.empty()) {
        response_.location = redirect_target(request_.url, location);
    }
    return std::move(response_);
}

Error Http::Exchange::says(Errc code, const std::string& what) const {
    return Error(code, request_.method + " " + request_.shown() + ": " + what);
}

Error Http::Exchange::no_url(const std::string& why) const {
    return Error(Errc::usage, request_.method + ": the URL " + why,
                 "url_encode(…) around each part that is a name: ${url_encode(event.name)}");
}

Error Http::Exchange::failure() const {
    const auto say = [&](Errc code, std::string what) {
        if (!what.empty())
            what[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(what[0])));
        return says(code, what);
    };
    // curl's own words name hosts and ports, never the URL.
    const std::string reason = reason_[0] ? reason_ : curl_easy_strerror(transfer.code);
    switch (transfer.code) {
        case CURLE_URL_MALFORMAT:
            return no_url(request_.url.find(' ') == std::string::npos ? "is malformed"
                                                                      : "holds a blank");
        case CURLE_UNSUPPORTED_PROTOCOL: {
            // Before a connection of the URL's scheme, behind it of the answer.
            curl_off_t connected = 0;
            curl_easy_getinfo(transfer.easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
            return connected > 0 ? say(Errc::unavailable, "what answers there speaks no HTTP")
                                 : say(Errc::usage, curl_easy_strerror(transfer.code));
        }
        case CURLE_WEIRD_SERVER_REPLY:
            return say(Errc::unavailable, reason);
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
            return say(Errc::denied, reason);
        case CURLE_OPERATION_TIMEDOUT: {
            curl_off_t connected = 0;
            curl_easy_getinfo(transfer.easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
            return connected == 0 ? say(Errc::unavailable, "no connection in time")
                                  : say(Errc::timeout, "no complete answer in time");
        }
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT:
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SEND_ERROR:
        case CURLE_RECV_ERROR:
        case CURLE_GOT_NOTHING:
        case CURLE_PARTIAL_FILE:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM:
            return say(Errc::unavailable, reason);
        default:
            return say(Errc::failed, curl_easy_strerror(transfer.code));
    }
}

}  // namespace musher
