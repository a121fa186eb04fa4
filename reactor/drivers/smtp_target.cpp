#include "reactor/drivers/smtp_target.h"

#include "reactor/base/text.h"
#include "reactor/drivers/http.h"
#include "reactor/drivers/mail_text.h"
#include "reactor/drivers/redis_target.h"

namespace musher {

namespace {
constexpr const char* kForm = "write smtp://host[:587] or smtps://host[:465]";

/// Takes "user:password@" out of `url`.
void take_user(std::string& url, SmtpTarget& target) {
    const std::size_t host = url.find("://") + 3;
    const std::size_t at = url.rfind('@');
    if (at == std::string::npos || at < host) return;
    const std::string info = url.substr(host, at - host);
    url.erase(host, at + 1 - host);
    const std::size_t colon = info.find(':');
    target.user = url_decode(info.substr(0, colon));
    if (colon != std::string::npos) target.password = url_decode(info.substr(colon + 1));
}

SmtpTarget::Tls tls_of(const std::string& word) {
    if (word == "none") return SmtpTarget::Tls::none;
    return word == "try" ? SmtpTarget::Tls::attempt : SmtpTarget::Tls::required;
}
}  // namespace

bool SmtpTarget::is_local() const {
    const std::string host = url.substr(url.find("://") + 3);
    return host.starts_with("localhost:") || host.starts_with("127.") || host.starts_with("[::1]");
}

Result<SmtpTarget> SmtpTarget::from_options(const Json& options) {
    SmtpTarget target;
    std::string url = text_in(options, "url");
    if (!url.starts_with("smtp://") && !url.starts_with("smtps://")) {
        return fail(Errc::usage, "the URL begins with neither smtp:// nor smtps://", kForm);
    }
    const Result<void> sound = check_url(url);
    if (!sound) return fail(Errc::usage, "the URL is none: " + sound.error().message, kForm);
    take_user(url, target);
    const std::size_t host = url.find("://") + 3;
    if (url.ends_with('/')) url.pop_back();
    if (url.find_first_of("/?#", host) != std::string::npos) {
        return fail(Errc::usage, "the URL has more than host and port", kForm);
    }
    const Result<HostPort> server =
        HostPort::parse(std::string_view(url).substr(host), url.starts_with("smtps") ? 465 : 587);
    if (!server) return fail(Errc::usage, server.error().message, kForm);
    target.url = url.substr(0, host) + server->text();
    const std::string user = text_in(options, "user");
    const std::string password = text_in(options, "password");
    if (!user.empty()) target.user = user;
    if (!password.empty()) target.password = password;
    target.tls = tls_of(text_in(options, "tls", "required"));
    target.ca_file = text_in(options, "ca_file");
    target.from = text_in(options, "from", target.user);
    const Result<MailAddress> sender = MailAddress::parse(target.from);
    if (sender) return target;
    if (target.from == target.user) {
        return fail(Errc::usage, "the connection has no sender's address",
                    "add from: \"Name <name@example.com>\"");
    }
    return fail(Errc::usage, "`from`: " + sender.error().message, sender.error().hint);
}

}  // namespace musher
