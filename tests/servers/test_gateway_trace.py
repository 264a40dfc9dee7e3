#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mailferry trace: the chain of custody of messages, from a running gateway and from the journal of one that does not run."""
import json
import os
import signal
import unittest

from sink import Sink
from test_gateway_control import Control


class Trace(Control):
    answers = {}

    def setUp(self):
        super().setUp()
        self.sink = Sink({key: list(value) for key, value in self.answers.items()})
        self.addCleanup(self.sink.close)
        with open(self.path("mailferry.conf")) as f:
            text = f.read()
        old, new = text.split("[platform new]")
        new = new.replace(f"smtp://127.0.0.1:{self.nobody}", f"smtp://127.0.0.1:{self.sink.port}")
        self.write("mailferry.conf", old + "[platform new]" + new)

    def trace(self, *words, status=0):
        return [json.loads(line) for line in self.ask("trace", *words, "--json", status=status).stdout.splitlines()]

    def until_delivered(self, n, name="delivered"):
        self.until(lambda: len(self.sink.messages) >= n, f"{n} messages {name}")

    def until_events(self, queue_id, *names):
        self.until(lambda: [e["event"] for e in self.trace(queue_id)][:len(names)] == list(names),
                   f"{names}: {self.trace(queue_id)}")

    def both_ways(self, *words, status=0):
        """What a running gateway and its journal say; they agree. The gateway is killed for that."""
        online = self.trace(*words, status=status)
        self.assertEqual(online[-1]["source"], "gateway")
        self.stop(signal.SIGKILL)
        done = self.ask("trace", *words, "--json", status=status)
        self.assertIn("no gateway runs here: this is from its journal", done.stderr)
        offline = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(offline[-1]["source"], "journal")
        self.assertEqual([e for e in offline[:-1] if e["event"] != "now"], [e for e in online[:-1] if e["event"] != "now"])
        self.assertEqual({k: v for k, v in offline[-1].items() if k != "source"},
                         {k: v for k, v in online[-1].items() if k != "source"})
        return online, offline


class Delivered(Trace):
    answers = {("RCPT", "emil@example.org"): ["451 4.7.1 come again in 1 second"]}

    def test_way(self):
        with open(self.path("mailferry.conf"), "a") as f:
            f.write("retry_min = 1s\n")
        self.start()
        queue_id = self.send("emil@example.org", message_id="<way@example.com>")
        self.until_delivered(1)
        self.until_events(queue_id, "accepted", "routed", "attempt", "deferred", "attempt", "intent", "delivered")
        for name in ("<way@example.com>", "way@example.com", queue_id.upper(), "EMIL@example.ORG", "x@example.com"):
            self.assertEqual(self.trace(name)[:-1], self.trace(queue_id)[:-1], name)
        online, _ = self.both_ways(queue_id)
        by_name = {e["event"]: e for e in online}
        accepted, deferred, delivered = by_name["accepted"], by_name["deferred"], by_name["delivered"]
        self.assertEqual((accepted["from"], accepted["recipients"], accepted["peer"], accepted["helo"], accepted["message_id"]),
                         ("x@example.com", ["emil@example.org"], "127.0.0.1", "client.example.com", "<way@example.com>"))
        self.assertNotIn("tls", accepted)
        self.assertEqual(accepted["queue_id"], queue_id)
        self.assertEqual((by_name["routed"]["target"], by_name["routed"]["epoch"]), ("new", accepted["epoch"]))
        self.assertEqual((deferred["code"], deferred["enhanced"]), (451, "4.7.1"))
        self.assertIn("come again", deferred["text"])
        self.assertEqual((delivered["code"], delivered["remote_id"], delivered["host"], delivered["address"]),
                         (250, "SINK1", f"smtp://127.0.0.1:{self.sink.port}" if "://" in delivered["host"] else
                          f"127.0.0.1:{self.sink.port}", "emil@example.org"))
        times = [e["time"] for e in online[:-1]]
        self.assertEqual(times, sorted(times))
        text = self.ask("trace", queue_id).stdout
        self.assertIn("from <x@example.com> by 127.0.0.1 (client.example.com), ESMTP, for emil@example.org", text)
        self.assertIn("remote id SINK1", text)
        self.assertNotIn("now", text)

    def test_nothing(self):
        self.start()
        self.send("emil@example.org")
        for name in ("<other@example.com>", "nobody@example.org", "k3f9z-00001a"):
            self.assertEqual(self.trace(name, status=1)[-1]["messages"], 0)
        self.assertIn("nothing in the journal", self.ask("trace", "nobody@example.org", status=1).stdout)
        self.stop(signal.SIGKILL)
        for name in ("<other@example.com>", "nobody@example.org", "k3f9z-00001a"):
            self.assertEqual(self.trace(name, status=1)[-1]["messages"], 0)
        self.ask("trace", status=2)
        self.ask("trace", "a@example.org", "b@example.org", status=2)
        self.ask("trace", " ", status=2)
        self.assertIn("is not a journal", self.ask("trace", "x", "--state", self.path("nothing"), status=2).stderr)


class Waiting(Trace):
    answers = {("RCPT", "dora@example.org"): ["550 5.1.1 no such user"]}

    def test_where_it_is(self):
        self.start()
        queue_id = self.send("anna@example.org", "emil@example.org", message_id="<two@example.com>")
        self.until_delivered(1)
        self.order("hold", queue_id, "--reason", "look at it")
        online, offline = self.both_ways(queue_id)
        for events in (online, offline):
            now = [e for e in events if e["event"] == "now"]
            self.assertEqual([(e["address"], e["fate"], e["cause"], e["text"]) for e in now],
                             [("anna@example.org", "held", "operator", "look at it")])
        # of a recipient's address only what is about him
        events = self.trace("emil@example.org")
        self.assertEqual({e["address"] for e in events if "address" in e}, {"emil@example.org"})
        self.assertEqual(events[-2]["event"], "delivered")
        self.start()
        self.ask("queue", "release", queue_id)
        now = [e for e in self.trace("anna@example.org") if e["event"] == "now"]
        self.assertEqual((now[0]["fate"], now[0]["target"]), ("open", "old"))
        self.assertIn("now  anna@example.org: waits for old", self.ask("trace", queue_id).stdout)

    def test_route_fault_and_both(self):
        self.start()
        self.ask("route", "set", "new", "dora@example.org", "--reason", "cutover")
        self.ask("route", "set", "both", "bert@example.org")
        fault = self.send("dora@example.org", message_id="<fault@example.com>")
        both = self.send("bert@example.org", message_id="<both@example.com>")
        self.until_delivered(1)
        self.until_events(fault, "accepted", "routed", "attempt", "refused", "held", "now")
        held = self.trace(fault)[4]
        self.assertEqual(held["cause"], "route fault")
        self.assertIn("no such user", held["reason"])
        events = self.trace(both)
        self.assertEqual([e["event"] for e in events if not e.get("copy")][:6],
                         ["accepted", "routed", "attempt", "intent", "delivered", "trace"])
        self.assertIn("copied", [e["event"] for e in events])
        self.assertEqual([(e["address"], e["copy"]) for e in events if e["event"] == "now"], [("bert@example.org", True)])
        self.both_ways(both)


class Many(Trace):
    def test_limit(self):
        self.start()
        ids = [self.send("emil@example.org", message_id=f"<{n}@example.com>", words=f"number {n}") for n in range(25)]
        self.until_delivered(25)
        for words, n in (((), 20), (("--limit", "3"), 3), (("--limit", "25"), 25)):
            events = self.trace("emil@example.org", *words)
            self.assertEqual([e["queue_id"] for e in events if e["event"] == "accepted"], ids[-n:])
            self.assertEqual((events[-1]["messages"], events[-1]["more"]), (n, 25 - n))
        self.assertIn("22 older ones are not shown", self.ask("trace", "emil@example.org", "--limit", "3").stdout)
        self.ask("trace", "emil@example.org", "--limit", "1001", status=2)
        self.until(lambda: not [e for e in self.trace("emil@example.org") if e["event"] == "now"], "all are settled")
        self.both_ways("emil@example.org", "--limit", "4")

    def test_damaged_journal(self):
        """What can be read is told, and that there was more."""
        self.start()
        ids = [self.send("emil@example.org", message_id=f"<{n}@example.com>", words=f"number {n}") for n in range(3)]
        self.until_delivered(3)
        self.stop()
        segment = self.path("state/journal/0000000001.seg")
        with open(segment, "r+b") as f:
            content = f.read()
            at = content.rindex(b"<1@example.com>")  # in the envelope
            f.seek(at)
            f.write(b"?")
        done = self.ask("trace", ids[2], "--json")
        self.assertIn("damaged", done.stderr)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertIn("delivered", [e["event"] for e in events])
        self.assertGreater(events[-1]["damaged"], 0)
        self.assertEqual(os.path.getsize(segment), len(content))


if __name__ == "__main__":
    unittest.main()
