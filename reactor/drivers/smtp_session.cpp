#include "reactor/drivers/smtp_session.h"

#include <algorithm>
#include <cctype>

#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr Duration kGreylisted = std::chrono::minutes(5);  // as long as servers mostly want it
// As long as RFC 5321 wants it for the answer to a whole message; for the others it is plenty.
constexpr Duration kPatience = std::chrono::minutes(10);
constexpr std::size_t kLongestReply = 64 << 10;
constexpr std::size_t kShown = 200;  // bytes of an answer that go into a message

std::string shown(std::string text) {
    text.resize(std::min(text.size(), kShown));
    while (!text.empty() && !is_utf8(text)) text.pop_back();
    for (char& c : text) c = static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    return text;
}

/// "250 text", "250-text" or "250".
bool is_reply(std::string_view line) {
    const auto digit = [&](std::size_t i) { return line[i] >= '0' && line[i] <= '9'; };
    if (line.size() < 3 || !digit(0) || !digit(1) || !digit(2)) return false;
    return line.size() == 3 || line[3] == ' ' || line[3] == '-';
}

/// Whether "not now" is said of this mail alone: of a recipient who is greylisted or whose mailbox
/// is full, of a text that looks odd. Servers that tell more say 4.3.x of themselves; 421 means
/// that they go away, 452 that they are full, or that the recipient is.
bool is_of_mail(const SmtpReply& reply, std::string_view asked) {
    if (reply.code == 421 || asked.starts_with("MAIL FROM:")) return false;
    if (reply.text.starts_with("4.")) return !reply.text.starts_with("4.3.");
    return reply.code != 452 || asked.starts_with("RCPT TO:");
}

/// Who is at fault for an answer that was not wanted: 4xx is "not now", 5xx "never", and 53x asks
/// for other credentials. The sender is the connection's, only the size (552) is the mail's.
Errc code_of(const SmtpReply& reply, std::string_view asked) {
    const int code = reply.code;
    if (code == 530 || code == 534 || code == 535 || code == 538) return Errc::denied;
    const bool sender = asked.starts_with("MAIL FROM:") && code != 552;
    if (sender && code >= 500 && code < 600) return Errc::denied;
    if (code >= 500 && code < 600) return Errc::usage;
    return code >= 400 && code < 500 && is_of_mail(reply, asked) ? Errc::failed : Errc::unavailable;
}

long in_ms(Duration span) {
    return static_cast<long>(std::chrono::duration_cast<milliseconds>(span).count());
}
}  // namespace

SmtpSession::SmtpSession(Loop& loop, const SmtpTarget& target)
    : loop_(loop), target_(target), multi_(loop), transfer_(loop), ready_(loop.ready()) {}

SmtpSession::~SmtpSession() {
    poll_.reset();  // before curl closes what it watches
    if (transfer_.added) multi_.remove(transfer_);
}

Result<void> SmtpSession::prepare() {
    CURL* easy = transfer_.easy;
    constexpr long kTls[] = {CURLUSESSL_NONE, CURLUSESSL_TRY, CURLUSESSL_ALL};
    curl_easy_setopt(easy, CURLOPT_URL, target_.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_USE_SSL, kTls[static_cast<std::size_t>(target_.tls)]);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!target_.ca_file.empty()) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, target_.ca_file.c_str());
        curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    }
    if (!target_.user.empty()) {
        curl_easy_setopt(easy, CURLOPT_USERNAME, target_.user.c_str());
        curl_easy_setopt(easy, CURLOPT_PASSWORD, target_.password.c_str());
    }
    // For curl all of this is connecting; what comes before the greeting is timed by connect().
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     in_ms(target_.connect_timeout + target_.greeting_timeout));
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, reason_);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &SmtpSession::on_line);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
    return {};
}

/// The server's lines until it is signed in: of these only "250-SIZE 1000" counts.
std::size_t SmtpSession::on_line(char* data, std::size_t, std::size_t size, void* self) {
    auto& session = *static_cast<SmtpSession*>(self);
    std::string line(data, size);
    for (char& c : line) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (line.starts_with("250") && line.compare(std::min<std::size_t>(4, size), 4, "SIZE") == 0) {
        session.knows_size_ = true;
        session.size_limit_ = std::strtoull(line.c_str() + 8, nullptr, 10);
    }
    return size;
}

/// Until there is a connection, or the time for it is over.
Task<Result<void>> SmtpSession::connect(Cancel& cancel) {
    Cancel limited(cancel);
    const Deadline deadline(loop_.timers(), limited, target_.connect_timeout);
    while (!transfer_.done) {
        const Result<void> woken = co_await transfer_.changed.wait(limited);
        if (woken) continue;
        if (cancel.requested()) co_return woken;
        curl_off_t connected = 0;
        curl_easy_getinfo(transfer_.easy, CURLINFO_CONNECT_TIME_T, &connected);
        if (connected == 0) co_return away("cannot be reached: no connection in time");
        break;
    }
    co_return Result<void>();
}

Task<Result<void>> SmtpSession::open(Cancel& cancel) {
    MUSHER_CO_DO(prepare());
    multi_.add(transfer_);
    MUSHER_CO_DO(co_await connect(cancel));
    while (!transfer_.done) MUSHER_CO_DO(co_await transfer_.changed.wait(cancel));
    if (transfer_.code != CURLE_OK) co_return fail(failure());
    curl_socket_t fd = CURL_SOCKET_BAD;
    curl_easy_getinfo(transfer_.easy, CURLINFO_ACTIVESOCKET, &fd);
    if (fd == CURL_SOCKET_BAD) co_return away("hung up");
    MUSHER_CO_TRY(Poll poll, Poll::open(loop_, fd, "smtp"));
    poll_.emplace(std::move(poll));
    co_return Result<void>();
}

Error SmtpSession::failure() const {
    std::string why = reason_[0] ? reason_ : curl_easy_strerror(transfer_.code);
    why[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(why[0])));
    const std::string message = target_.url + ": " + shown(why);
    switch (transfer_.code) {
        case CURLE_LOGIN_DENIED:
            return Error(Errc::denied, message, "check user and password of the connection");
        case CURLE_USE_SSL_FAILED:
            return Error(Errc::denied, target_.url + " offers no TLS",
                         "use its port with TLS, or smtps://; tls: none sends in the clear");
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
            return Error(Errc::denied, message, "ca_file: FILE trusts other certificates");
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL:
            return Error(Errc::usage, message);
        default:
            return Error(Errc::unavailable, message);
    }
}

Failure SmtpSession::away(const std::string& why) const {
    return fail(Errc::unavailable, target_.url + " " + why);
}

Task<Result<void>> SmtpSession::wait(int events, Cancel& cancel) {
    Cancel limited(cancel);
    const Deadline deadline(loop_.timers(), limited, kPatience);
    poll_->start(events, [this](int, int) {
        poll_->stop();
        ready_.wake_one();
    });
    const Result<void> woken = co_await ready_.wait(limited);
    if (woken || cancel.requested()) co_return woken;
    poll_->stop();
    co_return away("has not answered for " + format_duration(kPatience));
}

Task<Result<void>> SmtpSession::write(std::string bytes, Cancel& cancel) {
    for (std::size_t from = 0; from < bytes.size();) {
        std::size_t sent = 0;
        const CURLcode code =
            curl_easy_send(transfer_.easy, bytes.data() + from, bytes.size() - from, &sent);
        if (code == CURLE_AGAIN) {
            MUSHER_CO_DO(co_await wait(UV_WRITABLE, cancel));
        } else if (code != CURLE_OK) {
            co_return away("hung up");
        }
        from += sent;
    }
    co_return Result<void>();
}

Task<Result<void>> SmtpSession::read_more(Cancel& cancel) {
    char bytes[4096];
    for (;;) {
        std::size_t got = 0;
        const CURLcode code = curl_easy_recv(transfer_.easy, bytes, sizeof bytes, &got);
        if (code == CURLE_OK && got > 0) {
            in_.append(bytes, got);
            if (in_.size() > kLongestReply) co_return away("talks without end");
            co_return Result<void>();
        }
        if (code != CURLE_AGAIN) co_return away("hung up");
        MUSHER_CO_DO(co_await wait(UV_READABLE, cancel));
    }
}

Task<Result<SmtpReply>> SmtpSession::read_reply(Cancel& cancel) {
    SmtpReply reply;
    for (;;) {
        const std::size_t end = in_.find('\n');
        if (end == std::string::npos) {
            MUSHER_CO_DO(co_await read_more(cancel));
            continue;
        }
        std::string line = in_.substr(0, end);
        in_.erase(0, end + 1);
        if (line.ends_with('\r')) line.pop_back();
        if (!is_reply(line)) co_return away("does not speak SMTP");
        if (!reply.text.empty()) reply.text += ' ';
        reply.text += line.substr(std::min<std::size_t>(4, line.size()));
        if (reply.text.size() > kLongestReply) co_return away("talks without end");
        reply.code = std::atoi(line.substr(0, 3).c_str());
        if (line.size() == 3 || line[3] == ' ') co_return reply;
    }
}

Task<Result<SmtpReply>> SmtpSession::answer(std::string what, char wanted, Cancel& cancel) {
    MUSHER_CO_TRY(SmtpReply reply, co_await read_reply(cancel));
    reply.text = shown(reply.text);
    const std::string code = std::to_string(reply.code);
    if (code[0] == wanted) co_return reply;
    Error error(code_of(reply, what),
                target_.url + " answered " + what + " with " + code + " " + reply.text);
    // A backoff of seconds would be over before a greylisting is.
    if (error.code == Errc::failed) {
        error.retry_after = std::chrono::duration_cast<milliseconds>(kGreylisted);
    }
    co_return fail(std::move(error));
}

Task<Result<SmtpReply>> SmtpSession::say(std::string line, char wanted, Cancel& cancel) {
    std::string sent = line + "\r\n";
    MUSHER_CO_DO(co_await write(std::move(sent), cancel));
    co_return co_await answer(std::move(line), wanted, cancel);
}

void SmtpSession::quit() {
    std::size_t sent = 0;
    static_cast<void>(curl_easy_send(transfer_.easy, "QUIT\r\n", 6, &sent));
}

}  // namespace musher
