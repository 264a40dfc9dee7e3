#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Passes over a mailbox that people work in, each killed at a moment chosen by a seed. When all has fallen quiet, one
last pass must end with both sides equal: nothing lost, nothing twice. MAILFERRY_SEED chooses other moments,
MAILFERRY_SOAK how many seconds of work."""
import contextlib
import glob
import os
import random
import sqlite3
import threading
import time
import unittest

import compare
import product
import unpacked
from busy import Busy
from courier import Courier
from cyrus import Cyrus
from dovecot import Dovecot
from scene import Hand

SEED = int(os.environ.get("MAILFERRY_SEED") or (random.SystemRandom().randrange(10 ** 6) if product.NIGHTLY else 1))
SECONDS = float(os.environ.get("MAILFERRY_SOAK") or (240 if product.NIGHTLY else 15))
MIRROR = ["--json", "--deletes", "mirror", "--delete-limit", "100"]


class Work(threading.Thread):
    def __init__(self, busy):
        super().__init__(daemon=True)
        self.busy, self.ended, self.error = busy, threading.Event(), None

    def run(self):
        pause = random.Random(SEED + 1)
        try:
            while not self.ended.is_set():
                self.busy.step()
                time.sleep(pause.uniform(0, 0.06))
        except Exception as e:  # shown by the test
            self.error = e


def ledger(there):
    """What it says, for whoever has to find out why."""
    lines = []
    for path in glob.glob(os.path.join(product.state_of(there), "**", "*.db"), recursive=True):
        with contextlib.closing(sqlite3.connect(path)) as db:
            for table in ("folder", "message"):
                cursor = db.execute(f"SELECT * FROM {table}")
                lines.append(" ".join(c[0] for c in cursor.description))
                lines += [" ".join(v.hex()[:8] if isinstance(v, bytes) and table == "message" else str(v) for v in row)
                          for row in cursor]
    return "\n".join(lines)


def held(there, notes):
    """What is in the folders that only the destination has, to be held against the ledger's digests."""
    hand, lines = Hand(there, "alice"), []
    for name in (n.removeprefix("folder only there: ").split(" (")[0] for n in notes if n.startswith("folder only there")):
        lines += [f"{name} {m.uid} {m.digest.hex()[:8]} {m.date} {' '.join(sorted(m.flags))}" for m in hand.look(name)]
    return "\n".join(lines)


@unittest.skipUnless(product.NIGHTLY or "MAILFERRY_SOAK" in os.environ, "nightly, or with MAILFERRY_SOAK=SECONDS")
class Soak(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()

    def soak(self, source, there):
        busy = Busy(source, "alice", SEED)
        work = Work(busy)
        moments = random.Random(SEED)
        for _ in range(30):
            busy.step()
        work.start()
        end, passes, killed = time.monotonic() + SECONDS, 0, 0
        while time.monotonic() < end:
            options = ["--json"] if moments.random() < 0.7 else MIRROR
            result = product.copy(source, there, options=options, kill_after=moments.uniform(0.01, 0.8) if moments.random() < 0.7 else None)
            passes += 1
            killed += result.status == -9
            self.assertIn(result.status, (0, 1, 3, -9), str(result))
        work.ended.set()
        work.join()
        self.assertIsNone(work.error, work.error)
        last = product.copy(source, there, options=MIRROR)
        again = product.copy(source, there, options=MIRROR)
        seen = f"seed {SEED}: {passes} passes, {killed} killed, {busy.done}"
        busy.close()
        print("#", source.name, "to", there.name, seen, flush=True)
        self.assertEqual(last.status, 0, f"{seen}\n{last}")
        self.assertGreater(killed, 1, seen)
        comparison = compare.accounts(source, there, "alice")
        # Order is that of arrival; a folder that was renamed or deleted leaves an empty one behind.
        left = [n for n in comparison.notes if not n.startswith(("order", "folder only there")) or "(0 messages)" not in n
                and n.startswith("folder only there")]
        self.assertEqual(left, [], f"{seen}\n{ledger(there)}\n{held(there, left)}\n{last}")
        self.assertEqual(again.status, 0, str(again))
        total = again.report().total
        self.assertEqual((total["copied"], total["moved"], total["deleted"], total["flags_changed"]), (0, 0, 0, 0), str(again))

    def test_dovecot_to_dovecot(self):
        with Dovecot(layout="inbox", format="maildir") as source, Dovecot(layout="plain", format="sdbox") as there:
            self.soak(source, there)

    @unittest.skipUnless(unpacked.folder(), "Cyrus is not unpacked")
    def test_dovecot_to_cyrus(self):
        with Dovecot(layout="plain", format="sdbox") as source, Cyrus(modern=True) as there:
            self.soak(source, there)

    @unittest.skipUnless(unpacked.folder(), "Courier is not unpacked")
    def test_courier_to_dovecot(self):
        with Courier() as source, Dovecot(layout="plain", format="maildir") as there:
            self.soak(source, there)


if __name__ == "__main__":
    unittest.main()
