#include "reactor/drivers/http.h"

#include <algorithm>
#include <cctype>

#include "reactor/drivers/http_exchange.h"
#include "reactor/loop/offload.h"

namespace musher {

Http::Http(Loop& loop) : loop_(loop), multi_(std::make_unique<CurlMulti>(loop)) {}
Http::~Http() = default;

std::string HttpResponse::header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (key == name) return value;
    }
    return {};
}

Task<Result<HttpResponse>> Http::send(const HttpRequest& request, Cancel& cancel) {
    if (cancel.requested()) co_return fail(cancel.error());
    Exchange exchange(loop_, request);
    std::uint64_t upload_size = 0;
    if (!request.body_file.empty()) {
        auto open = [&exchange] { return exchange.open_body(); };
        MUSHER_CO_TRY(upload_size, co_await offload(loop_, open));
    }
    MUSHER_CO_DO(exchange.prepare(upload_size));
    multi_->add(exchange.transfer);
    const Result<void> ended = co_await run(exchange, cancel);
    multi_->remove(exchange.transfer);
    if (!ended) co_return fail(ended.error());
    co_return exchange.result();
}

/// Until the transfer is done, or nobody wants the rest.
Task<Result<void>> Http::run(Exchange& exchange, Cancel& cancel) {
    for (;;) {
        if (exchange.has_arrived()) {
            MUSHER_CO_DO(co_await drain(exchange, cancel));
        } else if (exchange.ended()) {
            co_return Result<void>();
        } else if (exchange.hungry) {
            MUSHER_CO_DO(co_await feed(exchange));
        } else {
            MUSHER_CO_DO(co_await exchange.transfer.changed.wait(cancel));
            continue;
        }
        if (cancel.requested()) co_return fail(cancel.error());
    }
}

/// Hands on what has come. Meanwhile curl gathers up to a slice, then the server has to wait. What
/// a slice holds may be a thousand times as long: it is unpacked a slice at a time too.
Task<Result<void>> Http::drain(Exchange& exchange, Cancel& cancel) {
    if (exchange.blocks()) {
        const std::string arrived = exchange.take_arrived();
        std::string_view left = arrived;
        auto write = [&exchange, &left] { return exchange.write(left); };
        for (bool more = true; more;) {
            MUSHER_CO_TRY(more, co_await offload(loop_, write));
            if (cancel.requested()) co_return fail(cancel.error());
        }
    } else {
        exchange.deliver();
    }
    if (std::exchange(exchange.sated, false)) multi_->go_on(exchange.transfer);
    co_return Result<void>();
}

Task<Result<void>> Http::feed(Exchange& exchange) {
    exchange.hungry = false;
    const std::uint64_t from = exchange.offset + exchange.slice.size();
    const unsigned rewinds = exchange.rewinds;
    auto read = [&exchange, from] { return exchange.read_body(from); };
    MUSHER_CO_TRY(std::string bytes, co_await offload(loop_, read));
    // Meanwhile curl may have started the body again, on another connection.
    if (rewinds == exchange.rewinds) {
        exchange.offset = from;
        exchange.slice = std::move(bytes);
        exchange.slice_used = 0;
    }
    multi_->go_on(exchange.transfer);
    co_return Result<void>();
}

std::string HttpRequest::shown() const { return public_url(url, secret_path); }

namespace {
using UrlParts = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

UrlParts no_parts() {
    UrlParts parts(curl_url(), &curl_url_cleanup);
    MUSHER_CHECK(parts);
    return parts;
}

/// "" where there is none.
std::string part_of(const UrlParts& parts, CURLUPart part, unsigned flags = 0) {
    char* text = nullptr;
    if (curl_url_get(parts.get(), part, &text, flags) != CURLUE_OK) return {};
    const std::unique_ptr<char, decltype(&curl_free)> owned(text, &curl_free);
    return text;
}
}  // namespace

Result<void> check_url(const std::string& url) {
    const UrlParts parts = no_parts();
    const CURLUcode code = curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0);
    if (code == CURLUE_OK) return {};
    std::string why = curl_url_strerror(code);
    why[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(why[0])));
    return fail(Errc::usage, why, "write https://host[:port]/path, with %20 for a blank");
}

bool is_header_name(std::string_view name) {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               kMarks.find(c) != kMarks.npos;
    });
}

bool is_header_value(std::string_view value) {
    return std::all_of(value.begin(), value.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
    });
}

namespace {
/// The URL without the parts named; "" for what is no URL.
std::string url_without(const std::string& url, std::initializer_list<CURLUPart> left_out,
                        unsigned flags) {
    const UrlParts parts = no_parts();
    if (curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return {};
    for (const CURLUPart part : left_out) curl_url_set(parts.get(), part, nullptr, 0);
    return part_of(parts, CURLUPART_URL, flags);
}
}  // namespace

std::string public_url(const std::string& url, bool secret_path) {
    if (secret_path) {
        const std::string host = url_without(url,
                                             {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS,
                                              CURLUPART_PATH, CURLUPART_QUERY, CURLUPART_FRAGMENT},
                                             0);
        return host.empty() ? "a malformed URL" : host + "…";
    }
    const std::string text = url_without(url,
                                         {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS,
                                          CURLUPART_QUERY, CURLUPART_FRAGMENT},
                                         0);
    return text.empty() ? "a malformed URL" : text;
}

std::string origin_of(const std::string& url) {
    std::string text = url_without(url,
                                   {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS,
                                    CURLUPART_PATH, CURLUPART_QUERY, CURLUPART_FRAGMENT},
                                   CURLU_DEFAULT_PORT);
    for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    while (text.ends_with('/')) text.pop_back();
    return text;
}

std::string redirect_target(const std::string& from, const std::string& location) {
    const UrlParts parts = no_parts();
    if (curl_url_set(parts.get(), CURLUPART_URL, from.c_str(), 0) != CURLUE_OK) return {};
    const std::string user = part_of(parts, CURLUPART_USER);
    const std::string password = part_of(parts, CURLUPART_PASSWORD);
    constexpr unsigned kTolerant = CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE | CURLU_ALLOW_SPACE;
    if (curl_url_set(parts.get(), CURLUPART_URL, location.c_str(), kTolerant) != CURLUE_OK) {
        return {};
    }
    const bool same = origin_of(part_of(parts, CURLUPART_URL)) == origin_of(from);
    if (same && !user.empty() && part_of(parts, CURLUPART_USER).empty()) {
        curl_url_set(parts.get(), CURLUPART_USER, user.c_str(), 0);
        if (!password.empty()) {
            curl_url_set(parts.get(), CURLUPART_PASSWORD, password.c_str(), 0);
        }
    }
    return part_of(parts, CURLUPART_URL);
}

}  // namespace musher
