#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""examples/tiny-copy does what its first lines say: one folder, every message, to the byte."""
import os
import subprocess
import unittest

import compare
import mailbox
import product
from dovecot import Dovecot

PROGRAM = os.path.join(os.path.dirname(product.PROGRAM), "..", "..", "examples", "tiny-copy")
SEED = 3


class Example(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(PROGRAM):
            raise unittest.SkipTest("the example is not built")
        cls.source = cls.start(Dovecot())
        cls.there = cls.start(Dovecot(format="sdbox", layout="inbox", users=["alice", "other"]))
        box = mailbox.make(seed=SEED, count=40, largest=300000, hard=False)
        mailbox.load(box, cls.source, "alice")
        cls.expected = len(box.folders[("INBOX",)].messages)

    @classmethod
    def start(cls, server):
        cls.addClassCleanup(server.__exit__)
        return server.start()

    def copy(self, user, folder, password=None):
        environment = {**os.environ, "TINY_FROM_PASSWORD": self.source.password,
                       "TINY_TO_PASSWORD": password or self.there.password}
        return subprocess.run([PROGRAM, self.source.url("alice"), self.there.url(user), folder], env=environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def inbox(self, server, user):
        with mailbox.connect(server, user) as imap:
            return compare.Account(imap).folders[("INBOX",)]

    def test_copies_a_folder(self):
        result = self.copy("alice", "INBOX")
        self.assertEqual(result.returncode, 0, result)
        self.assertIn(str(self.expected), result.stdout)
        here, there = self.inbox(self.source, "alice"), self.inbox(self.there, "alice")
        def kept(m):
            return m.digest, m.flags, m.keywords, m.date
        self.assertEqual([kept(m) for m in there], [kept(m) for m in here])
        self.assertEqual(len(there), self.expected)

    def test_says_what_is_wrong(self):
        for folder, password, words in (("Nowhere", None, "Nowhere"), ("INBOX", "wrong", "login")):
            result = self.copy("other", folder, password)
            self.assertNotEqual(result.returncode, 0, result)
            self.assertIn(words, result.stderr)
            self.assertEqual(self.inbox(self.there, "other"), [])


if __name__ == "__main__":
    unittest.main()
