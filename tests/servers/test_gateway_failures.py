#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mailferry gateway when something fails in one of its processes: the others go on, and nothing fails in silence."""
import re
import subprocess
import time
import unittest

import product
from test_gateway import Gateway, send


def wait_until(true, what, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"waited for {what}")
        time.sleep(0.05)


class TestFailures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()

    def test_accept_that_fails_once(self):
        """In each process: no edge and no control socket stays deaf."""
        with Gateway(edges="1") as g:
            g.start(MAILFERRY_STEP_FAIL="accept:1")
            send(g.client(), 1)
            wait_until(lambda: re.search(r"edge 1 could not accept connections 1 times", g.text()), "the alarm")
            done = subprocess.run([product.PROGRAM, "queue", "list", "--config", g.config], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(g.stop(), 0, g.text())
            self.assertEqual(g.audit(), (1, 1, 0))


if __name__ == "__main__":
    unittest.main()
