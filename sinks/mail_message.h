// The text of a mail: headers, text part, and what stands around an attachment.
#pragma once

#include <string>
#include <vector>

#include "reactor/drivers/mail_text.h"
#include "reactor/drivers/smtp.h"

namespace musher {

struct MailMessage {
    MailAddress from;
    std::vector<MailAddress> to;
    std::string subject;     // one line
    std::string text;        // of any length
    std::string attachment;  // its file's name; empty: none
    std::string id;          // local part of the Message-ID
    std::int64_t time_ms = 0;

    /// Without the attachment's file, which belongs between `head` and `tail`.
    SmtpMail compose() const;
    /// <id@the sender's domain>
    std::string message_id() const;
};

}  // namespace musher
