#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every direction between five kinds of server: a mailbox with the hard cases in it is copied and compared."""
import unittest

import mailbox
import product
import unpacked
from kinds import Park, directions

SEED = 11


class Pairs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()
        cls.park = Park()
        cls.addClassCleanup(cls.park.stop)
        box = mailbox.make(seed=SEED, count=110, largest=1 << 20)
        for server in cls.park.servers.values():
            mailbox.load(box, server, "alice")

    def pair(self, a, b):
        source, there = self.park.servers[a], self.park.servers[b]
        result = product.copy(source, there, "alice", "from_" + a)
        product.check(self, result, source, there, "alice", "from_" + a, f"seed {SEED}")


def direction(a, b):
    return lambda self: self.pair(a, b)


for a, b in directions():
    setattr(Pairs, f"test_{a}_to_{b}", direction(a, b))

if not unpacked.folder():
    @unittest.skip("Cyrus and Courier are not unpacked: tools/install-packages.sh servers")
    def missing(self):
        pass

    Pairs.test_cyrus_and_courier = missing


if __name__ == "__main__":
    unittest.main()
