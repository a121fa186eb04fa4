#include "reactor/task/cancel.h"

namespace musher {

Cancel::Cancel(Cancel& parent) {
    if (parent.requested_) {
        requested_ = true;
        reason_ = parent.reason_;
        return;
    }
    parent_ = &parent;
    in_parent_ = parent.hooks_.insert(parent.hooks_.end(), [this] {
        Cancel* from = parent_;
        parent_ = nullptr;
        request(from->reason_.code, from->reason_.message);
    });
}

Cancel::~Cancel() {
    MUSHER_CHECK(hooks_.empty());
    if (parent_) parent_->hooks_.erase(in_parent_);
}

void Cancel::request(Errc reason, std::string message) {
    if (requested_) return;
    requested_ = true;
    reason_ = Error(reason, std::move(message));
    // A hook is taken out of the list before it runs, so it may destroy its own CancelHook.
    while (!hooks_.empty()) {
        const std::function<void()> run = std::move(hooks_.front());
        hooks_.pop_front();
        run();
    }
}

const Error& Cancel::error() const {
    MUSHER_CHECK(requested_);
    return reason_;
}

void CancelHook::attach(Cancel& cancel, std::function<void()> run) {
    detach();
    if (cancel.requested_) {
        run();
        return;
    }
    cancel_ = &cancel;
    place_ = cancel.hooks_.insert(cancel.hooks_.end(), [this, run = std::move(run)] {
        cancel_ = nullptr;
        run();
    });
}

void CancelHook::detach() {
    if (!cancel_) return;
    cancel_->hooks_.erase(place_);
    cancel_ = nullptr;
}

}  // namespace musher
