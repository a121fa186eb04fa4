#include "sinks/mail.h"

#include <algorithm>

#include "reactor/base/text.h"
#include "sinks/mail_message.h"

namespace musher {

namespace {
constexpr std::size_t kMostRecipients = 100;  // what every server has to take (RFC 5321)

Result<std::vector<MailAddress>> recipients_of(const Options& options) {
    std::vector<MailAddress> all;
    for (const std::string& entry : options.list("to")) {
        Result<std::vector<MailAddress>> some = parse_addresses(entry);
        if (!some) {
            return fail(Errc::usage, "`to`: " + some.error().message, some.error().hint);
        }
        all.insert(all.end(), some->begin(), some->end());
    }
    if (all.empty()) return fail(Errc::usage, "`to` names nobody");
    if (all.size() <= kMostRecipients) return all;
    return fail(Errc::usage,
                "`to` has " + std::to_string(all.size()) + " addresses, " +
                    std::to_string(kMostRecipients) + " is the most",
                "write to a list's address");
}

Result<std::string> subject_of(const Options& options) {
    std::string subject = options.text("subject");
    if (is_mail_line(subject)) return subject;
    return fail(Errc::usage, "`subject` holds a line break or control character",
                "a subject is one line of text");
}

/// Under which name the body is attached; empty: not at all.
Result<std::string> attachment_of(const Json& attach, const StepContext& context) {
    if (attach.is_null() || attach == false) return std::string();
    if (context.body.path.empty()) return fail(Errc::usage, "this job carries no file to attach");
    const std::string& path = context.body.path;
    if (!attach.is_boolean()) {
        std::string name = attach.is_string() ? attach.get<std::string>() : to_line(attach);
        if (!name.empty() && is_mail_line(name)) return name;
        return fail(Errc::usage, "`attach` is no file name: it is empty or holds a line break");
    }
    return text_in(context.event.facts, "name", escape_name(path.substr(path.rfind('/') + 1)));
}

class Mail final : public Step {
  public:
    Task<Result<StepResult>> run(StepContext& context, const Options& options) override {
        const std::string name = options.text("connection");
        MUSHER_CO_TRY(const Json* settings, connection_options(context.connections, name, "smtp"));
        MUSHER_CO_TRY(SmtpTarget target, SmtpTarget::from_options(*settings));
        MUSHER_CO_TRY(const MailMessage message, plan(context, options, target));
        SmtpMail mail = message.compose();
        if (!message.attachment.empty()) {
            mail.body_file = context.body.path;
            mail.body_identity = context.body.identity;
        }
        const auto make = [&] { return std::make_shared<Smtp>(context.loop, std::move(target)); };
        const std::shared_ptr<Smtp> smtp = context.pool.get<Smtp>(name, *settings, make);
        Result<std::string> taken = co_await smtp->send(mail, context.cancel);
        if (!taken) co_return fail(std::move(taken).error().within("connection " + name));
        StepResult result;
        Receipt& receipt = result.receipt.emplace();
        for (const std::string& to : mail.to) {
            if (!receipt.target.empty()) receipt.target += ", ";
            receipt.target += to;
        }
        const bool attached = !message.attachment.empty();
        receipt.bytes = attached ? context.body.size : message.text.size();
        receipt.sha256 = attached ? context.body.sha256 : std::string();
        receipt.extra["message_id"] = message.message_id();
        receipt.extra["answer"] = *taken;
        co_return result;
    }

  private:
    static Result<MailMessage> plan(const StepContext& context, const Options& options,
                                    const SmtpTarget& target) {
        MailMessage message;
        MUSHER_TRY(message.from, MailAddress::parse(target.from));
        MUSHER_TRY(message.to, recipients_of(options));
        MUSHER_TRY(message.subject, subject_of(options));
        message.text = options.text("text");
        MUSHER_TRY(message.attachment, attachment_of(options.json("attach"), context));
        // The same at every attempt, so that a repeat can be told from a second mail.
        message.id = context.job + "." + context.place;
        // each[6].mail: brackets have no place in an id
        std::replace(message.id.begin(), message.id.end(), '[', '-');
        std::replace(message.id.begin(), message.id.end(), ']', '-');
        message.time_ms = context.loop.clock().wall_ms();
        return message;
    }
};

/// What of a templated text stands in the file holds no line break.
bool fixed_text_is_line(const std::string& text) {
    const std::vector<std::string> ends = literal_ends(text);
    return std::all_of(ends.begin(), ends.end(), is_mail_line);
}

Faults check_mail(const Options& options) {
    Faults faults;
    std::string subject = options.text("subject");
    while (subject.ends_with('\n')) subject.pop_back();
    if (!fixed_text_is_line(subject)) {
        faults.emplace_back(Errc::usage, "`subject` holds a line break or control character",
                            "a subject is one line of text");
    }
    const std::vector<std::string> to = options.list("to");
    const bool later = std::any_of(to.begin(), to.end(), [](const std::string& one) {
        return one.find("${") != std::string::npos;
    });
    if (options.has("to") && !later) {
        if (const auto all = recipients_of(options); !all) faults.push_back(all.error());
    }
    const Json& attach = options.json("attach");
    if (!attach.is_null() && !attach.is_boolean() && !attach.is_string()) {
        faults.emplace_back(Errc::usage, "`attach` wants true or a file's name",
                            "attach: \"${event.name}\"");
    }
    return faults;
}

std::vector<Option> options_of_mail() {
    return {
        {.name = "connection",
         .type = OptionType::connection,
         .help = "an smtp connection of musher.yml; its `from` is the sender",
         .required = true,
         .choices = {"smtp"}},
        {.name = "to",
         .type = OptionType::text_list,
         .help = "addresses: name@example.com or Name <name@example.com>, up to 100",
         .required = true,
         .templated = true},
        {.name = "subject",
         .type = OptionType::text,
         .help = "one line of text",
         .required = true,
         .templated = true},
        {.name = "text",
         .type = OptionType::text,
         .help = "what the mail says, plain text",
         .templated = true},
        {.name = "attach",
         .type = OptionType::any,
         .help = "true: the job's body is attached, named as its event's file; or the name to give "
                 "it",
         .templated = true},
    };
}

}  // namespace

const Spec& mail_spec() {
    static const Spec kSpec{
        ComponentKind::sink,
        "mail",
        "send a mail",
        "One message to all of `to`, over a connection that is encrypted unless that connection "
        "says otherwise. Its Message-ID is made of the job and the step, the same on every "
        "attempt: a repeat after a crash can be told by it.\n\n"
        "A server that is away or says \"later\" (4xx) of itself, and one that refuses password, "
        "TLS or the sender, holds the pipeline. Where it says \"later\" of a recipient or of the "
        "message, as greylisting does, this job alone is tried again, not before 5 minutes. What "
        "it refuses for good (5xx: an unknown recipient, a "
        "message too "
        "large) is the item's fault: the job is dead at once, and nobody got the mail.",
        options_of_mail(),
        {{"message_id", "the mail's Message-ID", "<0190.mail@example.com>"},
         {"answer", "what the server said when it took the mail", "250 2.0.0 Ok: queued"}},
        R"(version: 1
pipeline: invoices
source: { hotfolder: { path: /srv/in, match: "*.pdf" } }
steps:
  - mail:
      connection: post
      to: [ "Accounting <accounting@example.com>" ]
      subject: "Invoice ${event.stem}"
      text: "Received on ${event.date}, ${event.size} bytes."
      attach: "${event.name}"
)",
        Repeats::after_crash,
        {},
        check_mail};
    return kSpec;
}

std::unique_ptr<Step> make_mail() { return std::make_unique<Mail>(); }

}  // namespace musher
