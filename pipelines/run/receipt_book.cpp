#include "pipelines/run/receipt_book.h"

#include <fmt/format.h>

#include "reactor/base/backoff.h"
#include "reactor/base/limits.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr Duration kPause = milliseconds(100);
constexpr Duration kLongestPause = std::chrono::seconds(5);
constexpr std::size_t kFrameBytes = 100;  // names of fields, the time

/// About.
std::size_t size_of(const Receipt& receipt) {
    const std::size_t extra = receipt.extra.empty() ? 0 : to_line(receipt.extra).size();
    return kFrameBytes + receipt.step.size() + receipt.sink.size() + receipt.target.size() +
           receipt.sha256.size() + extra;
}
}  // namespace

ReceiptBook::ReceiptBook(Loop& loop, JobQueue& queue, const Claim& claim, Cancel& over)
    : loop_(loop), queue_(queue), claim_(claim), alarm_(loop.timers()) {
    for (const Json& receipt : claim.receipts) {
        auto& places = receipt.contains("flow") ? notes_ : sinks_;
        places.emplace(text_in(receipt, "step"), &receipt);
        bytes_ += to_line(receipt).size();
    }
    over_.attach(over, [this] {
        alarm_.arm(limits::kLastReceipt,
                   [this] { last_.request(Errc::cancelled, "musher stops"); });
    });
}

Result<void> ReceiptBook::room() const {
    if (bytes_ < limits::kReceiptsBytes) return {};
    return fail(
        Errc::usage,
        fmt::format("the receipts of this job are over {}", format_size(limits::kReceiptsBytes)),
        "make several jobs of it: a `postgres_queue`, or files of a hot folder");
}

const Json* ReceiptBook::find(const std::string& place) const {
    const auto found = sinks_.find(place);
    return found == sinks_.end() ? nullptr : found->second;
}

const Json* ReceiptBook::note(const std::string& place, std::string_view kind) const {
    const auto found = notes_.find(place);
    // After an edit another step may stand under that id.
    if (found == notes_.end() || text_in(*found->second, "sink") != kind) return nullptr;
    return &found->second->at("flow");
}

Json ReceiptBook::below(const std::string& prefix) const {
    Json found = Json::array();
    for (const Json& receipt : claim_.receipts) {
        const bool note = receipt.contains("flow");
        if (!note && text_in(receipt, "step").starts_with(prefix)) found.push_back(receipt);
    }
    return found;
}

Task<Result<void>> ReceiptBook::store(Receipt receipt, Cancel& cancel) {
    bytes_ += size_of(receipt);
    for (int tries = 1;; ++tries) {
        Result<void> stored =
            co_await queue_.store_receipt(claim_.job.id, claim_.token, receipt, cancel);
        if (stored || !is_unanswered(stored.error()) || cancel.requested()) co_return stored;
        const Duration pause = backoff_delay(kPause, kLongestPause, tries);
        const Result<void> slept = co_await loop_.timers().sleep(pause, cancel);
        if (!slept) co_return stored;
    }
}

Receipt flow_note(const Clock& clock, std::string place, std::string kind, std::string target,
                  Json flow) {
    Receipt note;
    note.step = std::move(place);
    note.sink = std::move(kind);
    note.target = std::move(target);
    note.time_ms = clock.wall_ms();
    note.extra["flow"] = std::move(flow);
    return note;
}

}  // namespace musher
