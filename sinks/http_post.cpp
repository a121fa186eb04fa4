#include "sinks/http_post.h"

#include <algorithm>
#include <cctype>

#include "reactor/base/text.h"
#include "reactor/drivers/http.h"

namespace musher {

namespace {
constexpr std::size_t kKept = 4096;  // bytes of the answer that go into the receipt
constexpr std::size_t kShown = 200;  // bytes of a refusal that go into its message

std::string text_of(const Json& value) {
    return value.is_string() ? value.get<std::string>() : to_line(value);
}

std::string form_encoded(const Json& fields) {
    std::string all;
    for (const auto& [name, value] : fields.items()) {
        if (value.is_null()) continue;
        if (!all.empty()) all += '&';
        all += url_encode(name) + "=" + url_encode(text_of(value));
    }
    return all;
}

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
    for (const std::string& header : request.headers) {
        const std::string_view value = std::string_view(header).substr(header.find(':') + 1);
        const std::size_t start = std::min(value.find_first_not_of(' '), value.size());
        if (value.size() - start >= 6 &&
            response.body.find(value.substr(start)) != std::string::npos) {
            return {};
        }
    }
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

Result<void> accepted(const HttpRequest& request, const HttpResponse& response,
                      const std::vector<std::string>& retry_on) {
    if (response.ok()) return {};
    const bool retry = std::any_of(retry_on.begin(), retry_on.end(), [&](const auto& pattern) {
        return status_is(pattern, response.status);
    });
    Error error(code_of(response.status, retry),
                request.method + " " + public_url(request.url) + " answered " +
                    std::to_string(response.status) + said(request, response));
    if (response.status / 100 == 3) error.hint = "redirects are not followed; use the final URL";
    error.retry_after = response.retry_after;
    return fail(std::move(error));
}

Result<void> check_post_url(const std::string& url) {
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
        const std::vector<std::string> ends = literal_ends(text_of(value));
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

Faults check_http_post(const Options& options) {
    Faults faults;
    collect(faults, check_post_url(options.text("url")));
    check_headers(options.json("headers"), faults);
    if (options.has("body") && !options.flag("body")) {
        faults.emplace_back(Errc::usage, "`body` false sends nothing",
                            "write body: true, or what to send as json or form");
    }
    for (const std::string& pattern : options.list("retry_on")) {
        if (is_status(pattern)) continue;
        faults.emplace_back(Errc::usage,
                            "`retry_on` wants statuses or classes of them, found `" + pattern + "`",
                            "write 429 or 5xx");
    }
    return faults;
}

class HttpPost final : public Step {
  public:
    Task<Result<StepResult>> run(StepContext& context, const Options& options) override {
        MUSHER_CO_TRY(const HttpRequest request, plan(context, options));
        const auto make = [&context] { return std::make_shared<Http>(context.loop); };
        const std::shared_ptr<Http> http = context.pool.get<Http>("", Json(), make);
        MUSHER_CO_TRY(const HttpResponse response, co_await http->send(request, context.cancel));
        MUSHER_CO_DO(accepted(request, response, options.list("retry_on")));
        StepResult result;
        Receipt& receipt = result.receipt.emplace();
        receipt.target = public_url(request.url);
        const bool file = !request.body_file.empty();
        receipt.bytes = file ? context.body.size : request.body.size();
        receipt.sha256 = file ? context.body.sha256 : std::string();
        receipt.extra["status"] = response.status;
        receipt.extra["response"] = kept(response);
        co_return result;
    }

  private:
    static Result<HttpRequest> plan(const StepContext& context, const Options& options) {
        const Json& json = options.json("json");
        const Json& form = options.json("form");
        const bool body = options.flag("body");
        HttpRequest request("POST", options.text("url"));
        request.ca_file = options.text("ca_file");
        request.timeout = Duration(0);  // of a large body; silence and the step's own timeout count
        request.silence = std::chrono::seconds(60);
        std::string type = "application/octet-stream";
        if (body) {
            if (context.body.path.empty()) return fail(Errc::usage, "this job carries no file");
            request.body_file = context.body.path;
            request.body_identity = context.body.identity;
        } else if (!form.is_null()) {
            request.body = form_encoded(form);
            type = "application/x-www-form-urlencoded";
        } else {
            request.body = to_line(json);
            type = "application/json";
        }
        add_header(request, options, "Content-Type", type);
        add_header(request, options, "Idempotency-Key", context.job + "/" + context.step);
        const Json& headers = options.json("headers");
        for (const auto& [name, value] : headers.items()) {
            if (!value.is_null()) request.headers.push_back(name + ": " + text_of(value));
        }
        return request;
    }

    /// A default that the user's own header replaces.
    static void add_header(HttpRequest& request, const Options& options, const std::string& name,
                           const std::string& value) {
        const Json& headers = options.json("headers");
        for (const auto& [given, ignored] : headers.items()) {
            if (same_letters(given, name)) return;
        }
        request.headers.push_back(name + ": " + value);
    }

    /// JSON as JSON, other text as text; nothing of what is long or neither.
    static Json kept(const HttpResponse& response) {
        if (response.body.size() > kKept || !is_utf8(response.body)) return nullptr;
        const auto parsed = parse_json(response.body);
        return parsed ? *parsed : Json(response.body);
    }
};

}  // namespace

const Spec& http_post_spec() {
    static const Spec kSpec{
        ComponentKind::sink,
        "http_post",
        "POST to an HTTP server",
        "Every request carries `Idempotency-Key: JOB/STEP`, the same on every attempt, so that a "
        "server that knows it does a thing once. Certificates are checked and redirects are not "
        "followed.\n\n"
        "An answer under 300 is success. 401 and 403 hold the pipeline, as do 429, 502, 503 and "
        "504; other answers of `retry_on` are tried again; the rest is the item's fault: the job "
        "is dead at once. A `Retry-After` (seconds or a date) is waited for, but no longer than "
        "an hour: the next request then asks again.",
        {
            {.name = "url",
             .type = OptionType::text,
             .help = "http or https; user, password and query never show up in logs and receipts",
             .required = true,
             .templated = true},
            {.name = "headers",
             .type = OptionType::text_map,
             .help = "sent as they are",
             .templated = true},
            {.name = "json",
             .type = OptionType::any,
             .help = "sent as JSON",
             .templated = true,
             .one_of = "payload"},
            {.name = "form",
             .type = OptionType::text_map,
             .help = "sent as a form's fields",
             .templated = true,
             .one_of = "payload"},
            {.name = "body",
             .type = OptionType::boolean,
             .help = "true: the job's body is sent",
             .one_of = "payload"},
            {.name = "retry_on",
             .type = OptionType::text_list,
             .help = "statuses or classes that a later attempt may cure",
             .fallback = R"(["408", "429", "5xx"])"},
            {.name = "ca_file",
             .type = OptionType::path,
             .help = "PEM certificates to trust instead of the system's"},
        },
        {{"status", "the answer's status", 200},
         {"response", "the answer's JSON, or its text; null over 4 KiB", Json::object()}},
        R"(version: 1
pipeline: announce
source: { hotfolder: { path: /srv/in } }
steps:
  - http_post:
      url: "https://hooks.example/incoming"
      headers: { X-Source: "${event.source}" }
      json: { file: "${event.name}", bytes: "${event.size}" }
)",
        Repeats::after_crash,
        "url",
        check_http_post};
    return kSpec;
}

std::unique_ptr<Step> make_http_post() { return std::make_unique<HttpPost>(); }

}  // namespace musher
