#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Some thousand real messages through the servers: each is byte-identical at the end, or named with its cause.

The corpus in CRLF goes in every direction between the kinds of server: in nightly runs all of it each time, else in
four parts, dealt so that all of it leaves every kind and all of it reaches every kind. And all of it, with the line
ends it was found in, goes from one Dovecot's files to another.
"""
import unittest

import corpus
import mailbox
import product
from dovecot import Dovecot
from kinds import Park, available, directions

PARTS = 1 if product.NIGHTLY else max(1, len(available()) - 1)


def need_corpus():
    product.need_program()
    if not corpus.exists():
        raise unittest.SkipTest(f"there is no corpus at {corpus.FOLDER}: MAILFERRY_CORPUS names it")


class Corpus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        need_corpus()
        cls.park = Park([f"part{i}" for i in range(PARTS)])
        cls.addClassCleanup(cls.park.stop)
        found = corpus.messages()
        for i in range(PARTS):
            for server in cls.park.servers.values():
                mailbox.load(corpus.make("CRLF", found[i::PARTS]), server, f"part{i}")

    def direction(self, a, b):
        kinds = available()
        user = f"part{(kinds.index(b) - kinds.index(a)) % len(kinds) % PARTS}"
        source, there = self.park.servers[a], self.park.servers[b]
        result = product.copy(source, there, user, "from_" + a)
        product.check(self, result, source, there, user, "from_" + a)


def direction(a, b):
    return lambda self: self.direction(a, b)


for a, b in directions():
    setattr(Corpus, f"test_{a}_to_{b}", direction(a, b))


class AsFound(unittest.TestCase):
    def test_out_of_files(self):
        need_corpus()
        with Dovecot(layout="inbox") as source, Dovecot(format="sdbox") as there:
            mailbox.load_maildir(corpus.make("found", corpus.messages()), source, "alice", line_ends="found")
            comparison = product.check(self, product.copy(source, there), source, there)
            self.assertGreater(comparison.counts["messages"], 1000)


if __name__ == "__main__":
    unittest.main()
