#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What operators ask of a running gateway, on loopback: routes, recipients, queue, traces."""
import json
import os
import signal
import smtplib
import socket
import stat
import subprocess
import tempfile
import time
import unittest

import product

CONF = """[mailferry]
state = {folder}/state
mailboxes = {folder}/mailboxes.csv

[platform old]
smtp = smtp://127.0.0.1:{nobody}
smtp_tls = none

[platform new]
smtp = smtp://127.0.0.1:{nobody}
smtp_tls = none

[gateway]
hostname = mx.example.org
listen = 127.0.0.1:{port}
domain = example.org
alias = info@example.org=anna@example.org
recipients_file = {folder}/recipients.txt
recipients_refresh = 1s
keep_free = none
{more}"""
LIST = "address,wave\nanna@example.org,first\nbert@example.org,first\ncarl@example.org,second\n"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Control(unittest.TestCase):
    def setUp(self):
        product.need_program()
        self.temporary = tempfile.TemporaryDirectory(prefix="mailferry-control-")
        self.addCleanup(self.temporary.cleanup)
        self.folder = self.temporary.name
        os.chmod(self.folder, 0o755)  # begun as root, the gateway becomes somebody else
        self.port, self.nobody = free_port(), free_port()
        self.child = None
        self.write("mailboxes.csv", LIST)
        self.write("recipients.txt", "dora@example.org\nemil@example.org new\n")
        self.write("log", "")
        self.configure()
        self.addCleanup(self.stop)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path + ".tmp", "w") as f:
            f.write(text)
        os.replace(path + ".tmp", path)

    def configure(self):
        more = "user = nobody\n" if os.geteuid() == 0 else ""
        self.write("mailferry.conf", CONF.format(folder=self.folder, port=self.port, nobody=self.nobody, more=more))

    def start(self):
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.addCleanup(self.log.close)
        self.child = subprocess.Popen([product.PROGRAM, "gateway", "--config", self.path("mailferry.conf")],
                                      stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.until(lambda: self.says("takes mail on"), "the gateway starts")

    def path(self, name):
        return os.path.join(self.folder, name)

    def said(self):
        with open(self.path("log")) as f:
            return f.read()

    def says(self, words):
        self.assertIsNone(self.child.poll(), self.said())
        return self.said().count(words) >= self.starts + 1 if words == "takes mail on" else words in self.said()

    starts = 0

    def until(self, what, name, seconds=60):
        end = time.monotonic() + seconds
        while not what():
            if time.monotonic() > end:
                self.fail(f"{name}: never\n{self.said()}")
            time.sleep(0.05)

    def stop(self, how=signal.SIGTERM):
        if self.child and self.child.poll() is None:
            self.child.send_signal(how)
            self.child.wait(60)
        if self.child:
            self.starts = self.said().count("takes mail on")
            self.child = None

    def ask(self, *words, status=0, config=True):
        line = [product.PROGRAM, *words] + (["--config", self.path("mailferry.conf")] if config else [])
        done = subprocess.run(line, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, status, f"{words}\n{done.stdout}\n{done.stderr}\n{self.said()}")
        return done

    def records(self, *words):
        return [json.loads(line) for line in self.ask(*words, "--json").stdout.splitlines()]

    def order(self, order, *words):
        """To one recipient's mail, which may be on its way at the moment: then again."""
        self.until(lambda: self.records("queue", order, *words)[0]["legs"] == 1, order)

    def route(self, address):
        return self.records("route", "show", address)[0]["route"]

    def send(self, *to, sender="x@example.com", words="hello", message_id="<1@example.com>"):
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as s:
            s.ehlo("client.example.com")
            s.mail(sender)
            for address in to:
                self.assertEqual(s.rcpt(address)[0], 250)
            code, text = s.data(f"Message-ID: {message_id}\r\nSubject: {words}\r\n\r\n{words}\r\n")
            self.assertEqual(code, 250, text)
            return next(w for w in text.decode().split() if "-" in w).strip(".,;")


class Routes(Control):
    def test_show_and_set(self):
        self.start()
        mode = os.stat(self.path("state/gateway/control"))
        self.assertTrue(stat.S_ISSOCK(mode.st_mode))
        self.assertEqual(mode.st_mode & 0o777, 0o600)
        table = {r["address"]: r["route"] for r in self.records("route", "show") if r["event"] == "route"}
        self.assertEqual(table, {"@example.org": "unknown", "anna@example.org": "old", "bert@example.org": "old",
                                 "carl@example.org": "old", "dora@example.org": "old", "emil@example.org": "new",
                                 "info@example.org": "none"})
        self.assertEqual(self.route("info@example.org"), "old")
        before = self.records("route", "show", "anna@example.org")[-1]["epoch"]
        done = self.records("route", "set", "new", "--wave", "first", "--reason", "cutover")
        self.assertEqual(done, [{"event": "routes_set", "route": "new", "n": 2, "epoch": before + 1}])
        self.assertEqual([self.route(a) for a in ("anna@example.org", "BERT@Example.ORG", "carl@example.org", "info@example.org",
                                                  "anna+lists@example.org")], ["new", "new", "old", "new", "new"])
        self.assertIn("epoch", self.ask("route", "set", "both", "@example.org").stdout)
        self.assertEqual(self.route("nobody@example.org"), "both")

    def test_refused_as_a_whole(self):
        self.start()
        before = self.records("route", "show", "anna@example.org")[-1]["epoch"]
        for bad, words in (("no address", "is no address"), ("x@example.net", "none of the gateway's domains"),
                           ("@example.net", "none of the gateway's domains"), ("a" * 2000, "longer than 1,000")):
            said = self.ask("route", "set", "new", "anna@example.org", bad, status=2).stderr
            self.assertIn(words, said)
        self.assertIn("no route", self.ask("route", "set", "elsewhere", "anna@example.org", status=2).stderr)
        self.assertIn("no wave", self.ask("route", "set", "new", "--wave", "third", status=2).stderr)
        self.assertEqual(self.route("anna@example.org"), "old")
        self.assertEqual(self.records("route", "show", "anna@example.org")[-1]["epoch"], before)

    def test_no_gateway(self):
        self.assertIn("no gateway runs here", self.ask("route", "show", status=3).stderr)
        self.start()
        self.stop(signal.SIGKILL)
        self.assertIn("no gateway runs here", self.ask("route", "show", status=3).stderr)

    def test_what_is_no_question_harms_nobody(self):
        self.start()
        for raw in (b"\xff" * 64, b"\0" * 16, b"\2\0\0\0\2\0\0\0" + b"\0" * 8 + b"\1\x7f", b"GET / HTTP/1.0\r\n\r\n",
                    (b"\0\0\1\0\1\0\0\0" + b"\0" * 8 + b"x" * 65536) * 70):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(60)
                s.connect(self.path("state/gateway/control"))
                try:
                    s.sendall(raw)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
                except (BrokenPipeError, ConnectionResetError):
                    pass
        self.assertEqual(self.route("anna@example.org"), "old")


class Recipients(Control):
    def test_read_again(self):
        self.start()
        self.ask("route", "set", "new", "dora@example.org", "emil@example.org")
        self.ask("route", "set", "hold", "emil@example.org")
        self.write("recipients.txt", "dora@example.org\nemil@example.org new\nfritz@example.org both\n")
        self.until(lambda: self.route("fritz@example.org") == "both", "fritz is known")
        self.assertEqual([self.route(a) for a in ("dora@example.org", "emil@example.org")], ["new", "hold"])

        # Fritz leaves, and goes; Dora's route is an operator's, and stays.
        self.write("recipients.txt", "emil@example.org old\n")
        self.until(lambda: self.route("fritz@example.org") == "unknown", "fritz is gone")
        self.assertEqual([self.route(a) for a in ("dora@example.org", "emil@example.org")], ["new", "old"])

    def test_cannot_be_read(self):
        self.start()
        os.remove(self.path("recipients.txt"))
        self.until(lambda: self.says("recipients stay as they were"), "it is told")
        self.assertEqual(self.route("emil@example.org"), "new")
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as s:
            s.ehlo("client.example.com")
            s.mail("x@example.com")
            self.assertEqual(s.rcpt("nobody@example.org")[0], 451)
            self.assertEqual(s.rcpt("emil@example.org")[0], 250)
        for text, words in (("emil@example.org new\nno address\n", "line 2"), ("# all gone\n", "names nobody")):
            self.write("recipients.txt", text)
            self.until(lambda: self.says(words), words)
            self.assertEqual(self.route("emil@example.org"), "new")
        self.write("recipients.txt", "emil@example.org new\n")
        self.until(lambda: self.says("can be read again"), "it is told")
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as s:
            s.ehlo("client.example.com")
            s.mail("x@example.com")
            self.assertEqual(s.rcpt("nobody@example.org")[0], 550)

    def test_restarts(self):
        self.start()
        self.ask("route", "set", "new", "anna@example.org", "dora@example.org")
        self.ask("route", "set", "hold", "@example.org")
        epoch = self.records("route", "show", "anna@example.org")[-1]["epoch"]
        self.stop()
        self.start()
        self.assertEqual([self.route(a) for a in ("anna@example.org", "dora@example.org", "x@example.org")], ["new", "new", "hold"])
        self.assertEqual(self.records("route", "show", "anna@example.org")[-1]["epoch"], epoch)
        self.stop()
        self.write("recipients.txt", "dora@example.org\n")
        self.start()
        self.assertEqual(self.route("emil@example.org"), "hold")
        self.assertEqual([self.route(a) for a in ("anna@example.org", "dora@example.org")], ["new", "new"])

    def test_command(self):
        self.configure()
        with open(self.path("mailferry.conf")) as f:
            text = f.read()
        self.write("mailferry.conf", text.replace(f"recipients_file = {self.folder}/recipients.txt",
                                                  f"recipients_command = sed s/new/both/ {self.folder}/recipients.txt"))
        self.start()
        self.assertEqual(self.route("emil@example.org"), "both")


class Queue(Control):
    """Both platforms are away: what is accepted stays."""

    def legs(self, *words):
        return [(r["address"], r["fate"], r["target"], r["cause"]) for r in self.records("queue", "list", *words)
                if r["event"] == "leg"]

    def test_orders(self):
        self.start()
        first = self.send("anna@example.org", "emil@example.org", message_id="<1@example.com>")
        second = self.send("bert@example.org", message_id="<2@example.com>", words="again")
        waiting = [("anna@example.org", "open", "old"), ("emil@example.org", "open", "new"), ("bert@example.org", "open", "old")]
        self.assertEqual([leg[:3] for leg in self.legs()], waiting)
        self.assertEqual([leg[0] for leg in self.legs(second)], ["bert@example.org"])
        self.assertEqual([leg[0] for leg in self.legs("--target", "new")], ["emil@example.org"])
        self.assertEqual([leg[0] for leg in self.legs("ANNA@example.org", second)], ["anna@example.org", "bert@example.org"])
        self.assertEqual([leg[0] for leg in self.legs("@example.org", "--limit", "1")], ["anna@example.org"])
        self.assertIn("no queue id", self.ask("queue", "list", "nothing", status=2).stderr)

        self.assertIn("or --all", self.ask("queue", "hold", status=2).stderr)
        self.assertEqual(self.records("queue", "hold", first, "--reason", "look at it")[0]["legs"], 2)
        self.assertEqual([leg[1] for leg in self.legs()], ["held", "held", "open"])
        counts = {(r["target"], r["fate"]): r["legs"] for r in self.records("queue", "list") if r["event"] == "count"}
        self.assertEqual(counts, {("old", "held"): 1, ("new", "held"): 1, ("old", "open"): 1})
        self.assertEqual(self.records("queue", "retry", "--all")[0]["legs"], 1)
        self.assertEqual(self.records("queue", "release", "--target", "new")[0]["legs"], 1)
        self.assertEqual([leg[1] for leg in self.legs()], ["held", "open", "open"])
        self.assertIn("held since", self.ask("queue", "show", "anna@example.org").stdout)

        # All of it is in the journal.
        self.stop(signal.SIGKILL)
        self.start()
        self.assertEqual([leg[1] for leg in self.legs()], ["held", "open", "open"])
        self.assertEqual(self.ask("audit", self.path("state/journal"), config=False).returncode, 0)


if __name__ == "__main__":
    unittest.main()
