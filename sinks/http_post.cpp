#include "sinks/http_post.h"

#include "reactor/base/text.h"
#include "sinks/http_rules.h"
#include "sinks/http_secrets.h"

namespace musher {

namespace {
constexpr std::size_t kKept = 4096;  // bytes of the answer that go into the receipt

std::string form_encoded(const Json& fields) {
    std::string all;
    for (const auto& [name, value] : fields.items()) {
        if (value.is_null()) continue;
        if (!all.empty()) all += '&';
        all += url_encode(name) + "=" + url_encode(http_text(value));
    }
    return all;
}

Faults check_http_post(const Options& options) {
    Faults faults = check_http_options(options);
    if (options.has("body") && !options.flag("body")) {
        faults.emplace_back(Errc::usage, "`body` false sends nothing",
                            "write body: true, or what to send as json or form");
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
        MUSHER_CO_DO(judge_answer(request, response, options.list("retry_on")));
        StepResult result;
        Receipt& receipt = result.receipt.emplace();
        receipt.target = request.shown();
        const bool file = !request.body_file.empty();
        receipt.bytes = file ? context.body.size : request.body.size();
        receipt.sha256 = file ? context.body.sha256 : std::string();
        receipt.extra["status"] = response.status;
        receipt.extra["response"] = without_secrets(request, kept(response));
        co_return result;
    }

  private:
    static Result<HttpRequest> plan(const StepContext& context, const Options& options) {
        const Json& json = options.json("json");
        const Json& form = options.json("form");
        const bool body = options.flag("body");
        HttpRequest request("POST", options.text("url"));
        hide_secrets(request, options);
        request.ca_file = options.text("ca_file");
        request.timeout = Duration(0);  // of a large body; silence and the step's own timeout count
        request.silence = std::chrono::seconds(60);
        request.head_suffices = true;
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
        add_header(request, options, "Idempotency-Key", context.job + "/" + context.place);
        add_headers(request, options.json("headers"));
        return request;
    }

    /// A default that the user's own header replaces.
    static void add_header(HttpRequest& request, const Options& options, const std::string& name,
                           const std::string& value) {
        if (has_header(options.json("headers"), name)) return;
        request.headers.push_back(name + ": " + value);
    }

    /// JSON as JSON, other text as text; nothing of what is long, broken off or neither.
    static Json kept(const HttpResponse& response) {
        if (response.truncated || response.body.size() > kKept || !is_utf8(response.body))
            return nullptr;
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
        "An answer under 300 is success, also when its body breaks off. 401 and 403 hold the "
        "pipeline, as do 429, 502, 503 and 504; other answers of `retry_on` are tried again; the "
        "rest is the item's fault: the job is dead at once. A `Retry-After` (seconds or a date) is "
        "waited for, but no longer than an hour: the next request then asks again.",
        {
            http_url_option(),
            http_headers_option(),
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
            http_retry_on_option(),
            http_ca_file_option(),
        },
        {{"status", "the answer's status", 200},
         {"response",
          "the answer's JSON, or its text, with *** for secrets that it quotes; null over 4 KiB, "
          "or when it broke off",
          Json::object()}},
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
