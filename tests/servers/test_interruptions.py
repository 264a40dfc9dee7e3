#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Connections that are cut, at a byte chosen by a seed, between mailferry and real servers: whatever was under
way, every message must arrive once. MAILFERRY_SEED chooses other bytes; a nightly run takes a seed of its own."""
import concurrent.futures
import os
import random
import socket
import struct
import threading
import unittest

import compare
import mailbox
import product
from dovecot import Dovecot
from server import HOST

SEED = int(os.environ.get("MAILFERRY_SEED") or (random.SystemRandom().randrange(10 ** 6) if product.NIGHTLY else 1))
CUTS = 200 if product.NIGHTLY else 40
SOURCES = ["folders", "crowd"]
CAPABILITY = "IMAP4rev1 SASL-IR ID ENABLE CHILDREN NAMESPACE UNSELECT ESEARCH LIST-EXTENDED LIST-STATUS SPECIAL-USE"
DESTINATIONS = {  # what each can do besides
    "all": "MULTIAPPEND UIDPLUS LITERAL+",
    "single": "UIDPLUS LITERAL+",
    "synchronising": "MULTIAPPEND UIDPLUS",
    "bare": "",
}


def crowd(count):
    """A mailbox of one folder, so that several connections fill it together."""
    box = mailbox.Mailbox(SEED)
    box.folder(("INBOX",)).messages = [m for f in mailbox.make(SEED, count, largest=5000, hard=False).folders.values()
                                       for m in f.messages]
    return box


class Line:
    """A way to a server that is cut once, when `at` bytes have passed `up` (to the server) or down. All
    connections that stand at that moment end, in order (FIN) or not (RST); later ones are left alone."""

    def __init__(self, server, up=True, at=None, reset=False):
        self.server, self.up, self.at, self.reset = server, up, at, reset
        self.passed = {True: 0, False: 0}
        self.was_cut = False
        self.lock = threading.Lock()
        self.pairs = []
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            there = socket.create_connection((HOST, self.server.port))
            for s in (client, there):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.pairs.append((client, there))
            threading.Thread(target=self.carry, args=(client, there, True), daemon=True).start()
            threading.Thread(target=self.carry, args=(there, client, False), daemon=True).start()

    def carry(self, source, to, up):
        try:
            while data := source.recv(65536):
                with self.lock:
                    cut = False
                    if up == self.up and self.at is not None and not self.was_cut:
                        left = self.at - self.passed[up]
                        cut, data = len(data) >= left, data[:left]
                    self.passed[up] += len(data)
                    to.sendall(data)
                    if cut:
                        self.cut()
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def cut(self):
        self.was_cut = True
        for pair in self.pairs:
            for s in pair:
                try:
                    if self.reset:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    else:
                        s.shutdown(socket.SHUT_WR)
                    s.shutdown(socket.SHUT_RD)
                    if self.reset:
                        s.close()
                except OSError:
                    pass

    def close(self):
        self.listener.close()
        with self.lock:
            for pair in self.pairs:
                for s in pair:
                    s.close()


class Cut:
    """One run: whose line is cut, where, and how."""

    def __init__(self, number, rng, lengths):
        self.number = number
        self.source_user = rng.choice(SOURCES)
        self.kind = list(DESTINATIONS)[number % len(DESTINATIONS)]
        self.at_source = rng.random() < 0.4
        self.up = rng.random() < (0.2 if self.at_source else 0.5)
        self.reset = rng.random() < 0.5
        self.connections = rng.choice([1, 4])
        self.at = rng.randrange(lengths[self.kind, self.source_user, self.at_source, self.up] * 9 // 10)  # no two runs are alike
        self.user = f"user{number}"

    def __str__(self):
        return (f"seed {SEED}, cut {self.number} of {self.source_user}: {'source' if self.at_source else 'destination'} ({self.kind}), "
                f"{'RST' if self.reset else 'FIN'} after {self.at} bytes {'to' if self.up else 'from'} the server, "
                f"{self.connections} connections")


def url(line, user):
    return f"imap://{user}@{HOST}:{line.port}"


class Interruptions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()
        print(f"# seed {SEED}", flush=True)
        cls.source = cls.start(Dovecot(users=SOURCES))
        users = [f"user{i}" for i in range(CUTS)] + ["measured_" + user for user in SOURCES]
        cls.there = {kind: cls.start(Dovecot(format="sdbox", users=users, extra=f"imap_capability = {CAPABILITY} {more}"))
                     for kind, more in DESTINATIONS.items()}
        mailbox.load(mailbox.make(seed=SEED, count=60, largest=60000), cls.source, "folders")
        mailbox.load(crowd(450), cls.source, "crowd")
        cls.lengths = {}
        for kind in cls.there:
            for source_user in SOURCES:
                cls.measure(kind, source_user)

    @classmethod
    def start(cls, server):
        cls.addClassCleanup(server.__exit__)
        return server.start()

    @classmethod
    def run_copy(cls, kind, source_user, user, source_line, line, connections):
        return product.copy(cls.source, cls.there[kind], source_user, user,
                            ["--json", "--retries", "3", "--connections", str(connections)],
                            urls=(url(source_line, source_user), url(line, user)))

    @classmethod
    def measure(cls, kind, source_user):
        lines = Line(cls.source), Line(cls.there[kind])
        result = cls.run_copy(kind, source_user, "measured_" + source_user, *lines, 1)
        assert result.status == 0, result
        for at_source, line in zip((True, False), lines):
            for up in (True, False):
                cls.lengths[kind, source_user, at_source, up] = line.passed[up]
            line.close()

    def play(self, cut):
        """What is wrong with one run; empty: nothing."""
        there = self.there[cut.kind]
        where = dict(up=cut.up, at=cut.at, reset=cut.reset)
        lines = (Line(self.source, **(where if cut.at_source else {})), Line(there, **({} if cut.at_source else where)))
        result = self.run_copy(cut.kind, cut.source_user, cut.user, *lines, cut.connections)
        for line in lines:
            line.close()
        if result.status != 0:
            return f"{cut}\n{result}"
        comparison = compare.accounts(self.source, there, cut.source_user, result.report(), cut.user)
        if not comparison.equal:
            return "\n".join([str(cut), *comparison.notes[:20], str(result)])
        if not lines[not cut.at_source].was_cut and cut.connections == 1:
            return f"{cut}: never came to that"
        return ""

    def test_every_message_arrives_once(self):
        rng = random.Random(SEED)
        cuts = [Cut(i, rng, self.lengths) for i in range(CUTS)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            wrong = [text for text in pool.map(self.play, cuts) if text]
        self.assertFalse(wrong, "\n\n".join(wrong))


if __name__ == "__main__":
    unittest.main()
