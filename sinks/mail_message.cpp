#include "sinks/mail_message.h"

#include "reactor/base/text.h"
#include "reactor/base/uuid.h"

namespace musher {

namespace {
std::string recipients(const std::vector<MailAddress>& to) {
    std::string text = "To: ";
    for (const MailAddress& one : to) {
        if (&one != &to.front()) text += ",\r\n ";
        text += one.header_text();
    }
    return text + "\r\n";
}

std::string text_part(const std::string& text) {
    return "Content-Type: text/plain; charset=utf-8\r\n"
           "Content-Transfer-Encoding: quoted-printable\r\n\r\n" +
           quoted_printable(text);
}
}  // namespace

std::string MailMessage::message_id() const {
    const std::string domain = from.address.substr(from.address.rfind('@') + 1);
    return "<" + url_encode(id) + "@" + domain + ">";
}

SmtpMail MailMessage::compose() const {
    SmtpMail mail;
    mail.from = from.address;
    for (const MailAddress& one : to) mail.to.push_back(one.address);
    mail.head = "Date: " + mail_date(time_ms) + "\r\nFrom: " + from.header_text() + "\r\n" +
                recipients(to) + mail_header("Subject", subject) + "Message-ID: " + message_id() +
                // No answering machine shall answer (RFC 3834).
                "\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n";
    if (attachment.empty()) {
        mail.head += text_part(text);
        return mail;
    }
    // No line of quoted-printable can be it: there a = is followed by two hex digits or a break.
    // It has 70 bytes at most, and ids of steps may be long.
    const std::string boundary = "=_musher_" + uuid_of(id);
    mail.head += "Content-Type: multipart/mixed;\r\n boundary=\"" + boundary + "\"\r\n\r\n--" +
                 boundary + "\r\n" + text_part(text) + "\r\n--" + boundary +
                 "\r\nContent-Type: application/octet-stream\r\n"
                 "Content-Transfer-Encoding: base64\r\n"
                 "Content-Disposition: attachment;\r\n " +
                 mail_file_name(attachment) + "\r\n\r\n";
    mail.tail = "\r\n--" + boundary + "--\r\n";
    return mail;
}

}  // namespace musher
