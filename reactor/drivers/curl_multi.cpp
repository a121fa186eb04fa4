#include "reactor/drivers/curl_multi.h"

namespace musher {

namespace {
CURL* new_easy() {
    static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    MUSHER_CHECK(ready);
    CURL* easy = curl_easy_init();
    MUSHER_CHECK(easy);
    return easy;
}
CURLM* new_multi() {
    CURLM* multi = curl_multi_init();
    MUSHER_CHECK(multi);
    return multi;
}
}  // namespace

CurlTransfer::CurlTransfer(Loop& loop) : easy(new_easy()), changed(loop.ready()) {
    curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    // A cancelled transfer that still resolves its host would otherwise wait for the resolver.
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
}

CurlTransfer::~CurlTransfer() {
    MUSHER_CHECK(!added);
    curl_easy_cleanup(easy);
}

CurlMulti::CurlMulti(Loop& loop) : loop_(loop), multi_(new_multi()), alarm_(loop.timers()) {
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlMulti::on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlMulti::on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
}

CurlMulti::~CurlMulti() {
    MUSHER_CHECK(transfers_ == 0);
    closing_ = true;  // curl says goodbye to its connections, and may call back for each
    sockets_.clear();
    curl_multi_cleanup(multi_);
}

void CurlMulti::add(CurlTransfer& transfer) {
    MUSHER_CHECK(curl_multi_add_handle(multi_, transfer.easy) == CURLM_OK);
    transfer.added = true;
    ++transfers_;
}

void CurlMulti::remove(CurlTransfer& transfer) {
    MUSHER_CHECK(transfer.added);
    curl_multi_remove_handle(multi_, transfer.easy);
    transfer.added = false;
    --transfers_;
}

void CurlMulti::go_on(CurlTransfer& transfer) {
    if (!transfer.done) curl_easy_pause(transfer.easy, CURLPAUSE_CONT);
}

int CurlMulti::on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
    static_cast<CurlMulti*>(self)->watch(fd, what);
    return 0;
}

void CurlMulti::watch(curl_socket_t fd, int what) {
    if (closing_) return;
    if (what == CURL_POLL_REMOVE) {
        sockets_.erase(fd);  // curl may close it right after this
        return;
    }
    auto place = sockets_.find(fd);
    if (place == sockets_.end()) {
        auto poll = Poll::open(loop_, fd, "curl");
        if (!poll) return;  // the transfer ends by its own timeout
        place = sockets_.emplace(fd, std::move(*poll)).first;
    }
    const int events = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                       ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
    place->second.start(events, [this, fd](int status, int got) {
        int mask = status < 0 ? CURL_CSELECT_ERR : 0;
        if ((got & UV_READABLE) != 0) mask |= CURL_CSELECT_IN;
        if ((got & UV_WRITABLE) != 0) mask |= CURL_CSELECT_OUT;
        act(fd, mask);
    });
}

int CurlMulti::on_timer(CURLM*, long timeout_ms, void* self) {
    auto& multi = *static_cast<CurlMulti*>(self);
    if (multi.closing_) return 0;
    if (timeout_ms < 0) {
        multi.alarm_.disarm();
    } else {
        // Also when it is 0: curl must not be entered from its own callback.
        multi.alarm_.arm(milliseconds(timeout_ms), [&multi] { multi.act(CURL_SOCKET_TIMEOUT, 0); });
    }
    return 0;
}

void CurlMulti::act(curl_socket_t fd, int mask) {
    int running = 0;
    curl_multi_socket_action(multi_, fd, mask, &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        CurlTransfer* transfer = nullptr;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        transfer->done = true;
        transfer->code = message->data.result;
        transfer->changed.wake_one();
    }
}

}  // namespace musher
