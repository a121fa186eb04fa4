#include "reactor/drivers/smtp.h"

#include <sys/stat.h>

#include "reactor/base/limits.h"
#include "reactor/drivers/mail_text.h"
#include "reactor/drivers/smtp_session.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {
constexpr std::size_t kLineBytes = 57;  // of a file, in one line of base64
constexpr std::size_t kSlice = limits::kSliceBytes / kLineBytes * kLineBytes;

/// The file that is attached. Blocks: for pool threads.
class Attachment {
  public:
    Result<void> open(const SmtpMail& mail) {
        path_ = &mail.body_file;
        MUSHER_TRY(file_, open_body(mail.body_file, mail.body_identity));
        struct stat facts{};
        if (fstat(file_.get(), &facts) != 0) return fail(errno_error(errno, mail.body_file));
        size_ = static_cast<std::uint64_t>(facts.st_size);
        return {};
    }
    /// The next lines of base64; empty at the end of what was there when it was opened.
    Result<std::string> read() {
        std::string bytes(std::min<std::uint64_t>(kSlice, size_ - offset_), '\0');
        for (std::size_t filled = 0; filled < bytes.size();) {
            const ssize_t got = ::pread(file_.get(), bytes.data() + filled, bytes.size() - filled,
                                        static_cast<off_t>(offset_ + filled));
            if (got < 0) return fail(errno_error(errno, "reading " + *path_));
            if (got == 0) return fail(Errc::conflict, *path_ + " became shorter while it was sent");
            filled += static_cast<std::size_t>(got);
        }
        offset_ += bytes.size();
        return base64_lines(bytes);
    }
    std::uint64_t encoded_size() const {
        const std::uint64_t lines = (size_ + kLineBytes - 1) / kLineBytes;
        return (size_ + 2) / 3 * 4 + lines * 2;
    }

  private:
    const std::string* path_ = nullptr;
    Fd file_;
    std::uint64_t size_ = 0;
    std::uint64_t offset_ = 0;
};

/// A line that begins with a dot gets another one: alone it would end the message.
std::string escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    bool starts_line = true;
    for (const char c : text) {
        if (starts_line && c == '.') out += '.';
        out += c;
        starts_line = c == '\n';
    }
    return out;
}

Result<void> check_size(const SmtpSession& session, const SmtpTarget& target, std::uint64_t size) {
    if (session.size_limit() == 0 || size <= session.size_limit()) return {};
    return fail(Errc::usage, target.url + " takes messages up to " +
                                 format_size(session.size_limit()) + ", this one has " +
                                 format_size(size));
}

Task<Result<std::string>> deliver(Loop& loop, SmtpSession& session, const SmtpTarget& target,
                                  const SmtpMail& mail, Cancel& cancel) {
    Attachment attachment;
    std::uint64_t size = mail.head.size() + mail.tail.size();
    if (!mail.body_file.empty()) {
        auto open = [&] { return attachment.open(mail); };
        MUSHER_CO_DO(co_await offload(loop, open));
        size += attachment.encoded_size();
    }
    MUSHER_CO_DO(co_await session.open(cancel));
    MUSHER_CO_DO(check_size(session, target, size));
    std::string line = "MAIL FROM:<" + mail.from + ">";
    if (session.knows_size()) line += " SIZE=" + std::to_string(size);
    MUSHER_CO_DO(co_await session.say(std::move(line), '2', cancel));
    for (const std::string& to : mail.to) {
        std::string recipient = "RCPT TO:<" + to + ">";
        MUSHER_CO_DO(co_await session.say(std::move(recipient), '2', cancel));
    }
    std::string data = "DATA";
    MUSHER_CO_DO(co_await session.say(std::move(data), '3', cancel));
    std::string head = escaped(mail.head);
    MUSHER_CO_DO(co_await session.write(std::move(head), cancel));
    while (!mail.body_file.empty()) {
        auto read = [&attachment] { return attachment.read(); };
        MUSHER_CO_TRY(std::string lines, co_await offload(loop, read));
        if (lines.empty()) break;
        MUSHER_CO_DO(co_await session.write(std::move(lines), cancel));
    }
    std::string tail = escaped(mail.tail) + ".\r\n";
    MUSHER_CO_DO(co_await session.write(std::move(tail), cancel));
    std::string what = "the message";
    MUSHER_CO_TRY(const SmtpReply taken, co_await session.answer(std::move(what), '2', cancel));
    co_return std::to_string(taken.code) + " " + taken.text;
}
}  // namespace

Task<Result<std::string>> Smtp::send(const SmtpMail& mail, Cancel& cancel) {
    if (cancel.requested()) co_return fail(cancel.error());
    MUSHER_CO_TRY(const Semaphore::Permit turn, co_await turns_.acquire(cancel));
    SmtpSession session(loop_, target_);
    Result<std::string> taken = co_await deliver(loop_, session, target_, mail, cancel);
    // Also after a refusal; without an open connection it says nothing.
    if (taken) session.quit();
    co_return taken;
}

Task<Result<void>> Smtp::probe(Cancel& cancel) {
    MUSHER_CO_TRY(const Semaphore::Permit turn, co_await turns_.acquire(cancel));
    SmtpSession session(loop_, target_);
    MUSHER_CO_DO(co_await session.open(cancel));
    session.quit();
    co_return Result<void>();
}

}  // namespace musher
