#include "pipelines/run/receipt_book.h"

#include "reactor/base/backoff.h"

namespace musher {

namespace {
constexpr Duration kPause = milliseconds(100);
constexpr Duration kLongestPause = std::chrono::seconds(5);
}  // namespace

ReceiptBook::ReceiptBook(Loop& loop, JobQueue& queue, const Claim& claim, Cancel& cancel)
    : loop_(loop), queue_(queue), claim_(claim), cancel_(cancel) {
    for (const Json& receipt : claim.receipts) {
        auto& places = receipt.contains("flow") ? notes_ : sinks_;
        places.emplace(text_in(receipt, "step"), &receipt);
    }
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

Task<Result<void>> ReceiptBook::store(Receipt receipt) {
    for (int tries = 1;; ++tries) {
        Result<void> stored =
            co_await queue_.store_receipt(claim_.job.id, claim_.token, receipt, cancel_);
        const bool away = !stored && stored.error().code == Errc::unavailable;
        if (!away || cancel_.requested()) co_return stored;
        // The effect is there: a queue that is away is waited for, rather than doing it again.
        const Duration pause = backoff_delay(kPause, kLongestPause, tries);
        const Result<void> slept = co_await loop_.timers().sleep(pause, cancel_);
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
