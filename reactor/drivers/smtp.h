// Smtp: mail to one server. libcurl connects, secures and signs in; what comes then is said here.
#pragma once

#include <string>
#include <vector>

#include "reactor/base/body_file.h"
#include "reactor/drivers/smtp_target.h"
#include "reactor/loop/loop.h"

namespace musher {

/// One message. `head` and `tail` are its text in ASCII, every line ended by CRLF; what of it looks
/// like SMTP is escaped when it is sent.
struct SmtpMail {
    std::string from;             // addresses of the envelope, without names
    std::vector<std::string> to;  // one at least
    std::string head;
    std::string body_file;  // its bytes follow in base64, read in slices …
    FileIdentity body_identity;
    std::string tail;  // … and then this
};

/// Loop thread only; up to kConnections at a time, the rest waits its turn.
class Smtp {
  public:
    static constexpr std::size_t kConnections = 4;

    Smtp(Loop& loop, SmtpTarget target)
        : loop_(loop), target_(std::move(target)), turns_(loop.ready(), kConnections) {}

    /// Returns what the server said when it took the message, for all recipients. `unavailable`:
    /// no server, or one that says "later" (4xx) of itself; `failed`: it says so of this mail or a
    /// recipient; `denied`: no TLS, a certificate or password that
    /// does not hold; `usage`: it will never take this one (5xx, too large). A Cancel ends it at
    /// once. After an error that came between the last byte and the answer, or a Cancel then,
    /// nobody knows whether it was taken.
    Task<Result<std::string>> send(const SmtpMail& mail, Cancel& cancel);
    /// Connects and signs in, no more.
    Task<Result<void>> probe(Cancel& cancel);

  private:
    Loop& loop_;
    SmtpTarget target_;
    Semaphore turns_;
};

}  // namespace musher
