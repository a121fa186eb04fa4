// Http: requests over libcurl, with kept connections, bounds and messages without secrets.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "reactor/base/body_file.h"
#include "reactor/loop/loop.h"

namespace musher {

struct HttpRequest {
    HttpRequest(std::string a_method, std::string a_url)
        : method(std::move(a_method)), url(std::move(a_url)) {}

    std::string method;
    std::string url;                   // http or https; may hold user:password@ and a query
    std::vector<std::string> headers;  // "Name: value"
    std::string body;                  // sent when not empty …
    std::string body_file;             // … or this file, in slices, never whole in memory
    FileIdentity body_identity;        // for open_body()
    std::string unix_socket;           // connects there, whatever the URL's host
    std::string ca_file;               // instead of the system's certificates; checking stays on
    Duration connect_timeout = std::chrono::seconds(10);
    Duration timeout = std::chrono::seconds(60);  // of the whole; zero: none
    Duration silence = std::chrono::seconds(30);  // under 1 byte/s for so long; zero: no matter
    std::size_t response_limit = 1 << 20;         // bytes of the answer's body that are kept
    int redirects = 0;                            // followed at most
    /// Asks for gzip, and gives what was in it to on_slice and HttpResponse::body; the limits then
    /// count what was in it. Not with on_data.
    bool compressed = false;
    /// What was sent whole and answered 2xx is done: the answer counts when its body breaks off
    /// too, `truncated` and without a body. Not with on_data and on_slice.
    bool head_suffices = false;
    /// Gets the body of a 2xx answer as it comes, instead of HttpResponse::body; false ends the
    /// transfer. Other answers' bodies are kept. The server waits while more than a slice does.
    std::function<bool(std::string_view piece)> on_data;
    /// The same for work that blocks: called on a pool thread, once at a time, while the next
    /// slice comes. An error ends the transfer.
    std::function<Result<void>(std::string_view slice)> on_slice;
    std::uint64_t stream_limit = UINT64_MAX;  // bytes for these two; not one more is given
    bool secret_path = false;                 // messages end at the host
    std::vector<std::string> secrets;         // sent, and not to be seen in what an answer quotes

    /// The URL as messages and receipts may have it.
    std::string shown() const;
};

/// A date far away would hold a pipeline for ever; to ask again each hour harms no server.
inline constexpr std::chrono::hours kLongestRetryAfter{1};

struct HttpResponse {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers;  // names in small letters
    std::string body;
    bool truncated = false;       // not the whole body: longer than a limit, or broken off
    bool delimited = false;       // the server said where the body ends; else it just hung up
    std::string location;         // of a 3xx that was not followed: where to, as a whole URL
    milliseconds retry_after{0};  // at most kLongestRetryAfter

    bool ok() const { return status >= 200 && status < 300; }
    /// The first one of that name (small letters), or "".
    std::string header(std::string_view name) const;
};

class CurlMulti;

/// Loop thread only. A Cancel aborts the transfer.
class Http {
  public:
    explicit Http(Loop& loop);
    ~Http();  // after every send() has returned

    /// Any answer of the server is a response, also 404 and 500. `unavailable`: refused,
    /// unresolved, broken off, or no connection within connect_timeout; `denied`: a certificate
    /// that does not hold; `timeout`: no end within `timeout`, or silence; `usage`: a URL or
    /// header that cannot be; `failed`: a gzip stream that is damaged or ends early. Not sent twice
    /// by itself, but for a kept connection that turned out dead before anything came back.
    Task<Result<HttpResponse>> send(const HttpRequest& request, Cancel& cancel);

  private:
    class Exchange;
    Task<Result<void>> run(Exchange& exchange, Cancel& cancel);
    Task<Result<void>> feed(Exchange& exchange);
    Task<Result<void>> drain(Exchange& exchange, Cancel& cancel);

    Loop& loop_;
    std::unique_ptr<CurlMulti> multi_;
};

/// `usage`, without the URL itself: no host, a blank or control character, a port over 65535, …
Result<void> check_url(const std::string& url);
/// A token of RFC 9110; text without line breaks and control characters but tabs.
bool is_header_name(std::string_view name);
bool is_header_value(std::string_view value);

/// The URL without user, password, query and fragment: for messages and receipts. With a secret
/// path, "https://a.example/…".
std::string public_url(const std::string& url, bool secret_path = false);
/// Where an answer's `Location` leads from there, as a whole URL; "" when it is malformed. User and
/// password go along to the same origin, and to no other.
std::string redirect_target(const std::string& from, const std::string& location);
/// Scheme, host and port in one form: "https://a.example:443"; "" for what is no URL.
std::string origin_of(const std::string& url);

}  // namespace musher
