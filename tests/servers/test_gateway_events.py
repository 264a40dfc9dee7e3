#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The gateway's log of events: what is in it and when, that it may be moved away, that mail does not wait for it."""
import json
import os
import signal
import smtplib
import time
import unittest

from sink import Sink
from test_gateway_control import Control


class Events(Control):
    answers = {("RCPT", "emil@example.org"): ["451 4.7.1 \"not\" \\ yet"], ("RCPT", "dora@example.org"): ["550 5.1.1 no such \xfc\x01 user"]}
    log_name = "events.json"

    def setUp(self):
        super().setUp()
        self.sink = Sink({key: list(value) for key, value in self.answers.items()})
        self.addCleanup(self.sink.close)
        os.mkdir(self.path("logs"))
        os.chmod(self.path("logs"), 0o777)
        with open(self.path("mailferry.conf")) as f:
            text = f.read()
        old, new = text.split("[platform new]")
        new = new.replace(f"smtp://127.0.0.1:{self.nobody}", f"smtp://127.0.0.1:{self.sink.port}")
        self.write("mailferry.conf", f"{old}[platform new]{new}events = logs/{self.log_name}\nretry_min = 1s\n")

    def events(self, name=None):
        """Whole lines, each an object."""
        try:
            with open(self.path("logs/" + (name or self.log_name)), encoding="utf-8") as f:
                text = f.read()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def names(self, queue_id, **also):
        return [e["event"] for e in self.events() if e.get("queue_id") == queue_id and all(e.get(k) == v for k, v in also.items())]


class Flow(Events):
    def test_what_is_told(self):
        self.start()
        self.ask("route", "set", "new", "dora@example.org", "--reason", "ticket \"1\"")
        first = self.send("emil@example.org", "anna@example.org", message_id="<1@example.com>", sender='"q\\"q"@example.com')
        fault = self.send("dora@example.org", message_id="<2@example.com>")
        self.until(lambda: "delivered" in self.names(first), "emil has it")
        self.until(lambda: "held" in self.names(fault), "dora's is held")
        for order in ("hold", "release", "retry"):
            self.order(order, "anna@example.org", "--reason", "away")
        self.until(lambda: "retried" in self.names(first), "all is told")
        self.stop()
        events = self.events()
        self.assertEqual([n for n in self.names(first) if n not in ("attempt", "deferred", "routed")],
                         ["accepted", "delivered", "held", "released", "retried"])
        emil = [e for e in events if e.get("queue_id") == first and e.get("address") == "emil@example.org"]
        self.assertEqual([e["event"] for e in emil], ["routed", "attempt", "deferred", "attempt", "delivered"])
        self.assertEqual((emil[0]["target"], emil[1]["host"], emil[2]["code"], emil[2]["cause"], emil[4]["remote_id"], emil[4]["target"]),
                         ("new", f"127.0.0.1:{self.sink.port}", 451, "policy", "SINK1", "new"))
        self.assertIn('"not" \\ yet', emil[2]["text"])
        accepted = next(e for e in events if e["event"] == "accepted" and e["queue_id"] == first)
        self.assertEqual((accepted["from"], accepted["recipients"], accepted["peer"]),
                         ('"q\\"q"@example.com', ["emil@example.org", "anna@example.org"], "127.0.0.1"))
        held = [e for e in events if e["event"] == "held"]
        self.assertEqual([(h["queue_id"], h.get("cause"), h.get("operator", "")[:0]) for h in held],
                         [(fault, "route fault", ""), (first, None, "")])
        self.assertEqual(held[1]["reason"], "away")
        routes = [e for e in events if e["event"] == "routes"]
        self.assertEqual(routes[-1]["changes"], [{"address": "dora@example.org", "route": "new"}])
        self.assertEqual(routes[-1]["reason"], 'ticket "1"')
        kinds = [e["kind"] for e in events if e["event"] == "note"]
        self.assertEqual((kinds.count("start"), kinds[-1]), (1, "stop"))
        self.assertEqual([e["kind"] for e in events if e["event"] == "alarm"], ["route-fault"])
        records = [e["record"] for e in events if "record" in e]
        self.assertEqual(records, sorted(records))
        self.assertEqual(os.stat(self.path("logs/events.json")).st_mode & 0o777, 0o600)
        # The same words as a trace's.
        trace = [e for e in (json.loads(line) for line in self.ask("trace", first, "--json").stdout.splitlines()) if "record" in e]
        for e in trace:
            if e["event"] not in ("intent", "routed"):
                self.assertIn({k: v for k, v in e.items() if k != "time"}, [{k: v for k, v in x.items() if k != "time"} for x in events])

    def test_moved_away(self):
        self.start()
        ids = []
        for n in range(3):
            ids += [self.send("emil@example.org", message_id=f"<{n}{i}@example.com>", words=f"{n} {i}") for i in range(5)]
            self.until(lambda: "accepted" in self.names(ids[-1]), "it is told")
            os.rename(self.path("logs/events.json"), self.path(f"logs/events.{n}"))
            self.child.send_signal(signal.SIGHUP)
            self.until(lambda: any(e.get("kind") == "reload" for e in self.events()), "a new one")
        # A configuration that cannot be read is no reason to keep the old file.
        with open(self.path("mailferry.conf"), "a") as f:
            f.write("nonsense\n")
        os.rename(self.path("logs/events.json"), self.path("logs/events.3"))
        self.child.send_signal(signal.SIGHUP)
        self.until(lambda: any(e["event"] == "alarm" for e in self.events()), "a new one")
        self.configure()
        self.stop()
        told = [e["queue_id"] for name in ("events.0", "events.1", "events.2", "events.3", None) for e in self.events(name)
                if e["event"] == "accepted"]
        self.assertEqual(told, ids)


class Trouble(Events):
    log_name = "not-there/events.json"

    def test_mail_does_not_wait(self):
        self.start()
        queue_id = self.send("emil@example.org", message_id="<1@example.com>")
        self.until(lambda: self.sink.messages, "it is delivered")
        self.until(lambda: self.says("cannot be written"), "it is told")
        self.assertEqual(self.said().count("cannot be written"), 1)
        os.mkdir(self.path("logs/not-there"))
        os.chmod(self.path("logs/not-there"), 0o777)
        self.until(lambda: "delivered" in self.names(queue_id), "nothing is missing")

    def test_no_log_daemon(self):
        if os.path.exists("/dev/log"):
            self.skipTest("there is a log daemon")
        with open(self.path("mailferry.conf")) as f:
            text = f.read()
        self.write("mailferry.conf", text.replace("events = logs/not-there/events.json", "events = syslog"))
        self.start()
        self.send("emil@example.org", message_id="<1@example.com>")
        self.until(lambda: self.says("cannot reach the system's log"), "it is told")
        self.stop()

    def test_a_pipe_is_no_log(self):
        os.mkdir(self.path("logs/not-there"))
        os.mkfifo(self.path("logs/not-there/events.json"))
        os.chmod(self.path("logs/not-there"), 0o777)
        os.chmod(self.path("logs/not-there/events.json"), 0o666)
        self.start()
        self.send("emil@example.org", message_id="<1@example.com>")
        self.until(lambda: self.says("cannot be written"), "it is told")
        begin = time.monotonic()
        self.stop()
        self.assertLess(time.monotonic() - begin, 30)


class Durable(Events):
    def test_not_more_than_the_journal(self):
        """Killed before a sync, at one after the other: nothing is told that the journal does not know."""
        self.start()
        self.send("emil@example.org", message_id="<0@example.com>")
        self.until(lambda: self.sink.messages, "it is delivered")
        self.stop()
        for n in range(2, 9):
            os.environ["MAILFERRY_STEP_KILL"] = f"journal-flush:{n}"
            try:
                self.start()
                for i in range(20):
                    self.send("emil@example.org", message_id=f"<{n}.{i}@example.com>", words=f"{n} {i}")
                    time.sleep(0.02)
            except (OSError, smtplib.SMTPException, AssertionError):
                pass
            finally:
                del os.environ["MAILFERRY_STEP_KILL"]
            self.child.wait(60)
            self.stop()
            for e in self.events():
                if e["event"] == "accepted":
                    said = self.ask("trace", e["queue_id"], "--json").stdout
                    self.assertIn(e["sha256"], said)
            told = {(e["record"], e["queue_id"]) for e in self.events() if e["event"] in ("delivered", "attempt")}
            known = set()
            for queue_id in {queue_id for _, queue_id in told}:
                known |= {(e["record"], queue_id) for e in map(json.loads, self.ask("trace", queue_id, "--json").stdout.splitlines())
                          if "record" in e}
            self.assertLessEqual(told, known)


if __name__ == "__main__":
    unittest.main()
