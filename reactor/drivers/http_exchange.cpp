#include "reactor/drivers/http_exchange.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "reactor/base/limits.h"

namespace musher {

namespace {
long in_ms(Duration span) {
    return static_cast<long>(std::chrono::duration_cast<milliseconds>(span).count());
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool begins_fold(std::string_view text, std::string_view start) {
    return text.size() >= start.size() &&
           std::equal(start.begin(), start.end(), text.begin(), [](char a, char b) {
               return std::tolower(static_cast<unsigned char>(a)) ==
                      std::tolower(static_cast<unsigned char>(b));
           });
}
}  // namespace

Http::Exchange::Exchange(Loop& loop, const HttpRequest& request)
    : transfer(loop), request_(request), headers_(nullptr, &curl_slist_free_all) {}

Result<void> Http::Exchange::prepare(std::uint64_t upload_size) {
    CURL* easy = transfer.easy;
    if (has_control(request_.url)) return fail(Errc::usage, "the URL holds a control character");
    curl_easy_setopt(easy, CURLOPT_URL, request_.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, request_.redirects > 0 ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, static_cast<long>(request_.redirects));
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, in_ms(request_.connect_timeout));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, in_ms(request_.timeout));
    if (request_.silence.count() > 0) {
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (in_ms(request_.silence) + 999) / 1000);
    }
    if (!request_.ca_file.empty()) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, request_.ca_file.c_str());
        curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    }
    if (!request_.unix_socket.empty()) {
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, request_.unix_socket.c_str());
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    }
    if (request_.compressed) curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "musher");
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, reason_);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Exchange::on_head);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Exchange::on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
    prepare_body(upload_size);
    return prepare_headers();
}

void Http::Exchange::prepare_body(std::uint64_t upload_size) {
    CURL* easy = transfer.easy;
    const bool file = !request_.body_file.empty();
    std::string_view implied = "GET";
    if (request_.method == "HEAD") {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        implied = "HEAD";
    } else if (file || !request_.body.empty() || request_.method == "POST") {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         static_cast<curl_off_t>(file ? upload_size : request_.body.size()));
        implied = "POST";
    }
    if (request_.method != implied) {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    }
    if (implied != "POST") return;  // CURLOPT_POSTFIELDS alone would make a POST of a GET
    if (!file) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request_.body.data());
        return;
    }
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, &Exchange::on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, this);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, &Exchange::on_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, this);
}

Result<void> Http::Exchange::prepare_headers() {
    std::vector<std::string> lines = request_.headers;
    bool typed = false;
    for (const std::string& line : lines) {
        const std::size_t colon = line.find(':');
        if (colon == 0 || colon == std::string::npos || has_control(line)) {
            return fail(Errc::usage, "the header '" + line.substr(0, std::min(colon, line.size())) +
                                         "' is malformed or holds a control character");
        }
        typed = typed || begins_fold(line, "content-type:");
    }
    // Without these curl invents a form's type, and waits a second for servers that know no 100.
    lines.emplace_back("Expect:");
    if (!typed) lines.emplace_back("Content-Type:");
    for (const std::string& line : lines) {
        // "Name:" with nothing behind it would be curl's way to suppress a header.
        const bool empty = line.back() == ':' && line != "Expect:" && line != "Content-Type:";
        const std::string sent = empty ? line.substr(0, line.size() - 1) + ";" : line;
        curl_slist* grown = curl_slist_append(headers_.get(), sent.c_str());
        MUSHER_CHECK(grown);
        static_cast<void>(headers_.release());
        headers_.reset(grown);
    }
    curl_easy_setopt(transfer.easy, CURLOPT_HTTPHEADER, headers_.get());
    return {};
}

Result<std::uint64_t> Http::Exchange::open_body() {
    MUSHER_TRY(body_, musher::open_body(request_.body_file, request_.body_identity));
    struct stat facts{};
    if (fstat(body_.get(), &facts) != 0) return fail(errno_error(errno, request_.body_file));
    return static_cast<std::uint64_t>(facts.st_size);
}

Result<std::string> Http::Exchange::read_body(std::uint64_t from) const {
    std::string bytes(limits::kSliceBytes, '\0');
    const ssize_t got = ::pread(body_.get(), bytes.data(), bytes.size(), static_cast<off_t>(from));
    if (got < 0) return fail(errno_error(errno, "reading " + request_.body_file));
    if (got == 0)
        return fail(Errc::conflict, request_.body_file + " became shorter while it was sent");
    bytes.resize(static_cast<std::size_t>(got));
    return bytes;
}

std::size_t Http::Exchange::on_read(char* to, std::size_t, std::size_t size, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    const std::size_t left = exchange.slice.size() - exchange.slice_used;
    if (left == 0) {
        exchange.hungry = true;
        exchange.transfer.changed.wake_one();
        return CURL_READFUNC_PAUSE;
    }
    const std::size_t given = std::min(left, size);
    std::memcpy(to, exchange.slice.data() + exchange.slice_used, given);
    exchange.slice_used += given;
    return given;
}

int Http::Exchange::on_seek(void* self, curl_off_t offset, int origin) {
    if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    auto& exchange = *static_cast<Exchange*>(self);
    exchange.offset = static_cast<std::uint64_t>(offset);
    exchange.slice.clear();
    exchange.slice_used = 0;
    ++exchange.rewinds;
    return CURL_SEEKFUNC_OK;
}

std::size_t Http::Exchange::on_head(char* data, std::size_t, std::size_t size, void* self) {
    std::string_view line(data, size);
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
    static_cast<Exchange*>(self)->take_head_line(line);
    return size;
}

void Http::Exchange::take_head_line(std::string_view line) {
    if (line.starts_with("HTTP/")) {  // also after a redirect, and after 1xx
        response_.headers.clear();
        const std::size_t space = line.find(' ');
        response_.status = space == std::string_view::npos
                               ? 0
                               : std::atoi(std::string(line.substr(space)).c_str());
        return;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string name(line.substr(0, colon));
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    line.remove_prefix(colon + 1);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    response_.headers.emplace_back(std::move(name), std::string(line));
}

std::size_t Http::Exchange::on_body(char* data, std::size_t, std::size_t size, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    const bool streams = exchange.request_.on_data || exchange.request_.on_slice;
    if (streams && exchange.response_.ok()) return exchange.take_piece({data, size});
    std::string& body = exchange.response_.body;
    const std::size_t room = exchange.request_.response_limit - body.size();
    body.append(data, std::min(size, room));
    if (size <= room) return size;
    exchange.response_.truncated = exchange.enough_ = true;
    return CURL_WRITEFUNC_ERROR;
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
    std::string coding = response_.header("transfer-encoding");
    for (char& c : coding) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return !response_.header("content-length").empty() ||
           coding.find("chunked") != std::string::npos;
}

Result<HttpResponse> Http::Exchange::result() {
    if (transfer.code != CURLE_OK && !enough_) return fail(failure());
    curl_off_t seconds = 0;
    curl_easy_getinfo(transfer.easy, CURLINFO_RETRY_AFTER, &seconds);
    constexpr std::chrono::seconds kMost = kLongestRetryAfter;
    response_.retry_after = std::chrono::seconds(std::clamp<curl_off_t>(seconds, 0, kMost.count()));
    response_.delimited = is_delimited();
    const char* location = nullptr;
    curl_easy_getinfo(transfer.easy, CURLINFO_REDIRECT_URL, &location);
    if (location) response_.location = location;
    return std::move(response_);
}

Error Http::Exchange::failure() const {
    const auto say = [&](Errc code, std::string what) {
        if (!what.empty())
            what[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(what[0])));
        return Error(code, request_.method + " " + public_url(request_.url) + ": " + what);
    };
    // curl's own words name hosts and ports, never the URL.
    const std::string reason = reason_[0] ? reason_ : curl_easy_strerror(transfer.code);
    switch (transfer.code) {
        case CURLE_URL_MALFORMAT:
            return say(Errc::usage, curl_easy_strerror(transfer.code));
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
