#include "sinks/http_rules.h"

#include <algorithm>
#include <cctype>

#include "reactor/base/text.h"
#include "sinks/http_secrets.h"

namespace musher {

namespace {
constexpr std::size_t kShown = 200;  // bytes of a refusal that go into its message

bool same_letters(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
        return std::tolower(static_cast<unsigned char>(x)) ==
               std::tolower(static_cast<unsigned char>(y));
    });
}

/// "429" or "5xx": a status over 299, or a class of them.
bool is_status(std::string_view pattern) {
    if (pattern.size() != 3 || pattern[0] < '3' || pattern[0] > '5') return false;
    return std::all_of(pattern.begin() + 1, pattern.end(),
                       [](char c) { return c == 'x' || (c >= '0' && c <= '9'); });
}

bool status_is(std::string_view pattern, int status) {
    const std::string digits = std::to_string(status);
    return std::equal(pattern.begin(), pattern.end(), digits.begin(), digits.end(),
                      [](char wanted, char digit) { return wanted == 'x' || wanted == digit; });
}

/// What the server said, on one line, unless it repeats what may be a secret.
std::string said(const HttpRequest& request, const HttpResponse& response) {
    std::string text = response.body.substr(0, kShown);
    while (!is_utf8(text) && text.size() > kShown - 4) text.pop_back();
    if (!is_utf8(text)) return {};
    if (quotes_secrets(request, response.body)) return {};
    for (char& c : text) c = static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    const std::size_t end = text.find_last_not_of(' ');
    return end == std::string::npos ? std::string() : ": " + text.substr(0, end + 1);
}

/// Whether a retry can help, and who is at fault, by the status alone.
Errc code_of(int status, bool retry) {
    if (status == 401 || status == 403 || status == 407) return Errc::denied;
    if (!retry) return Errc::usage;
    if (status == 408) return Errc::timeout;
    // The server as a whole is busy or away; 500 may well be this one item's doing.
    return status == 429 || status == 502 || status == 503 || status == 504 ? Errc::unavailable
                                                                            : Errc::failed;
}

}  // namespace

Result<void> judge_answer(const HttpRequest& request, const HttpResponse& response,
                          const std::vector<std::string>& retry_on) {
    if (response.ok()) return {};
    const bool retry = std::any_of(retry_on.begin(), retry_on.end(), [&](const auto& pattern) {
        return status_is(pattern, response.status);
    });
    Error error(code_of(response.status, retry),
                request.method + " " + request.shown() + " answered " +
                    std::to_string(response.status) + said(request, response));
    if (response.status / 100 == 3) error.hint = "redirects are not followed; use the final URL";
    error.retry_after = response.retry_after;
    return fail(std::move(error));
}

namespace {
Result<void> check_url_option(const std::string& url) {
    const std::string scheme = url.substr(0, url.find("://"));  // the whole of it without one
    if (scheme.find("${") != std::string::npos) return {};
    if (!same_letters(scheme, "https") && !same_letters(scheme, "http")) {
        return fail(Errc::usage, "`url` begins with neither https:// nor http://");
    }
    if (url.find("${") != std::string::npos) {
        const std::vector<std::string> ends = literal_ends(url);
        const bool blank = std::any_of(ends.begin(), ends.end(), [](const std::string& text) {
            return text.find(' ') != std::string::npos || !is_header_value(text);
        });
        if (!blank) return {};
        return fail(Errc::usage, "`url` is no URL: it holds a blank", "write %20 for a blank");
    }
    const Result<void> sound = check_url(url);
    if (sound) return {};
    return fail(Errc::usage, "`url` is no URL: " + sound.error().message, sound.error().hint);
}

void check_headers(const Json& headers, Faults& faults) {
    for (const auto& [name, value] : headers.items()) {
        const std::vector<std::string> ends = literal_ends(http_text(value));
        if (!is_header_name(name)) {
            const std::string shown = is_header_value(name) ? "`headers." + name + "`"
                                                            : "`headers`: a name with a line break";
            faults.emplace_back(Errc::usage, shown + " is no header's name",
                                "letters, digits and - without blanks, no colon: X-Source");
        } else if (!std::all_of(ends.begin(), ends.end(), is_header_value)) {
            faults.emplace_back(Errc::usage,
                                "`headers." + name + "` holds a line break or control character",
                                "a header is one line of text");
        }
    }
}
}  // namespace

Faults check_http_options(const Options& options) {
    Faults faults;
    collect(faults, check_url_option(options.text("url")));
    check_headers(options.json("headers"), faults);
    for (const std::string& pattern : options.list("retry_on")) {
        if (is_status(pattern)) continue;
        faults.emplace_back(Errc::usage,
                            "`retry_on` wants statuses or classes of them, found `" + pattern + "`",
                            "write 429 or 5xx");
    }
    return faults;
}

std::string http_text(const Json& value) {
    return value.is_string() ? value.get<std::string>() : to_line(value);
}

bool has_header(const Json& headers, std::string_view name) {
    for (const auto& [given, ignored] : headers.items()) {
        if (same_letters(given, name)) return true;
    }
    return false;
}

void hide_secrets(HttpRequest& request, const Options& options) {
    request.secret_path = !options.secrets("url").empty();
    for (const auto& [option, ignored] : options.values().items()) {
        const std::vector<std::string>& texts = options.secrets(option);
        request.secrets.insert(request.secrets.end(), texts.begin(), texts.end());
    }
}

void add_headers(HttpRequest& request, const Json& headers) {
    for (const auto& [name, value] : headers.items()) {
        if (!value.is_null()) request.headers.push_back(name + ": " + http_text(value));
    }
}

Option http_url_option() {
    return {.name = "url",
            .type = OptionType::text,
            .help =
                "http or https; user, password and query never show up in logs and receipts, nor "
                "does the path of one that comes from !env, !file, env or vars",
            .required = true,
            .templated = true};
}

Option http_headers_option() {
    return {.name = "headers",
            .type = OptionType::text_map,
            .help = "sent as they are",
            .templated = true};
}

Option http_retry_on_option() {
    return {.name = "retry_on",
            .type = OptionType::text_list,
            .help = "statuses or classes that a later attempt may cure",
            .fallback = R"(["408", "429", "5xx"])"};
}

Option http_ca_file_option() {
    return {.name = "ca_file",
            .type = OptionType::path,
            .help = "PEM certificates to trust instead of the system's"};
}

}  // namespace musher
