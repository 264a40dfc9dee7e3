#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""examples/tiny-copy.c does what it says, and stays tiny."""
import os
import subprocess
import unittest

import compare
import mailbox
import product
from dovecot import Dovecot
from server import ROOT

PROGRAM = os.path.join(os.path.dirname(product.PROGRAM), "..", "..", "examples", "tiny-copy")


class Example(unittest.TestCase):
    def test_copies_a_folder(self):
        product.need_program()
        with Dovecot() as source, Dovecot(format="sdbox") as there:
            mailbox.load(mailbox.make(seed=9, count=100, largest=100000), source, "alice")
            passwords = {"TINY_FROM_PASSWORD": source.password, "TINY_TO_PASSWORD": there.password}
            done = subprocess.run([PROGRAM, source.url(), there.url(), "INBOX"], env=passwords,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            with mailbox.connect(source, "alice") as a, mailbox.connect(there, "alice") as b:
                want, got = (compare.Account(imap).folders[("INBOX",)] for imap in (a, b))
            self.assertEqual([(m.digest, m.flags, m.date) for m in got], [(m.digest, m.flags, m.date) for m in want])
            self.assertGreater(len(want), 20)

    def test_is_tiny(self):
        with open(os.path.join(ROOT, "examples", "tiny-copy.c"), encoding="utf-8") as f:
            self.assertLess(len(f.readlines()), 200)


if __name__ == "__main__":
    unittest.main()
