// CurlMulti: libcurl's transfers on the loop. What they transfer is their owner's business (http,
// ftp, s3, mail).
#pragma once

#include <curl/curl.h>

#include <map>

#include "reactor/loop/loop.h"
#include "reactor/loop/poll.h"

namespace musher {

/// One transfer: its owner sets the options of `easy`, adds it, and waits on `changed`. Callbacks
/// that curl makes may fill the owner's buffers and wake `changed`, nothing else: curl must not be
/// called from them.
struct CurlTransfer {
    explicit CurlTransfer(Loop& loop);
    CurlTransfer(const CurlTransfer&) = delete;
    ~CurlTransfer();  // must not be added any more

    CURL* easy;
    bool done = false;
    CURLcode code = CURLE_OK;  // once done
    Waiters changed;           // woken when done, and by the owner's callbacks
    bool added = false;
};

/// Loop thread only. Keeps connections open for the next transfer to the same server.
class CurlMulti {
  public:
    explicit CurlMulti(Loop& loop);
    CurlMulti(const CurlMulti&) = delete;
    ~CurlMulti();  // every transfer must have been removed

    /// Starts on the loop's next turn.
    void add(CurlTransfer& transfer);
    /// Ends it, whether done or not; curl makes no callback for it afterwards.
    void remove(CurlTransfer& transfer);
    /// Goes on after a callback returned CURL_READFUNC_PAUSE or CURL_WRITEFUNC_PAUSE.
    void go_on(CurlTransfer& transfer);

  private:
    static int on_socket(CURL* easy, curl_socket_t fd, int what, void* self, void* socket);
    static int on_timer(CURLM* multi, long timeout_ms, void* self);
    void watch(curl_socket_t fd, int what);
    void act(curl_socket_t fd, int mask);

    Loop& loop_;
    CURLM* multi_;
    Timers::Alarm alarm_;
    std::map<curl_socket_t, Poll> sockets_;
    int transfers_ = 0;
    bool closing_ = false;
};

}  // namespace musher
