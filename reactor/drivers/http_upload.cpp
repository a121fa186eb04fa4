// What goes to the server: the options of a transfer, headers and body.
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cstring>

#include "reactor/base/limits.h"
#include "reactor/drivers/http_exchange.h"

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

Result<void> Http::Exchange::prepare(std::uint64_t upload_size) {
    CURL* easy = transfer.easy;
    MUSHER_CHECK(!request_.compressed || !request_.on_data);
    if (has_control(request_.url)) return fail(no_url("holds a control character"));
    curl_easy_setopt(easy, CURLOPT_URL, request_.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, request_.redirects > 0 ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, static_cast<long>(request_.redirects));
    // A proxy's own answer is not the server's.
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
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
    upload_size_ = file ? upload_size : request_.body.size();
    std::string_view implied = "GET";
    if (request_.method == "HEAD") {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        implied = "HEAD";
    } else if (file || !request_.body.empty() || request_.method == "POST") {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(upload_size_));
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
    const auto add = [this](const std::string& line) {
        curl_slist* grown = curl_slist_append(headers_.get(), line.c_str());
        MUSHER_CHECK(grown);
        static_cast<void>(headers_.release());
        headers_.reset(grown);
    };
    bool typed = false;
    bool coded = !request_.compressed;
    for (const std::string& line : request_.headers) {
        const std::size_t colon = line.find(':');
        if (colon == 0 || colon == std::string::npos || has_control(line)) {
            return fail(Errc::usage, "the header '" + line.substr(0, std::min(colon, line.size())) +
                                         "' is malformed or holds a control character");
        }
        typed = typed || begins_fold(line, "content-type:");
        coded = coded || begins_fold(line, "accept-encoding:");
        // "Name:" with nothing behind it would be curl's way to suppress a header.
        const bool empty = line.find_first_not_of(' ', colon + 1) == std::string::npos;
        add(empty ? line.substr(0, colon) + ";" : line);
    }
    // Without these curl invents a form's type, and waits a second for servers that know no 100.
    add("Expect:");
    if (!typed) add("Content-Type:");
    if (!coded) add("Accept-Encoding: gzip");
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

}  // namespace musher
