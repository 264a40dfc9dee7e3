# SPDX-License-Identifier: Apache-2.0
"""For the gateway's robustness tests: a client that says any bytes in any pieces, in clear and by TLS; a server that follows a
script of misbehaviour and keeps what it took."""
import os
import re
import socket
import ssl
import threading
import time

import journalbook
import test_gateway

HOST = "127.0.0.1"
GATEWAY = """
[platform old]
smtp = {old}
smtp_tls = none
[platform new]
smtp = {new}
smtp_tls = {tls}
{more}
"""


def wait_until(true, what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited for {what() if callable(what) else what}")


class Raw:
    """One connection. say() writes exactly these bytes; answer() is one reply: its code, and self.text."""

    def __init__(self, port, tls=False, hello=True, **more):
        self.socket = socket.create_connection((HOST, port), timeout=30, **more)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.text = b""
        if not hello:
            return
        self.expect(220)
        self.ask(b"EHLO client.example", 250)
        if tls:
            self.ask(b"STARTTLS", 220)
            self.start_tls()
            self.ask(b"EHLO client.example", 250)

    def start_tls(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")

    def say(self, data, cuts=()):
        """cuts: where a new write (a record of its own, in TLS) begins."""
        at = 0
        for cut in [*cuts, len(data)]:
            if cut > at:
                self.socket.sendall(data[at:cut])
                at = cut
                if cuts:
                    time.sleep(0.0005)

    def answer(self):
        self.text = b""
        while True:
            line = self.file.readline()
            if not line:
                return 0
            self.text += line
            if line[3:4] != b"-":
                return int(line[:3])

    def expect(self, code):
        got = self.answer()
        if got != code:
            raise AssertionError(f"{got} ({self.text!r}), not {code}")

    def ask(self, line, code=None):
        self.say(line + b"\r\n")
        got = self.answer()
        if code is not None and got != code:
            raise AssertionError(f"{line[:80]!r}: {got} ({self.text!r}), not {code}")
        return got

    def begin(self, sender=b"good@client.example", to=(b"bob@example.org",), code=354):
        self.ask(b"MAIL FROM:<" + sender + b">", 250)
        for one in to:
            self.ask(b"RCPT TO:<" + one + b">", 250)
        self.ask(b"DATA", code)

    def rest(self):
        """What still comes until the other side goes away."""
        try:
            return self.file.read()
        except (OSError, ssl.SSLError):
            return b""

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Target:
    """A server that takes all mail, but for what its script says: place → what is done there, as often as there are entries. Places:
    "greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot", … What is done: bytes to say in place of the usual reply; None: hang up; a
    function of the session. taken: (recipients, content) of what it kept."""

    def __init__(self, script=None, context=None):
        self.script = {place: list(acts) for place, acts in (script or {}).items()}
        self.context, self.taken, self.visits, self.connections = context, [], {}, 0
        self.socket = socket.create_server((HOST, 0), backlog=200)
        self.port = self.socket.getsockname()[1]
        self.lock = threading.Lock()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                one = self.socket.accept()[0]
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(one,), daemon=True).start()

    def serve(self, one):
        try:
            Session(self, one).run()
        except (OSError, EOFError, ssl.SSLError):
            pass
        finally:
            one.close()

    def url(self, scheme="smtp"):
        return f"{scheme}://{HOST}:{self.port}"

    def close(self):
        self.socket.close()


class Session:
    def __init__(self, target, one):
        self.target, self.socket = target, one
        one.settimeout(60)
        self.file = one.makefile("rb")

    def reply(self, place, usual):
        """Whether it goes on."""
        with self.target.lock:
            self.target.visits[place] = self.target.visits.get(place, 0) + 1
            acts = self.target.script.get(place)
            act = acts.pop(0) if acts else usual
        if act is None:
            raise EOFError
        if callable(act):
            act = act(self) or usual
        self.socket.sendall(act)
        return act[:1] in b"23"

    def line(self):
        line = self.file.readline()
        if not line:
            raise EOFError
        return line

    def run(self):
        if not self.reply("greeting", b"220 target ESMTP\r\n"):
            return
        to, has_sender = [], False
        offers = b"250-target\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
        while True:
            line = self.line().rstrip()
            verb = line[:4].upper().decode()
            if verb == "EHLO":
                tls = b"250-STARTTLS\r\n" if self.target.context and not isinstance(self.socket, ssl.SSLSocket) else b""
                self.reply("EHLO", offers + tls + b"250 ENHANCEDSTATUSCODES\r\n")
            elif verb == "STAR":
                if self.reply("STARTTLS", b"220 2.0.0 go on\r\n"):
                    self.socket = self.target.context.wrap_socket(self.socket, server_side=True)
                    self.file = self.socket.makefile("rb")
            elif verb == "MAIL":
                to = []
                has_sender = self.reply("MAIL", b"250 2.1.0 ok\r\n")
            elif verb == "RCPT":
                address = re.search(b"<(.*?)>", line)[1].decode()
                place = "RCPT " + address if "RCPT " + address in self.target.script else "RCPT"
                if self.reply(place, b"250 2.1.5 ok\r\n" if has_sender else b"503 5.5.1 from whom?\r\n"):
                    to.append(address)
            elif verb == "DATA":
                if self.reply("DATA", b"354 go on\r\n" if to else b"554 5.5.1 nobody\r\n") and to:
                    self.take(to)
                to = []
            elif verb == "QUIT":
                self.reply("QUIT", b"221 2.0.0 bye\r\n")
                return
            else:
                self.reply(verb, b"250 2.0.0 ok\r\n")

    def take(self, to):
        lines = [self.line()]
        while lines[-1] != b".\r\n" or not b"".join(lines[-2:-1]).endswith(b"\r\n") and len(lines) > 1:
            lines.append(self.line())
        with self.target.lock:
            acts = self.target.script.get("dot")
            kept = not acts or acts[0] not in (None,) and (callable(acts[0]) or acts[0][:1] == b"2")
        content = re.sub(rb"(?m)^\.", b"", b"".join(lines[:-1]))
        if kept:
            with self.target.lock:
                self.target.taken.append((to, content))
        self.reply("dot", b"250 2.0.0 taken\r\n")


def gateway(test, new, old=f"smtp://{HOST}:9", tls="none", more="", with_tls=False, **keys):
    keys = {"domain_route": "example.org=new", "retry_min": "1s", "retry_max": "1s", "route_fault": "0s", "journal_segment_mib": 4,
            "drain": "5s", **keys}
    made = test_gateway.Gateway(tls=with_tls, platforms=GATEWAY.format(old=old, new=new, tls=tls, more=more), **keys)
    test.addCleanup(made.__exit__)
    return made


def journal(made):
    """Its books: the audit finds nothing wrong, and both count the same (of a gateway that runs: soon, as more may come between)."""
    for _ in range(20):
        messages, legs, _ = made.audit()
        found = journalbook.Journal(os.path.join(made.state, "journal"))
        if (messages, legs) == (len(found.messages), len(found.legs)):
            return found
    raise AssertionError(f"the audit counts {messages} messages and {legs} legs, the journal has {len(found.messages)} and "
                         f"{len(found.legs)}")
