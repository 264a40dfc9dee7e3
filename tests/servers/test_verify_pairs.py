#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every direction between five kinds of server: what a verification finds after a copy is what the copy said itself, no more
and no less."""
import collections
import json
import subprocess
import unittest

import mailbox
import product
from kinds import Park, directions

SEED = 12
ALIKE = {"flags-cut": "flags", "date-lost": "date", "altered": "altered", "flags-kept": "flags"}


class Pairs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()
        cls.park = Park()
        cls.addClassCleanup(cls.park.stop)
        box = mailbox.make(seed=SEED, count=110, largest=1 << 18)
        for server in cls.park.servers.values():
            mailbox.load(box, server, "alice")

    def verify(self, source, there, to_user, level):
        words = product.arguments(source, there, "alice", to_user, (), None, True)
        words[1] = "verify"
        done = subprocess.run([*words, "--state", product.state_of(there) + "/mailferry", "--json", "--level", level],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        self.assertIn(done.returncode, (0, 4), done.stdout[-3000:] + done.stderr[-3000:])
        return [json.loads(line) for line in done.stdout.splitlines()]

    def pair(self, a, b):
        source, there = self.park.servers[a], self.park.servers[b]
        result = product.copy(source, there, "alice", "from_" + a)
        # Courier gives an empty INBOX a UIDVALIDITY that it forgets: that of the second in which mail comes is another.
        if b.startswith("courier") and any(r.get("finding") == "folder-replaced" for r in self.verify(source, there, "from_" + a, "counts")):
            again = product.copy(source, there, "alice", "from_" + a).report().total
            self.assertEqual(again["copied"], 0, again)
        said = collections.defaultdict(set)
        for r in result.records:
            if r["event"] == "exception" and r.get("uid"):
                said[ALIKE.get(r["cause"], "not-copied")].add((r["folder"], r["uid"]))
        for level in ("counts", "identity", "content"):
            records = self.verify(source, there, "from_" + a, level)
            found = collections.defaultdict(set)
            for r in records:
                if r["event"] == "finding" and r["fails"]:
                    self.assertTrue(r.get("cause"), f"{level}: {r}")
                    found[r["finding"]].add((r["folder"], r["uid"]))
            verdict = records[-1]
            self.assertTrue(verdict["closed"], f"{level}: {verdict}")
            self.assertEqual(found["not-copied"], said["not-copied"], level)
            self.assertEqual(found["altered"], said["altered"], level)
            for kind, messages in found.items():
                self.assertLessEqual(messages, said[kind] | said["altered"], f"{level} {kind}")
        total = result.report().total
        self.assertEqual((verdict["there"], verdict["compared"]), (total["copied"], total["copied"]))


def direction(a, b):
    return lambda self: self.pair(a, b)


for a, b in directions():
    setattr(Pairs, f"test_{a}_to_{b}", direction(a, b))

if __name__ == "__main__":
    unittest.main()
