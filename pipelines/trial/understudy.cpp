#include "pipelines/trial/understudy.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipelines/trial/shown_options.h"
#include "reactor/base/digest.h"
#include "reactor/base/text.h"
#include "reactor/filters/chain.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {
constexpr std::size_t kKeptContent = 64 << 10;

/// What a sink would have put somewhere.
struct Load {
    std::uint64_t bytes = 0;
    std::string sha256;
    std::optional<std::string> content;
};

bool is_printable(const std::string& bytes) {
    return is_utf8(bytes) && std::none_of(bytes.begin(), bytes.end(), [](char c) {
               const auto byte = static_cast<unsigned char>(c);
               return byte == 0x7f || (byte < 0x20 && c != '\n' && c != '\t' && c != '\r');
           });
}

Result<Load> read_load(const Body& body) {
    Load load;
    if (body.path.empty()) return load;
    MUSHER_TRY(const Fd file, open_body(body.path, body.identity));
    Digest digest(DigestKind::sha256);
    std::string start;
    std::string slice(kKeptContent, '\0');
    for (;;) {
        const ssize_t got = ::read(file.get(), slice.data(), slice.size());
        if (got < 0) return fail(errno_error(errno, "reading " + body.path));
        if (got == 0) break;
        const std::string_view bytes(slice.data(), static_cast<std::size_t>(got));
        load.bytes += bytes.size();
        digest.update(as_bytes(bytes));
        if (start.size() <= kKeptContent) start += bytes;
    }
    load.sha256 = digest.hex();
    if (start.size() <= kKeptContent && is_printable(start)) load.content = std::move(start);
    return load;
}

/// Passes everything on; says in the end what came out.
class WatchedFilter final : public Filter {
  public:
    WatchedFilter(std::unique_ptr<Filter> real, std::shared_ptr<Record> record, Deed deed)
        : real_(std::move(real)), record_(std::move(record)), deed_(std::move(deed)) {}

    std::string_view name() const override { return real_->name(); }
    Result<void> push(ByteView& input, Slice& out) override { return real_->push(input, out); }
    Result<bool> finish(Slice& out) override { return real_->finish(out); }
    bool more_output() const override { return real_->more_output(); }
    Json result() const override {  // on the loop, once its chain has ended
        Deed done = deed_;
        done.outputs = real_->result();
        record_->add(done);
        return done.outputs;
    }

  private:
    std::unique_ptr<Filter> real_;
    std::shared_ptr<Record> record_;
    Deed deed_;
};

class Understudy final : public Step {
  public:
    explicit Understudy(Role role)
        : role_(std::move(role)),
          real_(role_.config->entry->make()),
          pure_(role_.config->entry->pure && !(real_->is_filter() && role_.answers->given())) {}

    bool is_filter() const override { return pure_ && real_->is_filter(); }
    bool uses_body() const override { return real_->uses_body(); }
    bool may_overtake() const override { return real_->may_overtake(); }
    bool needs_scratch() const override {
        return !pure_ || role_.answers->given() || real_->needs_scratch();
    }
    bool takes_filters() const override { return !is_filter() && real_->takes_filters(); }

    Result<std::unique_ptr<Filter>> filter(const Options& options) const override {
        MUSHER_TRY(std::unique_ptr<Filter> made, real_->filter(options));
        return std::make_unique<WatchedFilter>(std::move(made), role_.record, deed(options));
    }

    Task<Result<StepResult>> run(StepContext& context, const Options& options) override {
        co_return co_await play(context, options, context.body);
    }

    Task<Result<StepResult>> run_filtered(StepContext& context, const Options& options,
                                          std::vector<std::unique_ptr<Filter>>& filters) override {
        Body filtered;
        filtered.path = file_in(context.scratch);
        Chain chain(context.loop, filters);
        MUSHER_CO_TRY(const ChainResult made,
                      co_await chain.file_to_file(context.body.path, filtered.path, context.cancel,
                                                  context.body.identity));
        filtered.size = made.bytes_out;
        co_return co_await play(context, options, filtered);
    }

  private:
    Deed deed(const Options& options) const {
        const StepConfig& config = *role_.config;
        Deed deed{config.id, config.kind, config.sink, !pure_};
        deed.options = shown_options(config, options, role_.folder);
        for (const Value::Entry& entry : config.options.entries) {
            const auto shown = deed.options.find(entry.key);
            if (shown != deed.options.end()) deed.written[entry.key] = *shown;
        }
        return deed;
    }

    /// `load`: what a sink takes; of other steps the body itself.
    Task<Result<StepResult>> play(StepContext& context, const Options& options, Body& load) {
        const TestAnswer* answer = role_.answers->next();
        if (answer && answer->takes.count() > 0) {
            MUSHER_CO_DO(co_await context.loop.timers().sleep(answer->takes, context.cancel));
        }
        if (answer && answer->failure) co_return fail(*answer->failure);
        const bool real = pure_ || (answer && answer->real);
        Deed done = deed(options);
        done.simulated = !real;
        StepResult result;
        if (real) {
            MUSHER_CO_TRY(result, co_await real_->run(context, options));
        } else {
            MUSHER_CO_DO(judge(context, options));
            MUSHER_CO_TRY(result, co_await simulate(context, options, load, done));
        }
        if (answer) {
            add_fields(answer->returns, result);
            if (answer->content) MUSHER_CO_DO(co_await replace_body(context, *answer->content));
        }
        done.outputs = result.outputs;
        if (result.receipt) {
            result.receipt->step = context.step;
            result.receipt->sink = role_.config->kind;
            result.receipt->time_ms = context.loop.clock().wall_ms();
            done.outputs.update(result.receipt->to_json());
        }
        role_.record->saw(context.body);
        if (!role_.record->add(std::move(done))) {
            co_return fail(Errc::usage,
                           fmt::format("a test takes {} steps at most", Record::kMost));
        }
        co_return result;
    }

    static void add_fields(const Json& returns, StepResult& result) {
        if (!result.receipt) {
            result.outputs.update(returns);
            return;
        }
        Receipt& receipt = *result.receipt;
        receipt.extra.update(returns);
        receipt.target = text_in(returns, "target", receipt.target);
        receipt.sha256 = text_in(returns, "sha256", receipt.sha256);
        if (returns.contains("bytes")) receipt.bytes = size_in(returns, "bytes");
    }

    /// What the real step would not take.
    Result<void> judge(const StepContext& context, const Options& options) const {
        const Spec& spec = role_.config->entry->spec;
        if (real_->takes_filters() && context.body.path.empty()) {
            return fail(Errc::usage, fmt::format("this job carries no file for `{}`", spec.name));
        }
        if (!spec.check || has_secrets(role_.config->options)) return {};
        Faults faults = spec.check(options);
        if (faults.empty()) return {};
        return fail(std::move(faults.front()));
    }

    Task<Result<StepResult>> simulate(StepContext& context, const Options& options,
                                      const Body& body, Deed& done) const {
        const Spec& spec = role_.config->entry->spec;
        StepResult result;
        for (const Field& field : spec.fields) {
            const bool open = field.sample.is_object() && field.sample.empty();
            if (field.name != "*" && !open) result.outputs[std::string(field.name)] = field.sample;
        }
        if (!role_.config->sink) co_return result;
        Load load;
        const Json flag = options.values().value("body", Json());
        done.took_body = real_->takes_filters() || flag == Json(true);
        if (done.took_body) {
            auto read = [&] { return read_load(body); };
            MUSHER_CO_TRY(load, co_await offload(context.loop, read));
        }
        done.content = load.content;
        result.receipt.emplace();
        result.receipt->extra = std::exchange(result.outputs, Json::object());
        result.receipt->target = target_of(spec, done.options, context.event);
        result.receipt->bytes = load.bytes;
        result.receipt->sha256 = load.sha256;
        co_return result;
    }

    /// "/srv/out/a.pdf", a URL, …: the option that a bare value means, and the name.
    static std::string target_of(const Spec& spec, const Json& options, const Event& event) {
        std::string target = text_in(options, spec.scalar);
        const bool named = std::any_of(spec.options.begin(), spec.options.end(),
                                       [](const Option& one) { return one.name == "name"; });
        if (named) target += "/" + text_in(options, "name", text_in(event.facts, "name", event.id));
        return target;
    }

    std::string file_in(const std::string& folder) {
        return fmt::format("{}/played-{}", folder, role_.record->next_number());
    }

    Task<Result<void>> replace_body(StepContext& context, std::string content) {
        const std::string path = file_in(context.scratch);
        auto write = [&]() -> Result<void> {
            MUSHER_TRY(const Fd file, Fd::open(path, O_CREAT | O_WRONLY | O_TRUNC));
            return write_all(file.get(), content);
        };
        MUSHER_CO_DO(co_await offload(context.loop, write));
        context.body = Body{path, content.size(), "", {}};
        co_return Result<void>();
    }

    Role role_;
    std::unique_ptr<Step> real_;
    bool pure_;
};
}  // namespace

const TestAnswer* Answers::next() {
    if (at_ >= answers_.size()) return nullptr;
    const TestAnswer& answer = answers_[at_];
    ++served_;
    if (answer.times > 0 && served_ >= answer.times) {
        ++at_;
        served_ = 0;
    }
    return &answer;
}

std::unique_ptr<Step> make_understudy(Role role) {
    return std::make_unique<Understudy>(std::move(role));
}

}  // namespace musher
