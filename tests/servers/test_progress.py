#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What mailferry status says while a pass runs that goes on with one that was killed: how fast it is, and what is left.
Under a limit messages arrive little by little: a batch takes no more of it than a second's worth."""
import json
import os
import subprocess
import tempfile
import time
import unittest

import product
from dovecot import Dovecot
from imapclient import Imap
from server import HOST

COUNT, SIZE, RATE = 60, 100_000, 500_000


class Progress(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()
        cls.server = Dovecot(users=["old", "new"], tls=False)
        cls.server.start()
        body = b"0123456789abcde\r\n" * (SIZE // 17)
        with Imap(HOST, cls.server.port, "old", cls.server.password) as imap:
            for i in range(COUNT):
                imap.append("INBOX", [(b"", b"01-Jan-2024 10:00:00 +0000", b"Subject: %d\r\n\r\n" % i + body)])

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.server.scratch.remove()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mailferry-progress-")
        self.addCleanup(folder.cleanup)
        self.config = os.path.join(folder.name, "mailferry.conf")
        with open(self.config, "w") as f:
            f.write(f"[mailferry]\nmailboxes = list.csv\nstate = state\n[limits]\nbytes_per_second = {2 * RATE}\n")
            for name in "old", "new":
                f.write(f"[platform {name}]\nurl = imap://{HOST}:{self.server.port}\npassword_file = {self.server.password_file}\n")
        with open(os.path.join(folder.name, "list.csv"), "w") as f:
            f.write("address,old_login,new_login\na@example.org,old,new\n")

    def status(self):
        shown = subprocess.run([product.PROGRAM, "status", "--json", "--config", self.config], capture_output=True,
                               text=True, timeout=60)
        return json.loads(shown.stdout.splitlines()[0])

    def wait(self, condition):
        for _ in range(100):
            status = self.status()
            if condition(status):
                return status
            time.sleep(0.1)
        raise AssertionError(f"waited in vain: {status}")

    def test_goes_on(self):
        def start():
            return subprocess.Popen([product.PROGRAM, "copy", "--config", self.config, "--quiet"], stdin=subprocess.DEVNULL)
        first = start()
        self.wait(lambda s: s["messages_done"] >= COUNT // 2)
        first.kill()
        first.wait()
        second = start()
        seen = set()
        def look(status):
            seen.add(status["copied"])
            return status["state"] == "seeding" and status["copied"] >= 10 and status["bytes_per_second"]
        try:
            status = self.wait(look)
        finally:
            second.kill()
            second.wait()
        self.assertGreaterEqual(status["present"], COUNT // 2 - 10, status)
        # What the first one did is done, and says nothing of how fast the second is.
        done = status["present"] + status["copied"]
        self.assertAlmostEqual(status["bytes_done"] / SIZE, done, delta=10, msg=status)
        self.assertLess(status["bytes_per_second"], 2 * RATE, status)
        self.assertGreater(status["bytes_per_second"], RATE / 4, status)
        left = (status["bytes"] - status["bytes_done"]) / status["bytes_per_second"]
        self.assertAlmostEqual(status["left_us"] / 1e6, left, delta=0.5, msg=status)
        self.assertLess(status["left_us"] / 1e6, 12, status)
        self.assertTrue(any(0 < n < 10 for n in seen), seen)


if __name__ == "__main__":
    unittest.main()
