# SPDX-License-Identifier: Apache-2.0
"""A private Courier IMAP server: separator ".", prefix "INBOX.", no LITERAL+, no MULTIAPPEND.

Courier's own login stands on a daemon whose configuration has one fixed place in /etc, so the login here is
ours: a few lines that speak IMAP up to LOGIN and then hand the connection to Courier's real imapd. There is
no TLS.
"""
import os
import re
import signal
import socket

import unpacked
from server import HOST, Fork, Server, spawn

CAPABILITY = ("IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE ACL "
              "ACL2=UNION")
ARGUMENT = re.compile(rb'\s*(?:"((?:[^"\\]|\\.)*)"|\{(\d+)\}$|([^\s"{]+))')


class Courier(Server):
    name = "courier"
    separator, prefix = ".", "INBOX."

    def __init__(self, **more):
        more["tls"] = False
        super().__init__(**more)
        self.mail = self.scratch.folder("mail")
        for user in self.users:
            for sub in ("cur", "new", "tmp"):
                self.scratch.folder("mail", user, "Maildir", sub)
            for sub in ("", "Maildir"):
                self.scratch.folder("mail", user, sub)

    def configure(self):
        self.watch_id = os.path.basename(self.scratch.path)
        self.environment = {
            **unpacked.environment(), "PROTOCOL": "IMAP", "IMAP_CAPABILITY": CAPABILITY, "IMAP_KEYWORDS": "1",
            "IMAP_ACL": "1", "IMAP_USELOCKS": "1", "IMAP_CHECK_ALL_FOLDERS": "0", "IMAP_OBSOLETE_CLIENT": "0",
            "IMAP_TRASHFOLDERNAME": "Trash", "IMAP_MOVE_EXPUNGE_TO_TRASH": "0", "IMAP_IDLE_TIMEOUT": "60",
            "TCPREMOTEIP": HOST, "TCPREMOTEPORT": "1", "GAM_CLIENT_ID": self.watch_id}

    def launch(self, out):
        # Courier's locks wait on a file alteration monitor; without it each login takes a second.
        self.monitor = spawn([unpacked.path("usr/libexec/gam_server"), "--notimeout", self.watch_id],
                             stdout=out, stderr=out, env=self.environment)
        listener = socket.create_server((HOST, self.port), backlog=50)
        with listener:
            return Fork(lambda: self.serve(listener), out)

    def stop(self, gently=False):
        super().stop(gently)
        if getattr(self, "monitor", None):
            self.monitor.kill()
            self.monitor.wait()
            self.monitor = None

    def serve(self, listener):
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            client, _ = listener.accept()
            if os.fork() == 0:
                try:
                    listener.close()
                    self.login(client)
                finally:
                    os._exit(0)
            client.close()

    def login(self, client):
        client.sendall(f"* OK [CAPABILITY {CAPABILITY}] Courier-IMAP ready (login of the test)\r\n".encode())
        while True:
            tag, command, arguments = read_command(client)
            if command == b"CAPABILITY":
                client.sendall(b"* CAPABILITY %s\r\n%s OK CAPABILITY completed\r\n" % (CAPABILITY.encode(), tag))
            elif command in (b"NOOP", b"ID"):
                client.sendall(tag + b" OK done\r\n")
            elif command == b"LOGOUT":
                client.sendall(b"* BYE Courier-IMAP server shutting down\r\n" + tag + b" OK LOGOUT completed\r\n")
                return
            elif command != b"LOGIN":
                client.sendall(tag + b" BAD Error in IMAP command received by server.\r\n")
            elif self.may_enter(arguments):
                self.become_imapd(client, tag.decode(), arguments[0].decode())
            else:
                client.sendall(tag + b" NO Login failed.\r\n")

    def may_enter(self, arguments):
        return (len(arguments) == 2 and arguments[0].decode() in self.users and
                arguments[1] == self.password.encode())

    def become_imapd(self, client, tag, user):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.chdir(os.path.join(self.mail, user))
        os.dup2(client.fileno(), 0)
        os.dup2(client.fileno(), 1)
        environment = {**self.environment, "AUTHENTICATED": user, "AUTHADDR": user, "IMAPLOGINTAG": tag}
        os.execve(unpacked.path("usr/bin/imapd"), ["imapd", "Maildir"], environment)


def read_line(client):
    """Not a byte further than the line: what follows belongs to imapd."""
    line = b""
    while not line.endswith(b"\n"):
        byte = client.recv(1)
        if not byte or len(line) > 10000:
            os._exit(0)
        line += byte
    return line.rstrip(b"\r\n")


def read_command(client):
    words = read_line(client).split(b" ", 2) + [b"", b""]
    tag, command, rest = words[:3]
    arguments = []
    while m := ARGUMENT.match(rest):
        quoted, literal, atom = m.groups()
        rest = rest[m.end():]
        if literal is None:
            arguments.append(re.sub(rb"\\(.)", rb"\1", quoted) if atom is None else atom)
            continue
        client.sendall(b"+ OK\r\n")
        arguments.append(b"".join(client.recv(1) for _ in range(min(int(literal), 1000))))
        rest = read_line(client)
    return tag, command.upper(), arguments
