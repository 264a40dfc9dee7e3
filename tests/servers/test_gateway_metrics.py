#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The gateway's figures: in Prometheus' text format, strictly; right; and what clients may do to who serves them."""
import http.client
import os
import re
import signal
import smtplib
import socket
import threading
import time
import unittest

from sink import Sink
from test_gateway_control import Control, free_port

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL},)*(?:{LABEL})?)\}})? (\S+)")


class Wrong(Exception):
    pass


def parse(text):
    """Exposition format 0.0.4, no more than it allows. {(name, ((label, value), …)): number}, {name: type}."""
    samples, types, helps, order = {}, {}, set(), []
    if not text.endswith("\n"):
        raise Wrong("the last line has no end")
    for line in text[:-1].split("\n"):
        if found := re.fullmatch(rf"# HELP ({NAME}) (.+)", line):
            if found[1] in helps or found[1] in types:
                raise Wrong("a second HELP, or behind TYPE: " + line)
            helps.add(found[1])
        elif found := re.fullmatch(rf"# TYPE ({NAME}) (counter|gauge|histogram|summary|untyped)", line):
            if found[1] in types or found[1] not in helps:
                raise Wrong("a second TYPE, or no HELP: " + line)
            types[found[1]] = found[2]
            order.append(found[1])
        elif found := SAMPLE.fullmatch(line):
            name = found[1]
            base = name if name in types else re.sub(r"_(bucket|sum|count)$", "", name)
            if base not in types or base != order[-1]:
                raise Wrong("a sample that does not stand behind its TYPE: " + line)
            if base != name and types[base] not in ("histogram", "summary"):
                raise Wrong("a name that its type does not have: " + line)
            if types[base] == "counter" and not name.endswith("_total"):
                raise Wrong("a counter that is not called so: " + line)
            labels = tuple(re.findall(LABEL, found[2] or ""))
            if len({label for label, _ in labels}) != len(labels) or (name, labels) in samples:
                raise Wrong("twice: " + line)
            samples[name, labels] = float(found[found.re.groups])
        else:
            raise Wrong("no line of that format: " + repr(line))
    for name, kind in types.items():
        if kind == "histogram":
            check_histogram(name, samples)
    return samples, types


def check_histogram(name, samples):
    rows = {}
    for (sample, labels), value in samples.items():
        if sample == name + "_bucket":
            key = tuple(label for label in labels if label[0] != "le")
            rows.setdefault(key, []).append((float(dict(labels)["le"]), value))
    if not rows:
        raise Wrong("a histogram without buckets: " + name)
    for key, buckets in rows.items():
        if buckets != sorted(buckets) or [v for _, v in buckets] != sorted(v for _, v in buckets) or buckets[-1][0] != float("inf"):
            raise Wrong(f"buckets that do not rise: {name} {buckets}")
        if samples[name + "_count", key] != buckets[-1][1] or (name + "_sum", key) not in samples:
            raise Wrong(f"a histogram that does not add up: {name}")


class Parser(unittest.TestCase):
    def test_it_is_strict(self):
        good = "# HELP a_total x\n# TYPE a_total counter\na_total 1\n"
        self.assertEqual(parse(good)[0], {("a_total", ()): 1})
        for bad in (good[:-1], good + "a_total 2\n", good + "b 1\n", good.replace(" 1", " x"), "a 1\n", good + "\n",
                    good + good, good.replace("a_total", "a"), good.replace("a_total 1", 'a_total{x="1",x="2"} 1'),
                    good.replace("a_total 1", 'a_total{x="\\q"} 1'), good.replace("a_total 1", 'a_total{x="1" } 1'),
                    "# HELP h x\n# TYPE h histogram\n" 'h_bucket{le="+Inf"} 2\nh_sum 1\nh_count 3\n',
                    "# HELP h x\n# TYPE h histogram\n" 'h_bucket{le="1"} 3\nh_bucket{le="+Inf"} 2\nh_sum 1\nh_count 2\n'):
            with self.assertRaises((Wrong, ValueError), msg=bad):
                parse(bad)


class Metrics(Control):
    def setUp(self):
        super().setUp()
        self.sink = Sink({("RCPT", "emil@example.org"): ["451 4.7.1 not yet"], ("RCPT", "dora@example.org"): ["550 5.1.1 no such user"]})
        self.addCleanup(self.sink.close)
        self.metrics_port = free_port()
        with open(self.path("mailferry.conf")) as f:
            text = f.read()
        old, new = text.split("[platform new]")
        new = new.replace(f"smtp://127.0.0.1:{self.nobody}", f"smtp://127.0.0.1:{self.sink.port}")
        self.write("mailferry.conf", f"{old}[platform new]{new}metrics = 127.0.0.1:{self.metrics_port}\nretry_min = 1s\n")
        self.start()

    def get(self, path="/metrics", method="GET"):
        c = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=30)
        c.request(method, path)
        answer = c.getresponse()
        body = answer.read().decode()
        c.close()
        return answer, body

    def figures(self):
        answer, body = self.get()
        self.assertEqual((answer.status, answer.getheader("Content-Type")), (200, "text/plain; version=0.0.4; charset=utf-8"))
        samples, types = parse(body)
        self.assertTrue(all(name.startswith("mailferry_") for name in types))
        return {(name.removeprefix("mailferry_"), *(f"{k}={v}" for k, v in labels)): value for (name, labels), value in samples.items()}

    def test_figures(self):
        before = self.figures()
        self.assertEqual(before["accepted_messages_total",], 0)
        self.assertEqual(before["queue_oldest_seconds",], 0)
        self.send("emil@example.org", "anna@example.org", message_id="<1@example.com>")
        self.ask("route", "set", "new", "dora@example.org")
        self.send("dora@example.org", message_id="<2@example.com>")
        self.until(lambda: self.figures()["delivered_total", "target=new"] == 1, "emil has it")
        self.until(lambda: self.figures().get(("held_total", "target=new", "cause=route fault")) == 1, "dora's is held")
        self.until(lambda: self.figures()["queue_oldest_seconds",] > 0.5, "it gets older")
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as s:
            s.ehlo("client.example.com")
            s.mail("x@example.com")
            self.assertEqual(s.rcpt("nobody@example.org")[0], 550)
            self.until(lambda: self.figures()["sessions", "edge=1"] == 1, "a session")
        got = self.figures()
        for key, value in {
                ("accepted_messages_total",): 2, ("accepted_recipients_total",): 3, ("notifications_total",): 0,
                ("deferred_total", "target=new", "cause=policy"): 1, ("refused_total", "target=new"): 1,
                ("alarms_total", "kind=route-fault"): 1, ("delivered_total", "target=old"): 0, ("returned_total", "target=new"): 0,
                ("queue_recipients", "target=new", "fate=held"): 1, ("queue_recipients", "target=old", "fate=open"): 1,
                ("queue_waiting", "target=new", "fate=held", "cause=route fault"): 1,
                ("recipients_refused_total", "cause=unknown"): 1, ("answer_seconds_count",): 2,
                ("delivery_seconds_count", "target=new"): 1, ("target_dead_hosts", "target=new"): 0, ("couriers",): 1,
                ("journal_low",): 0, ("messages_failed_total",): 0}.items():
            self.assertEqual(got.get(key), value, key)
        self.assertEqual(got["route_epoch",], self.records("route", "show", "dora@example.org")[-1]["epoch"])
        self.assertGreater(got["journal_commit_seconds_count",], 2)
        self.assertGreater(got["journal_commit_seconds_sum",], 0)
        self.assertGreater(got["target_connections", "target=new"], 0)
        self.assertLess(got["start_time_seconds",], time.time())
        for key, value in before.items():
            if key[0].endswith("_total") and key in got:
                self.assertGreaterEqual(got[key], value, key)

    def test_other_questions(self):
        for path, method, status in (("/", "GET", 404), ("/metrics", "POST", 405), ("/metrics?x=1", "GET", 200), ("/metrics", "HEAD", 200),
                                     ("/metricsx", "GET", 404), ("//metrics", "GET", 404)):
            answer, body = self.get(path, method)
            self.assertEqual(answer.status, status, path)
            self.assertEqual(body == "", method == "HEAD")

    def raw(self, request, end=True):
        with socket.create_connection(("127.0.0.1", self.metrics_port), 30) as s:
            s.settimeout(30)
            try:
                s.sendall(request)
                if end:
                    s.shutdown(socket.SHUT_WR)
                said = b""
                while got := s.recv(65536):
                    said += got
            except OSError:
                pass
            return said

    def test_who_is_no_client(self):
        self.assertIn(b" 400 ", self.raw(b"\xff\x00\r\n\r\n"))
        self.assertIn(b" 400 ", self.raw(b"GET /metrics\r\n\r\n"))
        self.assertIn(b" 200 ", self.raw(b"GET /metrics HTTP/1.1\n\n"))
        self.assertIn(b" 431 ", self.raw(b"GET /metrics HTTP/1.1\r\n" + b"x: y\r\n" * 4000, end=False))
        self.assertEqual(self.raw(b"GET /metrics"), b"")
        self.assertEqual(self.raw(b""), b"")
        # Many who say nothing hold the others up for some seconds, and no more; mail is not held up at all.
        silent = [socket.create_connection(("127.0.0.1", self.metrics_port), 30) for _ in range(16)]
        begin = time.monotonic()
        self.send("emil@example.org", message_id="<quick@example.com>")
        self.assertLess(time.monotonic() - begin, 5)
        slow = threading.Thread(target=self.drip)
        slow.start()
        self.assertEqual(self.get()[0].status, 200)
        self.assertLess(time.monotonic() - begin, 25)
        slow.join()
        for s in silent:
            s.close()

    def drip(self):
        """A byte a second is cut like silence."""
        begin = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.metrics_port), 60) as s:
            s.settimeout(1)
            try:
                while time.monotonic() - begin < 50:
                    s.sendall(b"G")
                    try:
                        if s.recv(100) == b"":
                            break
                    except TimeoutError:
                        pass
            except OSError:
                pass
        self.assertLess(time.monotonic() - begin, 50)

    def test_another_port_by_a_reload(self):
        former, self.metrics_port = self.metrics_port, free_port()
        with open(self.path("mailferry.conf")) as f:
            text = f.read()
        self.write("mailferry.conf", text.replace(f"metrics = 127.0.0.1:{former}", f"metrics = 127.0.0.1:{self.metrics_port}"))
        self.child.send_signal(signal.SIGHUP)

        def is_there():
            try:
                return self.get()[0].status == 200
            except OSError:
                return False
        self.until(is_there, "it listens there")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", former), 5)

    def test_a_port_that_is_taken(self):
        self.stop()
        with socket.socket() as s:
            s.bind(("127.0.0.1", self.metrics_port))
            s.listen()
            self.start()
            self.until(lambda: self.says("no figures"), "it is told")
            self.send("emil@example.org", message_id="<all-the-same@example.com>")
        self.assertTrue(os.path.exists(self.path("state/gateway/control")))


if __name__ == "__main__":
    unittest.main()
