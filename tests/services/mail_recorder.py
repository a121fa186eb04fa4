#!/usr/bin/python3
"""A mail server for tests: records what it took as Python's email package reads it, prints its
port when ready.

usage: mail_recorder.py RECORD_FILE PORT plain|starttls|tls [CERTIFICATE KEY]
With TLS it wants user bob and password "pass word". Recipients: unknown@… is refused for good,
the others of LATER for now, hang@… gets no answer to the whole message. Subject "refused": 554 at
the end, "odd" and "no space": 4xx.
"""
import asyncio, email.policy, email.utils, hashlib, json, ssl, sys
from aiosmtpd.smtp import SMTP, AuthResult

LIMIT = 8 << 20
LATER = {"later": "451 4.7.1 not now", "full": "452 4.2.2 mailbox full",
         "system": "451 4.3.0 the server has a fault", "leaving": "421 4.7.0 going down"}


def record(**line):
    with open(sys.argv[1], "a") as out:
        out.write(json.dumps(line) + "\n")


def attachment(part):
    content = part.get_payload(decode=True)
    return {"name": part.get_filename(), "type": part.get_content_type(), "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest()}


def told(envelope, session):
    raw = envelope.original_content
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    body = mail.get_body(("plain",))
    lines = raw.split(b"\r\n")
    return {
        "from": envelope.mail_from, "to": envelope.rcpt_tos, "subject": mail["subject"],
        "headers": {name.lower(): str(value) for name, value in mail.items()},
        "names": [[one.display_name, one.addr_spec] for one in mail["to"].addresses],
        "sender": [mail["from"].addresses[0].display_name, mail["from"].addresses[0].addr_spec],
        "text": body.get_content().replace("\r\n", "\n"),
        "attachments": [attachment(p) for p in mail.iter_attachments()],
        "boundary": mail.get_boundary(), "defects": [str(one) for one in mail.defects],
        "tls": session.ssl is not None,
        "ascii": raw.isascii(), "longest": max(map(len, lines)),
        "bare": any(b"\n" in line or b"\r" in line for line in lines),
        "date": email.utils.parsedate_to_datetime(mail["date"]).timestamp(),
    }


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("unknown@"):
            return "550 5.1.1 nobody of that name"
        if address.split("@")[0] in LATER:
            return LATER[address.split("@")[0]]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server, session, envelope):
        mail = told(envelope, session)
        if mail["subject"] == "refused":
            return "554 5.6.0 not this one"
        if mail["subject"] == "odd":
            return "451 4.7.1 not now"
        if mail["subject"] == "no space":
            return "452 insufficient system storage"
        record(**mail)
        if mail["to"][0].startswith("hang@"):
            await asyncio.Event().wait()
        return "250 2.0.0 Ok: queued as 1"


def authenticate(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"bob", b"pass word")
    return AuthResult(success=good, handled=False)


async def main():
    mode = sys.argv[3]
    context = None
    if mode != "plain":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[4], sys.argv[5])
    sign_in = {"authenticator": authenticate, "auth_required": True,
               "auth_require_tls": mode == "starttls"} if context else {}

    def session():
        return SMTP(Handler(), data_size_limit=LIMIT, loop=asyncio.get_running_loop(),
                    tls_context=context if mode == "starttls" else None,
                    require_starttls=mode == "starttls", **sign_in)

    server = await asyncio.get_running_loop().create_server(
        session, "127.0.0.1", int(sys.argv[2]), ssl=context if mode == "tls" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
