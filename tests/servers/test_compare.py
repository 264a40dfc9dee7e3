#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py must see each kind of difference: two equal accounts, then one thing is changed in the second."""
import unittest

import compare
import mailbox
import unpacked
from courier import Courier
from cyrus import Cyrus
from dovecot import Dovecot
from habits import HABITS
from imapclient import quote, utf7_encode


class Compare(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.source = Dovecot(layout="inbox").start()
        cls.there = Dovecot(format="sdbox", users=[f"user{i}" for i in range(20)]).start()
        cls.box = mailbox.make(seed=7, count=60, largest=20000)
        mailbox.load(cls.box, cls.source, "alice")
        cls.next_user = iter(cls.there.users)

    @classmethod
    def tearDownClass(cls):
        cls.source.stop()
        cls.there.stop()

    def changed(self, *commands, report=None):
        user = next(self.next_user)
        mailbox.load(self.box, self.there, user)
        with mailbox.connect(self.there, user) as imap:
            for c in commands:
                imap.command(c)
        return compare.accounts(self.source, self.there, "alice", report, to_user=user)

    def check(self, cause, *commands):
        comparison = self.changed(*commands)
        self.assertEqual(set(comparison.differences), {cause}, comparison.notes)
        self.assertFalse(comparison.equal)

    def test_equal(self):
        comparison = self.changed()
        self.assertTrue(comparison.equal, comparison.notes)
        self.assertEqual(comparison.counts["same bytes"], self.box.count())

    def test_lost(self):
        self.check("message missing", b"SELECT Sent", b"STORE 1 FLAGS \\Deleted", b"UID EXPUNGE 1")

    def test_extra(self):
        self.check("extra message", b'APPEND Sent {3+}\r\nA:b')

    def test_twin_lost(self):
        user = next(self.next_user)
        doubled = mailbox.make(seed=7, count=60, largest=20000)
        inbox = doubled.folders[("INBOX",)].messages
        inbox.append(inbox[0])
        mailbox.load(doubled, self.there, user)
        comparison = compare.accounts(self.source, self.there, "alice", to_user=user)
        self.assertEqual(dict(comparison.differences), {"extra message": 1})

    def test_altered(self):
        comparison = self.changed(b"SELECT Sent", b"STORE 1 FLAGS \\Deleted", b"UID EXPUNGE 1", b"APPEND Sent {3+}\r\nA:b")
        self.assertEqual(set(comparison.differences), {"message missing", "extra message"})

    def test_flag(self):
        self.check("flags", b"SELECT INBOX", b"STORE 1 FLAGS (\\Draft \\Flagged)")

    def test_keyword(self):
        self.check("keywords", b"SELECT INBOX", b"STORE 1 +FLAGS ($Other)")

    def test_date(self):
        m = self.box.folders[("Trash",)].messages[-1]
        head = b'APPEND Trash (%s) "01-Jan-2001 00:00:00 +0000" {%d+}\r\n' % (" ".join(m.flags).encode(), len(m.raw))
        last = len(self.box.folders[("Trash",)].messages)
        self.check("date", b"SELECT Trash", b"STORE %d FLAGS \\Deleted" % last, b"UID EXPUNGE %d" % last, head + m.raw)

    def test_order(self):
        m = self.box.folders[("INBOX",)].messages[0]
        head = b'APPEND INBOX (%s) "%s" {%d+}\r\n' % (" ".join(m.flags).encode(), mailbox.imap_date(m.date), len(m.raw))
        self.check("order", b"SELECT INBOX", b"STORE 1 FLAGS \\Deleted", b"UID EXPUNGE 1", head + m.raw)

    def test_folder_missing(self):
        self.check("folder missing", b"DELETE " + quote(utf7_encode("Ελληνικά")))

    def test_folder_extra(self):
        self.check("folder only there", b"CREATE More")

    def test_case_of_a_name(self):
        comparison = self.changed(b"DELETE test", b"CREATE tEST")
        self.assertEqual(set(comparison.differences), {"folder missing", "folder only there"})

    def test_subscription(self):
        self.check("subscription", b"UNSUBSCRIBE Sent")

    def test_exception_is_allowed_for_its_message_only(self):
        report = compare.Report()
        report.exceptions["Sent", 1] = "too large"
        lost = [b"SELECT Sent", b"STORE 1 FLAGS \\Deleted", b"UID EXPUNGE 1"]
        comparison = self.changed(*lost, report=report)
        self.assertTrue(comparison.equal, comparison.notes)
        self.assertEqual(comparison.allowed["excepted: too large"], 1)
        report.exceptions = {("Sent", 2): "too large"}
        self.assertFalse(self.changed(*lost, report=report).equal)

    def test_a_cut_keyword_is_allowed_for_its_message_only(self):
        cut = [b"SELECT INBOX", b"STORE 1 FLAGS ()"]
        report = compare.Report()
        report.altered["INBOX", 1] = ["flags-cut"]
        comparison = self.changed(*cut, report=report)
        self.assertTrue(comparison.equal, comparison.notes)
        report.altered = {("INBOX", 2): ["flags-cut"]}
        self.assertFalse(self.changed(*cut, report=report).equal)

    def test_reads_a_report(self):
        report = compare.Report([
            '{"event":"exception","cause":"refused","missing":true,"folder":"A/B","messages":1,"uid":3}',
            '{"event":"exception","cause":"flags-cut","missing":false,"folder":"A/B","messages":1,"uid":4}',
            '{"event":"folder","folder":"A/B","destination":"A/B_"}', '{"event":"total","copied":5}'])
        self.assertEqual((report.lost("A/B", 3), report.lost("A/B", 4), report.lost("A", 3)), ("refused", None, None))
        self.assertEqual(report.altered, {("A/B", 4): ["flags-cut"]})
        self.assertEqual((report.destination, report.total["copied"]), ({"A/B": "A/B_"}, 5))


class Habits(unittest.TestCase):
    """What habits.py says of a kind of server is what that server does, to the byte."""
    ODD = [b"one\rstill one\r\ntwo\r\r\nthree\r\n", b"x\r\r\r\ny\r\n", b"x\n\ry\nz\r\n", b"end\r", b"end\r\r\n",
           b"end\r\r", b"end\r\n\r", b"no end", b"foo\0bar\r\n\0", b"\xff\xfe\r\n", b"plain\r\n"]

    def check(self, server):
        odd = [b"Subject: x\r\n\r\n" + body for body in self.ODD] + [b"Subject: \xe4\r\n\r\n\xe4\r\n"]
        with server, mailbox.connect(server, "alice") as imap:
            for i, raw in enumerate(odd):
                imap.command(b"CREATE %s%d" % (server.prefix.encode() + b"f", i))
                got = []
                refused = imap.append(f"{server.prefix}f{i}", [(b"", b"01-Jan-2020 00:00:00 +0000", raw)])
                imap.fetch_all(f"{server.prefix}f{i}", got.append)
                known = [changed for _, changed in HABITS[server.name](raw)] or [raw]
                self.assertEqual([g[b"BODY[]"] for g in got], [] if refused else known)

    def test_dovecot(self):
        for format in ("maildir", "sdbox"):
            self.check(Dovecot(format=format))

    @unittest.skipUnless(unpacked.folder(), "Cyrus is not unpacked here")
    def test_cyrus(self):
        self.check(Cyrus())

    @unittest.skipUnless(unpacked.folder(), "Courier is not unpacked here")
    def test_courier(self):
        self.check(Courier())


if __name__ == "__main__":
    unittest.main()
