// One connection to a mail server: what Smtp::send drives.
#pragma once

#include <optional>
#include <string>

#include "reactor/drivers/curl_multi.h"
#include "reactor/drivers/smtp_target.h"

namespace musher {

struct SmtpReply {
    int code = 0;
    std::string text;  // its lines without the code, a blank between them
};

/// curl would send the mail too, but waits inside of itself for the answer to its last line; the
/// loop would stand still as long as the server looks for viruses. So curl brings the connection
/// to where mail can be sent, and we speak over it. Each session has a multi of its own: another
/// transfer there would judge the connection idle and close it. Loop thread only.
class SmtpSession {
  public:
    SmtpSession(Loop& loop, const SmtpTarget& target);
    ~SmtpSession();  // hangs up

    /// Connects, switches to TLS as told, signs in.
    Task<Result<void>> open(Cancel& cancel);
    /// Sends a line and reads its answer; an error unless its first digit is `wanted`.
    Task<Result<SmtpReply>> say(std::string line, char wanted, Cancel& cancel);
    /// Bytes as they are.
    Task<Result<void>> write(std::string bytes, Cancel& cancel);
    /// The next answer, for what is called `what` in messages.
    Task<Result<SmtpReply>> answer(std::string what, char wanted, Cancel& cancel);
    /// Says goodbye and waits for nothing.
    void quit();
    /// Bytes of the longest message it takes; 0 when it does not say.
    std::uint64_t size_limit() const { return size_limit_; }
    /// It knows the SIZE of MAIL FROM.
    bool knows_size() const { return knows_size_; }

  private:
    Result<void> prepare();
    Task<Result<void>> connect(Cancel& cancel);
    Error failure() const;
    Task<Result<void>> wait(int events, Cancel& cancel);
    Task<Result<void>> read_more(Cancel& cancel);
    Task<Result<SmtpReply>> read_reply(Cancel& cancel);
    Failure away(const std::string& why) const;
    static std::size_t on_line(char* data, std::size_t, std::size_t size, void* self);

    Loop& loop_;
    const SmtpTarget& target_;
    CurlMulti multi_;
    CurlTransfer transfer_;
    std::optional<Poll> poll_;
    Waiters ready_;
    std::string in_;
    std::uint64_t size_limit_ = 0;
    bool knows_size_ = false;
    char reason_[CURL_ERROR_SIZE] = "";
};

}  // namespace musher
