# SPDX-License-Identifier: Apache-2.0
"""The demonstration's gateway: mail flows through it while mailboxes move, and every message is looked for afterwards."""
import os
import signal
import smtplib
import subprocess
import threading
import time

import mailbox
from server import HOST, end_with_parent, free_ports

CONF = """
[platform old]
smtp = lmtp://{host}:{old}
[platform new]
smtp = lmtp://{host}:{new}
[gateway]
hostname = mx.example.org
listen = {host}:{port}
domain = example.org
"""
PATIENCE = 60


class Trouble(Exception):
    pass


class Gateway:
    def __init__(self, demo, addresses):
        self.demo, self.addresses, self.port = demo, addresses, free_ports(1)[0]
        self.sent, self.trouble, self.child = [], None, None  # sent: (Message-ID, address) that was answered 250
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.send, daemon=True)

    def command(self, *words):
        self.demo.run(*words, folder=self.demo.many)

    def start(self):
        conf = os.path.join(self.demo.many, "mailferry.conf")
        text = CONF.format(host=HOST, old=self.demo.source.lmtp, new=self.demo.there.lmtp, port=self.port)
        print("$ edit mailferry.conf" + text.replace("\n", "\n  ").rstrip(), flush=True)
        if os.geteuid() == 0:
            text += "user = mail\n"
        text += "keep_free = none\n"
        with open(conf, encoding="utf-8") as f:
            lines = f.read()
        for section in ("[platform old]", "[platform new]"):
            own = text.split(section + "\n")[1].split("\n")[0]
            lines = lines.replace(section + "\n", f"{section}\n{own}\n", 1)
        with open(conf, "w", encoding="utf-8") as f:
            f.write(lines + "[gateway]\n" + text.split("[gateway]\n")[1])
        self.log = os.path.join(self.demo.many, "gateway.log")
        print("$ mailferry gateway &", flush=True)
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen([os.path.abspath(self.demo.program), "gateway"], cwd=self.demo.many,
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=end_with_parent)
        self.wait(lambda: "takes mail on" in self.said(), "the gateway starts")
        print(self.said().strip(), flush=True)

    def said(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read()

    def wait(self, true, what):
        end = time.monotonic() + PATIENCE
        while not true():
            if self.child.poll() is not None or self.trouble or time.monotonic() > end:
                raise Trouble(f"{what}: {self.trouble or 'never'}\n{self.said()}")
            time.sleep(0.05)

    # --- the client ---

    def send(self):
        try:
            with smtplib.SMTP(HOST, self.port, timeout=PATIENCE) as client:
                n = 0
                while not self.stopping.is_set():
                    address = self.addresses[n % len(self.addresses)]
                    message_id = f"<{n}@sender.example>"
                    client.sendmail("news@sender.example", [address],
                                    f"From: news@sender.example\r\nTo: {address}\r\nSubject: News {n}\r\nMessage-ID: {message_id}\r\n"
                                    f"Date: Tue, 01 Dec 2026 12:00:00 +0000\r\n\r\nThis is number {n}.\r\n")
                    self.sent.append((message_id, address))
                    n += 1
                    time.sleep(0.05)
        except (OSError, smtplib.SMTPException) as e:
            self.trouble = e

    def begin_sending(self):
        self.thread.start()

    def wait_for_mail_to(self, user, count=5):
        """Until some more were sent to that user."""
        def so_far():
            return sum(address.startswith(user + "@") for _, address in list(self.sent))
        goal = so_far() + count
        self.wait(lambda: so_far() >= goal, f"mail for {user}")

    def end_sending(self):
        self.stopping.set()
        self.thread.join()
        if self.trouble:
            raise Trouble(str(self.trouble))
        self.wait(lambda: '"legs":0' in self.queue(), "the queue is empty")

    def queue(self):
        return subprocess.run([os.path.abspath(self.demo.program), "queue", "list", "--json"], cwd=self.demo.many,
                              capture_output=True, text=True).stdout.splitlines()[-1]

    def last_for(self, user):
        return next(message_id for message_id, address in reversed(self.sent) if address.startswith(user + "@"))

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        if self.child.wait(PATIENCE):
            raise Trouble("the gateway ended with an error:\n" + self.said())

    # --- what arrived ---

    def check(self):
        """Every message is in its recipient's INBOX at the new server, once."""
        for address in self.addresses:
            user, wanted = address.split("@")[0], sorted(m for m, a in self.sent if a == address)
            here = {}
            with mailbox.connect(self.demo.there, user) as imap:
                imap.command(b"SELECT INBOX")
                for message_id in wanted:
                    answer = imap.command(b'UID SEARCH HEADER Message-ID "' + message_id.encode() + b'"')
                    here[message_id] = len(answer[0][-1].split()) - 2
            wrong = {m: n for m, n in here.items() if n != 1}
            if wrong:
                raise Trouble(f"{address}: messages that are not there once: {wrong}")
            print(f"{address}: {len(wanted)} messages were sent, and each is in the INBOX at the new server, once.")
