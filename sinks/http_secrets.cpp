#include "sinks/http_secrets.h"

#include <algorithm>
#include <cctype>

#include "reactor/base/text.h"

namespace musher {

namespace {
/// Shorter ones are no secrets, and would be found in every text.
constexpr std::size_t kShortest = 6;

using Secrets = std::vector<std::string>;

void add(Secrets& all, std::string secret) {
    if (secret.size() >= kShortest) all.push_back(std::move(secret));
}

/// The whole and each of its words: "Bearer TOKEN", "a=TOKEN; b=…".
void add_words(Secrets& all, std::string_view text) {
    add(all, std::string(text));
    for (std::size_t from = 0; from < text.size();) {
        const std::size_t end = std::min(text.find_first_of(" =;,\"", from), text.size());
        add(all, std::string(text.substr(from, end - from)));
        from = end + 1;
    }
}

/// As they stand in the URL, and what they mean.
void add_parts(Secrets& all, std::string_view text) {
    for (std::size_t from = 0; from < text.size();) {
        const std::size_t end = std::min(text.find_first_of("/:=&;#", from), text.size());
        const std::string part(text.substr(from, end - from));
        add(all, part);
        add(all, url_decode(part));
        from = end + 1;
    }
}

void add_url(Secrets& all, std::string_view url, bool path_too) {
    const std::size_t scheme = url.find("://");
    const std::size_t authority = scheme == std::string_view::npos ? 0 : scheme + 3;
    const std::size_t path = std::min(url.find_first_of("/?#", authority), url.size());
    const std::size_t at = url.rfind('@', path);
    const std::size_t query = std::min(url.find('?', path), url.size());
    if (at != std::string_view::npos && at > authority) {
        add_parts(all, url.substr(authority, at - authority));
    }
    if (path_too) add_parts(all, url.substr(path, query - path));
    if (query < url.size()) add_parts(all, url.substr(query + 1));
}

/// What such a header says is in many an answer.
bool is_public(std::string_view header) {
    std::string name(header.substr(0, header.find(':')));
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return name == "content-type" || name == "accept" || name == "idempotency-key";
}

/// The longest first: one may be a part of another.
Secrets secrets_of(const HttpRequest& request) {
    Secrets all;
    for (const std::string& header : request.headers) {
        if (is_public(header)) continue;
        const std::string_view value = std::string_view(header).substr(header.find(':') + 1);
        add_words(all, value.substr(std::min(value.find_first_not_of(' '), value.size())));
    }
    for (const std::string& text : request.secrets) {
        if (text != request.url) add_words(all, text);
    }
    add_url(all, request.url, request.secret_path);
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.size() > b.size(); });
    return all;
}

void hide(const Secrets& secrets, std::string& text) {
    for (const std::string& secret : secrets) {
        for (std::size_t at = text.find(secret); at != std::string::npos;
             at = text.find(secret, at)) {
            text.replace(at, secret.size(), "***");
            at += 3;
        }
    }
}

Json hidden(const Secrets& secrets, const Json& value) {
    if (value.is_array()) {
        Json list = Json::array();
        for (const Json& item : value) list.push_back(hidden(secrets, item));
        return list;
    }
    if (value.is_object()) {
        Json map = Json::object();
        for (const auto& [name, item] : value.items()) {
            std::string shown = name;
            hide(secrets, shown);
            map[shown] = hidden(secrets, item);
        }
        return map;
    }
    const std::string before = value.is_string() ? value.get<std::string>() : to_line(value);
    std::string after = before;
    hide(secrets, after);
    return before == after ? value : Json(after);
}
}  // namespace

bool quotes_secrets(const HttpRequest& request, const std::string& text) {
    const Secrets secrets = secrets_of(request);
    return std::any_of(secrets.begin(), secrets.end(), [&](const std::string& secret) {
        return text.find(secret) != std::string::npos;
    });
}

Json without_secrets(const HttpRequest& request, const Json& value) {
    return hidden(secrets_of(request), value);
}

}  // namespace musher
