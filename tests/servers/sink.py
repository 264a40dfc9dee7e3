# SPDX-License-Identifier: Apache-2.0
"""A mail server that takes everything, or answers as it is told: for tests of the gateway. Keeps what it took."""
import socketserver
import threading


class Session(socketserver.StreamRequestHandler):
    timeout = 120

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        sink = self.server.sink
        self.say("220 sink.example ESMTP")
        sender, recipients = None, []
        try:
            while line := self.rfile.readline(4096):
                verb = line.split()[0].upper() if line.split() else b""
                if verb in (b"EHLO", b"LHLO"):
                    words = ["sink.example", *sink.offers]
                    for n, word in enumerate(words):
                        self.say(("250 " if n + 1 == len(words) else "250-") + word)
                elif verb == b"MAIL":
                    sender, recipients = line.split(b":", 1)[1].split()[0].decode().strip("<>"), []
                    sink.mails.append(line.decode().strip())
                    self.say("250 2.1.0 sender ok")
                elif verb == b"RCPT":
                    address = line.split(b":", 1)[1].split()[0].decode().strip("<>")
                    answer = sink.answer("RCPT", address)
                    if answer.startswith("2"):
                        recipients.append(address)
                    self.say(answer)
                elif verb == b"DATA":
                    if not recipients:
                        self.say("554 5.5.1 no valid recipients")
                        continue
                    self.say("354 go on")
                    content = b""
                    while (line := self.rfile.readline()) and line != b".\r\n":
                        content += line[1:] if line.startswith(b".") else line
                    if not line:
                        return
                    answer = sink.answer("DATA", recipients[0])
                    if answer.startswith("2"):
                        sink.took(sender, recipients, content)
                    if answer == "hang up":
                        return
                    self.say(answer)
                elif verb == b"RSET" or verb == b"NOOP":
                    self.say("250 2.0.0 ok")
                elif verb == b"QUIT":
                    self.say("221 2.0.0 bye")
                    return
                else:
                    self.say("502 5.5.1 not known here")
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class Sink:
    """answers: what to say to RCPT or DATA instead of 250, as ("RCPT" or "DATA", address): [first time, second time, …].
    offers: what EHLO says, may be changed. mails: the lines of MAIL."""

    def __init__(self, answers=None, offers=("PIPELINING", "8BITMIME", "SMTPUTF8")):
        self.answers, self.messages, self.lock = answers or {}, [], threading.Lock()
        self.offers, self.mails = offers, []
        self.server = Server(("127.0.0.1", 0), Session)
        self.server.sink = self
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, verb, address):
        with self.lock:
            waiting = self.answers.get((verb, address))
            if waiting:
                return waiting.pop(0)
            return "250 2.1.5 ok" if verb == "RCPT" else f"250 2.0.0 Ok: queued as SINK{len(self.messages) + 1}"

    def took(self, sender, recipients, content):
        with self.lock:
            self.messages.append((sender, list(recipients), content))

    def close(self):
        self.server.shutdown()
        self.server.server_close()
