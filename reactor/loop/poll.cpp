#include "reactor/loop/poll.h"

namespace musher {

Poll::Poll(Loop& loop, const char* name) : state_(new State{&loop, name, {}}) {}

Result<Poll> Poll::open(Loop& loop, int fd, const char* name) {
    Poll poll(loop, name);
    if (const int status = uv_poll_init(loop.uv(), poll.handle_.get(), fd); status != 0) {
        return fail(Errc::failed, std::string("watching ") + name + ": " + uv_strerror(status));
    }
    poll.handle_.opened();
    poll.handle_->data = poll.state_.get();
    return poll;
}

void Poll::start(int events, Callback callback) {
    state_->callback = std::move(callback);
    uv_poll_start(handle_.get(), events, [](uv_poll_t* handle, int status, int got) {
        auto* state = static_cast<State*>(handle->data);
        if (!state || !state->callback) return;
        const Watchdog::Call call(state->loop->watchdog(), state->name);
        // A copy: the callback may drop this Poll.
        const Callback run = state->callback;
        run(status, got);
    });
}

void Poll::stop() {
    if (handle_.is_open()) uv_poll_stop(handle_.get());
    state_->callback = nullptr;
}

}  // namespace musher
