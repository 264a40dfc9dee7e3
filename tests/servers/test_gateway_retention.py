#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the gateway keeps and what it gives back: contents of settled messages, after a while or when there is no room."""
import os
import smtplib
import time
import unittest

import product
from sink import Sink
from test_gateway import Gateway, send


def used(g):
    folder = os.path.join(g.state, "journal")
    return sum(os.stat(os.path.join(folder, name)).st_blocks * 512 for name in os.listdir(folder) if name.endswith(".seg"))


def until(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        time.sleep(0.1)


class TestRetention(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()

    def setUp(self):
        self.sink = Sink()
        self.addCleanup(self.sink.close)

    def gateway(self, **keys):
        g = Gateway(**keys)
        self.addCleanup(g.__exit__)
        g.deliver_to(self.sink.port)
        return g.start()

    def deliver(self, g, n=20, size=400000):
        c = g.client()
        for i in range(n):
            send(c, i, size=size)
        c.quit()
        until(lambda: len(self.sink.messages) == n)

    def test_contents_go_after_a_while(self):
        g = self.gateway(keep_bodies="4s")
        self.deliver(g)
        before = used(g)
        until(lambda: used(g) < before - 20 * 350000)
        self.assertIn("of settled content", g.text())
        self.assertEqual(g.stop(), 0, g.text())
        self.assertEqual(g.audit(), (20, 20, 0))

    def test_contents_stay(self):
        g = self.gateway()
        self.deliver(g)
        before = used(g)
        time.sleep(3)
        self.assertEqual(used(g), before)
        self.assertEqual(g.stop(), 0)

    def test_room_is_made_if_that_is_wanted(self):
        """The quota is three segments: in the third one there is room only if something goes."""
        g = self.gateway(max_queue="14M", journal_segment_mib="4", low_space="drop", keep_bodies="forever")
        n = 0
        while n < 40:
            until(lambda: self.may(g))
            try:
                send(g.client(), n, size=400000)
                n += 1
            except (smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused) as refused:
                self.assertIn("452", str(refused))
        until(lambda: len(self.sink.messages) == 40)
        self.assertIn("given back", g.text())
        self.assertEqual(g.stop(), 0, g.text())
        self.assertEqual(g.audit(), (40, 40, 0))

    def test_mail_is_deferred_else(self):
        g = self.gateway(max_queue="14M", journal_segment_mib="4", keep_bodies="forever")
        c = g.client()
        n = 0
        with self.assertRaises((smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused)) as raised:
            while n < 150:
                send(c, n, size=400000)
                n += 1
        self.assertIn("452", str(raised.exception))
        until(lambda: "no room for new mail" in g.text())
        c.close()
        # results are written all the same
        until(lambda: len(self.sink.messages) == n)
        self.assertEqual(g.stop(), 0, g.text())

    def may(self, g):
        c = g.client()
        c.mail("a@sender.example")
        answer = c.rcpt("bob@example.org")[0]
        c.quit()
        return answer == 250


if __name__ == "__main__":
    unittest.main()
