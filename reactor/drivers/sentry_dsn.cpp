#include "reactor/drivers/sentry_dsn.h"

#include <algorithm>

#include "reactor/drivers/http.h"

namespace musher {

namespace {
bool is_word(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    });
}
Failure no_dsn(const std::string& why) {
    return fail(Errc::usage, "no Sentry DSN: " + why,
                "copy it from the project's client keys: https://KEY@HOST/PROJECT");
}
}  // namespace

Result<SentryDsn> SentryDsn::parse(const std::string& text) {
    if (!text.starts_with("https://") && !text.starts_with("http://")) {
        return no_dsn("it begins with neither https:// nor http://");
    }
    const Result<void> sound = check_url(text);
    if (!sound) return no_dsn(sound.error().message);
    const std::size_t authority = text.find("://") + 3;
    const std::size_t path = std::min(text.find('/', authority), text.size());
    const std::size_t at = text.rfind('@', path);
    if (at == std::string::npos || at < authority) return no_dsn("it has no key before the host");
    const std::string user = text.substr(authority, at - authority);
    const std::size_t project = text.rfind('/') + 1;
    SentryDsn dsn;
    dsn.public_key = user.substr(0, user.find(':'));
    if (!is_word(dsn.public_key)) return no_dsn("its key is none");
    if (project <= path || !is_word(std::string_view(text).substr(project))) {
        return no_dsn("it does not end with a project's number");
    }
    dsn.envelope_url = text.substr(0, authority) + text.substr(at + 1, project - at - 1) + "api/" +
                       text.substr(project) + "/envelope/";
    return dsn;
}

}  // namespace musher
