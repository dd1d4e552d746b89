#!/usr/bin/python3
"""Sends e-mail to a real mail server on loopback, Debian's aiosmtpd, by the command notices test-mail.

    mail.py BIN    BIN holds netcensus-plan

The server takes e-mail by STARTTLS and by TLS, from senders who sign in. Its certificate is of an authority of its own. What
must not be sent is tried too: to a server without STARTTLS, to one with a certificate of an unknown authority or of another
name, and with a wrong password. Needs Debian's python3-aiosmtpd and openssl.
"""

import logging
import pathlib
import ssl
import subprocess
import sys
import tempfile
import warnings

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

PASSWORD = "a password of the mail server"
FAILED = 69  # the exit code of a command whose server does not take something


class Keeper:
    """Keeps the e-mails that the server takes."""

    def __init__(self):
        self.taken = []

    async def handle_DATA(self, server, session, envelope):
        self.taken.append((envelope.mail_from, envelope.rcpt_tos, envelope.content.decode(), session.ssl is not None))
        return "250 taken"


class Starttls(Controller):
    """A server that speaks TLS once the client asks for it, and takes e-mail from those who signed in."""

    def __init__(self, keeper, context, required=True):
        self.context, self.required = context, required
        super().__init__(keeper, hostname="127.0.0.1", port=0)

    def factory(self):
        return SMTP(self.handler, tls_context=self.context, require_starttls=self.required, auth_required=self.required,
                    authenticator=authenticated if self.required else None, hostname="mx.example")

    def _trigger_server(self):
        """The base class connects to the port that it was given; this one has a free port."""
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class Tls(Starttls):
    """A server that speaks TLS from the first byte on."""

    def __init__(self, keeper, context):
        super().__init__(keeper, None, required=False)
        self.ssl_context = context


def authenticated(server, session, envelope, mechanism, data):
    good = data.login == b"netcensus" and data.password == PASSWORD.encode()
    return AuthResult(success=good, handled=False)


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def certificate(folder, name, authority):
    """A key and a certificate for an address or a name, signed by an authority."""
    key, request, signed, names = (folder / f"{name}.{end}" for end in ("key", "csr", "pem", "names"))
    kind = "IP" if name[0].isdigit() else "DNS"
    names.write_text(f"subjectAltName={kind}:{name}\n")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}")
    openssl("x509", "-req", "-in", request, "-CA", authority[0], "-CAkey", authority[1], "-CAcreateserial", "-days", "2",
            "-extfile", names, "-out", signed)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(signed, key)
    return context


def authority(folder, name):
    pem, key = folder / f"{name}.pem", folder / f"{name}.key"
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", pem, "-days", "2", "-subj", f"/CN={name}",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    return pem, key


class Case:
    """Runs the command against a server, and says what is wrong."""

    def __init__(self, program, folder, ours):
        self.program, self.folder, self.ours, self.wrong = program, folder, ours, []

    def send(self, what, server, encryption, taken, password=PASSWORD, user="netcensus", authorities=None):
        keeper = server.handler
        server.start()
        try:
            secret, config = self.folder / "password", self.folder / "plan.toml"
            secret.write_text(password + "\n")
            signing_in = f'user = "{user}"\npassword_file = "{secret}"' if user else ""
            config.write_text(f'[mail]\nhost = "127.0.0.1"\nport = {server.port}\nencryption = "{encryption}"\n'
                              f'from = "netcensus <netcensus@example.com>"\nauthorities = "{authorities or self.ours}"\n{signing_in}\n')
            command = [self.program, "notices", "test-mail", "alice@example.com", "--config", config]
            done = subprocess.run(command, capture_output=True, text=True)
        finally:
            server.stop()
        print(f"   {what}: {(done.stdout or done.stderr).strip()}")
        if done.returncode != (0 if taken else FAILED):
            self.wrong.append(f"{what}: exit code {done.returncode}")
        if taken != bool(keeper.taken):
            self.wrong.append(f"{what}: the server has {len(keeper.taken)} e-mails")
        for sender, recipients, text, encrypted in keeper.taken:
            good = sender == "netcensus@example.com" and recipients == ["alice@example.com"]
            # Of a connection that is encrypted from its first byte on, the session knows nothing.
            if not good or encrypted != (encryption == "starttls") or "Subject: netcensus: a test" not in text or "Message-ID: <" not in text:
                self.wrong.append(f"{what}: {sender} {recipients} {encrypted} {text}")


def main():
    logging.disable()  # the server tells of clients that give up
    warnings.simplefilter("ignore")
    program = pathlib.Path(sys.argv[1]) / "netcensus-plan"
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        ours, strange = authority(folder, "ours"), authority(folder, "strange")
        good, other_name = certificate(folder, "127.0.0.1", ours), certificate(folder, "mx.example", ours)
        case = Case(program, folder, ours[0])
        case.send("by STARTTLS", Starttls(Keeper(), good), "starttls", True)
        case.send("by TLS", Tls(Keeper(), good), "tls", True, user="")
        case.send("with a wrong password", Starttls(Keeper(), good), "starttls", False, password="another one")
        case.send("to a server without STARTTLS", Starttls(Keeper(), None, required=False), "starttls", False, user="")
        case.send("to a server of an unknown authority", Starttls(Keeper(), good), "starttls", False, authorities=strange[0])
        case.send("to a server of another name", Starttls(Keeper(), other_name), "starttls", False)
    for what in case.wrong:
        print(f"   WRONG {what}")
    sys.exit(1 if case.wrong else 0)


if __name__ == "__main__":
    main()
