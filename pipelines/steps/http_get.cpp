#include "pipelines/steps/http_get.h"

#include <cstdlib>

#include "reactor/base/digest.h"
#include "reactor/base/limits.h"
#include "reactor/base/text.h"
#include "reactor/loop/offload.h"
#include "sinks/http_rules.h"

namespace musher {

namespace {
/// The body on its way into the attempt's scratch folder. kill -9: the next start sweeps that. All
/// but the constructor blocks: for pool threads, one at a time.
class Download {
  public:
    explicit Download(const std::string& name) : path_(name + "-XXXXXX") {}

    Result<void> open() {
        file_.reset(::mkostemp(path_.data(), O_CLOEXEC));
        if (!file_) return fail(errno_error(errno, "creating " + path_));
        return {};
    }
    Result<void> write(std::string_view slice) {
        digest_.update(as_bytes(slice));
        const Result<void> written = write_all(file_.get(), slice);
        if (!written) return fail(Error(written.error()).within("writing " + path_));
        size_ += slice.size();
        return {};
    }
    Body finish() {
        file_.reset();
        return Body{path_, size_, digest_.hex(), {}};
    }
    int discard() {
        file_.reset();
        return ::unlink(path_.c_str());
    }

  private:
    std::string path_;
    Fd file_;
    Digest digest_{DigestKind::sha256};
    std::uint64_t size_ = 0;
};

bool is_json(const std::string& type) {
    const std::string bare = type.substr(0, type.find_first_of("; "));
    return bare.ends_with("/json") || bare.ends_with("+json");
}

std::string shown(const Options& options) {
    return public_url(options.text("url"), !options.secrets("url").empty());
}

/// What was called JSON must be; a list or map that was called something else is taken for it.
Result<Json> content_of(const HttpResponse& response, const std::string& named) {
    Result<Json> parsed = parse_json(response.body);
    if (is_json(response.header("content-type"))) {
        if (parsed) return parsed;
        return fail(std::move(parsed).error().within(named));
    }
    if (parsed && parsed->is_structured()) return parsed;
    if (is_utf8(response.body)) return Json(response.body);
    return fail(Errc::corrupt, named + " is neither JSON nor text", "into: body takes any bytes");
}

Result<void> check_whole(const HttpRequest& request, const HttpResponse& response,
                         const Options& options) {
    const std::string named = "GET " + request.shown();
    if (response.truncated) {
        const auto most = static_cast<std::uint64_t>(options.integer("max_size"));
        const bool fields = options.text("into") == "response";
        return fail(Errc::usage,
                    named + ": more than " +
                        format_size(fields ? std::min(most, limits::kResponseBytes) : most),
                    fields ? "into: body takes more" : "raise `max_size` if that is meant");
    }
    if (response.status == 206 && !has_header(options.json("headers"), "range")) {
        return fail(Errc::failed, named + " answered 206: a part that nobody asked for");
    }
    if (response.delimited || options.flag("unsized")) return {};
    return fail(Errc::failed, named + ": the answer does not say where it ends",
                "one that was cut off would look the same; `unsized: true` takes it anyway");
}

class HttpGet final : public Step {
  public:
    bool needs_scratch() const override { return true; }

    Task<Result<StepResult>> run(StepContext& context, const Options& options) override {
        Cancel limited(context.cancel);
        const Deadline deadline(context.loop.timers(), limited, options.duration("timeout"));
        if (options.text("into") == "response") {
            co_return co_await read_fields(context, options, limited);
        }
        Download download(context.scratch + "/" + context.step);
        auto open = [&download] { return download.open(); };
        MUSHER_CO_DO(co_await offload(context.loop, open));
        Result<HttpResponse> response = co_await fetch(context, options, &download, limited);
        if (!response) {
            auto discard = [&download] { return download.discard(); };
            co_await offload(context.loop, discard);
            co_return fail(std::move(response).error());
        }
        auto finish = [&download] { return download.finish(); };
        context.body = co_await offload(context.loop, finish);
        StepResult result;
        result.outputs = about(*response);
        result.outputs["bytes"] = context.body.size;
        result.outputs["sha256"] = context.body.sha256;
        co_return result;
    }

  private:
    static Task<Result<StepResult>> read_fields(StepContext& context, const Options& options,
                                                Cancel& cancel) {
        MUSHER_CO_TRY(const HttpResponse response,
                      co_await fetch(context, options, nullptr, cancel));
        StepResult result;
        result.outputs = about(response);
        result.outputs["bytes"] = response.body.size();
        MUSHER_CO_TRY(result.outputs["response"], content_of(response, "GET " + shown(options)));
        co_return result;
    }

    static Json about(const HttpResponse& response) {
        Json headers = Json::object();
        for (const auto& [name, value] : response.headers) {
            headers.emplace(escape_name(name), escape_name(value));
        }
        return Json{{"status", response.status}, {"headers", std::move(headers)}};
    }

    /// A whole answer under 300, after any redirects.
    static Task<Result<HttpResponse>> fetch(const StepContext& context, const Options& options,
                                            Download* into, Cancel& cancel) {
        const auto make = [&context] { return std::make_shared<Http>(context.loop); };
        const std::shared_ptr<Http> http = context.pool.get<Http>("", Json(), make);
        HttpRequest request = request_of(options, into);
        std::int64_t left = options.integer("redirects");
        for (;;) {
            MUSHER_CO_TRY(HttpResponse response, co_await http->send(request, cancel));
            if (response.location.empty() || options.integer("redirects") == 0) {
                MUSHER_CO_DO(judge_answer(request, response, options.list("retry_on")));
                MUSHER_CO_DO(check_whole(request, response, options));
                co_return response;
            }
            if (left-- == 0) {
                co_return fail(Errc::usage, "GET " + shown(options) + ": more than " +
                                                std::to_string(options.integer("redirects")) +
                                                " redirects");
            }
            MUSHER_CO_DO(follow(request, response.location));
        }
    }

    static HttpRequest request_of(const Options& options, Download* into) {
        HttpRequest request("GET", options.text("url"));
        hide_secrets(request, options);
        request.ca_file = options.text("ca_file");
        request.timeout = Duration(0);  // the step's own counts, over all redirects
        request.silence = std::chrono::seconds(60);
        request.compressed = options.flag("compressed");
        add_headers(request, options.json("headers"));
        const auto most = static_cast<std::uint64_t>(options.integer("max_size"));
        request.response_limit = std::min<std::uint64_t>(most, limits::kResponseBytes);
        request.stream_limit = most;
        if (into) request.on_slice = [into](std::string_view slice) { return into->write(slice); };
        return request;
    }

    /// What the user wrote for one server, a token maybe, is not for another one.
    static Result<void> follow(HttpRequest& request, const std::string& location) {
        const std::string from = origin_of(request.url);
        const std::string to = origin_of(location);
        if (!to.starts_with("https://") &&
            (!to.starts_with("http://") || from.starts_with("https://"))) {
            return fail(Errc::usage,
                        "GET " + request.shown() + " redirects to " +
                            public_url(location, request.secret_path),
                        "https stays https; use the final URL if that is meant");
        }
        if (from != to) request.headers.clear();
        request.url = location;
        return {};
    }
};

Faults check_http_get(const Options& options) { return check_http_options(options); }

std::vector<Option> options_of_http_get() {
    return {
        http_url_option(),
        http_headers_option(),
        {.name = "into",
         .type = OptionType::choice,
         .help = "body: becomes the job's body; response: becomes this step's `response`, up to "
                 "1MiB",
         .fallback = "body",
         .choices = {"body", "response"}},
        {.name = "max_size",
         .type = OptionType::size,
         .help = "a longer answer is refused",
         .fallback = "1GiB",
         .least = 1},
        {.name = "timeout",
         .type = OptionType::duration,
         .help = "longest time of the whole; 60s without a byte end it too",
         .fallback = "1h",
         .least = 1},
        {.name = "redirects",
         .type = OptionType::integer,
         .help = "followed at most; `headers`, user and password go to the first server only, and "
                 "https stays https",
         .fallback = "5",
         .least = 0,
         .most = 50},
        {.name = "compressed",
         .type = OptionType::boolean,
         .help = "true: asks for gzip and unpacks it; `max_size` counts what was in it",
         .fallback = "false"},
        {.name = "unsized",
         .type = OptionType::boolean,
         .help = "true: takes an answer that does not say where it ends, as HTTP/1.0 servers give "
                 "it; nobody can tell then whether it is whole",
         .fallback = "false"},
        http_retry_on_option(),
        http_ca_file_option(),
    };
}

}  // namespace

const Spec& http_get_spec() {
    static const Spec kSpec{
        ComponentKind::step,
        "http_get",
        "read a URL",
        "What is read becomes the job's body, in a scratch file of this attempt, or a field that "
        "later steps see. An answer that broke off is an error, never a shorter body. Certificates "
        "are checked.\n\n"
        "An answer under 300 is success. A server that is away or busy (429, 502, 503, 504), 401 "
        "and 403 spend no attempt: the pipeline is held and goes on by itself, as with a broken "
        "sink, unless others are answered meanwhile; inside a `try` they are rescued instead. What "
        "else `retry_on` names is tried again; the rest is the item's fault: the job is dead at "
        "once. A `Retry-After` (seconds or a date) is waited for, but no longer than an hour.",
        options_of_http_get(),
        {{"status", "the answer's status", 200},
         {"headers", "the answer's headers, their names in small letters", Json::object()},
         {"bytes", "length of what was read", 1000},
         {"sha256", "with `into: body`, its digest in hex", ""},
         {"response", "with `into: response`, the answer's JSON, or its text", Json::object()}},
        R"(version: 1
pipeline: rates
source: { timer: { cron: "30 6 * * *" } }
steps:
  - http_get:
      url: "https://rates.example/daily.csv"
      headers: { Accept: text/csv }
  - directory: { to: /srv/rates, name: "${event.date}.csv" }
)",
        Repeats::never,
        "url",
        check_http_get,
        Control::none,
        true};
    return kSpec;
}

std::unique_ptr<Step> make_http_get() { return std::make_unique<HttpGet>(); }

}  // namespace musher
