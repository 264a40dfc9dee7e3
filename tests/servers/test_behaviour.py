#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a copy does besides copying: dry runs, second runs, interruption, bounded memory, compression, quota."""
import os
import random
import tempfile
import unittest

import compare
import mailbox
import product
from cyrus import Cyrus
from dovecot import Dovecot
from server import Scratch, give_all
import unpacked

BIG = 300 << 20
MOST_KIB = 24 << 10


class Behaviour(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()
        cls.scratch = Scratch()
        cls.addClassCleanup(cls.scratch.remove)
        cls.source = cls.start(Dovecot(layout="inbox", compress=True, users=["alice", "big"]))
        cls.there = cls.start(Dovecot(format="sdbox", compress=True, users=[f"user{i}" for i in range(20)]))
        cls.box = mailbox.make(seed=5, count=300, largest=100000, hard=False)
        mailbox.load(cls.box, cls.source, "alice")
        cls.fresh = iter(cls.there.users)

    @classmethod
    def start(cls, server):
        cls.addClassCleanup(server.__exit__)
        return server.start()

    def messages_of(self, user):
        with mailbox.connect(self.there, user) as imap:
            return sum(map(len, compare.Account(imap).folders.values()))

    def equal(self, to, report=None, user="alice"):
        comparison = compare.accounts(self.source, self.there, user, report, to_user=to)
        self.assertTrue(comparison.equal, comparison.notes[:20])
        return comparison

    def test_dry_run_changes_nothing(self):
        to = next(self.fresh)
        result = product.copy(self.source, self.there, "alice", to, ["--dry-run"])
        self.assertEqual(result.status, 0, result)
        self.assertIn("Lists", result.out)
        with mailbox.connect(self.there, to) as imap:
            self.assertEqual([n for n, _, _ in imap.list()], ["INBOX"])

    def test_second_run_does_nothing(self):
        to = next(self.fresh)
        self.assertEqual(product.copy(self.source, self.there, "alice", to).status, 0)
        result = product.copy(self.source, self.there, "alice", to)
        self.assertEqual((result.status, result.report().total["copied"]), (0, 0), result)
        self.equal(to)

    def test_without_its_ledger_a_second_run_is_refused(self):
        to = next(self.fresh)
        self.assertEqual(product.copy(self.source, self.there, "alice", to).status, 0)
        with tempfile.TemporaryDirectory() as other:
            result = product.copy(self.source, self.there, "alice", to, ["--state", other])
        self.assertEqual(result.status, 4, result)
        self.assertIn("--adopt", result.err)
        self.equal(to)

    def test_interrupted(self):
        to = next(self.fresh)
        result = product.copy(self.source, self.there, "alice", to, ["--json", "--rate", "100/s"],
                              interrupt_when=lambda: self.messages_of(to) > 20)
        self.assertEqual(result.status, 3, result)
        report = result.report()
        there = self.messages_of(to)
        self.assertLess(there, self.box.count())
        self.assertEqual(report.total["copied"], there, result)  # the books know what is there, to the message
        with mailbox.connect(self.source, "alice") as imap:
            source = {m.digest for f in compare.Account(imap).folders.values() for m in f}
        with mailbox.connect(self.there, to) as imap:
            whole = [m.digest for f in compare.Account(imap).folders.values() for m in f]
        self.assertLessEqual(set(whole), source)  # none is cut off

    def test_quiet_says_nothing(self):
        result = product.copy(self.source, self.there, "alice", next(self.fresh), ["--quiet"])
        self.assertEqual((result.status, result.out, result.err), (0, "", ""))

    def test_many_connections(self):
        for n in ("1", "4"):
            to = next(self.fresh)
            self.assertEqual(product.copy(self.source, self.there, "alice", to, ["--json", "--connections", n]).status, 0)
            self.equal(to)

    def compressed(self, there, to):
        transcript = os.path.join(self.scratch.path, "transcript." + there.name)
        result = product.copy(self.source, there, "alice", to, ["--json", "--compress", "--transcript", transcript])
        with open(transcript, encoding="utf-8", errors="replace") as f:
            self.assertGreaterEqual(f.read().count("COMPRESS DEFLATE"), 2)
        product.check(self, result, self.source, there, "alice", to)

    def test_compressed(self):
        self.compressed(self.there, next(self.fresh))

    @unittest.skipUnless(unpacked.folder(), "Cyrus is not unpacked here")
    def test_compressed_into_cyrus(self):
        with Cyrus() as there:
            self.compressed(there, "alice")

    def test_big_message_in_little_memory(self):
        folder = os.path.join(self.source.home("big"), "Maildir", "cur")
        os.makedirs(folder)
        line = random.Random(1).randbytes(54).hex()[:75].encode() + b"\r\n"
        with open(os.path.join(folder, "1000000000.M1P1.host:2,S"), "wb") as f:
            f.write(b"Subject: big\r\nMessage-ID: <big@example.org>\r\n\r\n")
            for _ in range(BIG // (len(line) * 1000)):
                f.write(line * 1000)
        give_all(self.source.home("big"))
        to = next(self.fresh)
        result = product.copy(self.source, self.there, "big", to)
        self.assertEqual(result.status, 0, result)
        self.assertLess(result.peak_kib, MOST_KIB, "peak memory in KiB")
        self.equal(to, user="big")

    def test_full_destination(self):
        with Dovecot(quota="200K") as there:
            result = product.copy(self.source, there)
            self.assertNotIn(result.status, (0,), result)
            report = result.report()
            with mailbox.connect(there, "alice") as imap:
                held = sum(map(len, compare.Account(imap).folders.values()))
            self.assertEqual(report.total["copied"], held, result)
            self.assertRegex(result.err + result.out, "(?i)quota")


if __name__ == "__main__":
    unittest.main()
