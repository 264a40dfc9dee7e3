#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mailferry gateway as its clients see it: who is taken and who is not, TLS, sizes, limits; processes that are killed at named
steps; stops and reloads. Whatever happens, what was answered 250 is in the journal, which the audit proves."""
import json
import os
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

import product
from server import free_ports
from sink import Sink

PLATFORMS = """
[platform old]
smtp = smtp://127.0.0.1:{old}
smtp_tls = none
[platform new]
smtp = smtp://127.0.0.1:{new}
smtp_tls = none
"""


def certificate(folder, name):
    paths = [os.path.join(folder, name + end) for end in (".pem", ".key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-out", paths[0], "-keyout", paths[1]],
                   check=True, capture_output=True)
    for path in paths:
        os.chmod(path, 0o644)
    return paths


class Gateway:
    """A started gateway, in a folder of its own, which stays between starts."""

    def __init__(self, tls=False, platforms=PLATFORMS, **keys):
        self.folder = tempfile.mkdtemp(prefix="mailferry-gateway-")
        os.chmod(self.folder, 0o755)
        self.platforms = platforms
        self.port = free_ports(1)[0]
        self.keys = {"hostname": "mx.example.org", "listen": f"127.0.0.1:{self.port}", "keep_free": "1M", "drain": "2s",
                     "domain_route": "example.org=old", **keys}
        if tls:
            self.cert, self.key = certificate(self.folder, "mx.example.org")
            self.keys.update(cert_file=self.cert, key_file=self.key)
        if os.geteuid() == 0:
            self.keys["user"] = "nobody"
        self.config = os.path.join(self.folder, "mailferry.conf")
        self.state = os.path.join(self.folder, "state")
        self.old = self.new = 9  # nobody is there
        self.write()
        self.child = None

    def write(self):
        platforms = self.platforms.replace("{old}", str(self.old)).replace("{new}", str(self.new))
        lines = ["[mailferry]", f"state = {self.state}", platforms, "[gateway]", "domain = example.org", "domain = example.net"]
        with open(self.config, "w") as f:
            f.write("\n".join(lines + [f"{key} = {value}" for key, value in self.keys.items()]) + "\n")
        os.chmod(self.config, 0o644)

    def deliver_to(self, old, new=None):
        """Ports."""
        self.old, self.new = old, new or old
        self.write()

    def start(self, ready=True, **environment):
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify_path = os.path.join(self.folder, "notify")
        if os.path.exists(self.notify_path):
            os.unlink(self.notify_path)
        self.notify.bind(self.notify_path)
        os.chmod(self.notify_path, 0o777)
        self.notify.settimeout(60)
        self.err = open(os.path.join(self.folder, "stderr"), "ab")
        self.child = subprocess.Popen([product.PROGRAM, "gateway", "--config", self.config], stdin=subprocess.DEVNULL,
                                      stdout=self.err, stderr=self.err, start_new_session=True,
                                      env={**os.environ, "NOTIFY_SOCKET": self.notify_path, **environment})
        if ready:
            self.wait_for("READY=1")
        return self

    def wait_for(self, word):
        while True:
            if word in self.notify.recv(1000).decode().split("\n"):
                return

    def client(self, **more):
        client = smtplib.SMTP("127.0.0.1", self.port, local_hostname="client.example", timeout=30, **more)
        client.ehlo()
        return client

    def children(self):
        with open(f"/proc/{self.child.pid}/task/{self.child.pid}/children") as f:
            return [int(word) for word in f.read().split()]

    def parts(self, kind):
        def words(pid):
            with open(f"/proc/{pid}/cmdline") as f:
                return f.read().split("\0")

        return [pid for pid in self.children() if kind in words(pid)]

    def edges(self):
        return self.parts("edge")

    def stop(self, number=signal.SIGTERM):
        if self.child.poll() is None:
            self.child.send_signal(number)
        return self.wait()

    def wait(self):
        status = self.child.wait(60)
        self.err.close()
        self.notify.close()
        return status

    def audit_text(self):
        done = subprocess.run([product.PROGRAM, "audit", os.path.join(self.state, "journal")], capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(done.stdout + done.stderr)
        return done.stdout

    def audit(self):
        """(messages, legs, held); the journal is sound."""
        found = re.search(r"(\d+) messages, (\d+) recipients.* (\d+) held", self.audit_text())
        return tuple(int(n) for n in found.groups())

    def text(self):
        with open(os.path.join(self.folder, "stderr"), errors="replace") as f:
            return f.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child and self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def message(n, size=100):
    return f"Subject: {n}\r\nMessage-ID: <{n}@client.example>\r\n\r\n" + ("x" * 70 + "\r\n") * (size // 72)


def send(client, n, to="bob@example.org", size=100):
    """The queue id."""
    client.mail("a@sender.example")
    code, text = client.rcpt(to)
    if code != 250:
        raise smtplib.SMTPRecipientsRefused({to: (code, text)})
    code, text = client.data(message(n, size))
    if code != 250:
        raise smtplib.SMTPDataError(code, text)
    return re.search(rb"queued as (\S+)", text)[1].decode()


class TestGateway(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()

    def test_takes_and_refuses(self):
        with Gateway() as g:
            g.start()
            c = g.client()
            first = send(c, 1)
            self.assertRegex(first, "^[0-9a-z]{5}-000001$")
            for to, code in (("bob@example.net", 550), ("bob@example.com", 550), ("postmaster", 250), ("postmaster@example.net", 250)):
                c.rset()
                c.mail("")
                self.assertEqual(c.rcpt(to)[0], code, to)
            c.rset()
            self.assertEqual(send(c, 2, size=300000)[-6:], "000002")
            c.quit()
            self.assertEqual(g.stop(), 0, g.text())
            self.assertEqual(g.audit(), (2, 2, 0))

    def test_sizes(self):
        with Gateway(max_message="100K") as g:
            g.start()
            c = g.client()
            self.assertEqual(c.esmtp_features["size"], str(100 << 10))
            self.assertEqual(c.mail("a@sender.example", ["size=200000"])[0], 552)
            for n, (size, code) in enumerate(((50000, 250), (200000, 552), (50000, 250))):
                c.mail("a@sender.example")
                c.rcpt("bob@example.org")
                self.assertEqual(c.data(message(n, size))[0], code)
            g.stop()
            self.assertEqual(g.audit(), (2, 2, 0))

    def test_no_room(self):
        with Gateway(keep_free="100000G") as g:
            g.start()
            c = g.client()
            c.mail("a@sender.example")
            code = 0
            for _ in range(50):  # the first look at the disk comes soon
                code = c.rcpt("bob@example.org")[0]
                if code != 250:
                    break
                c.rset()
                c.mail("a@sender.example")
                time.sleep(0.1)
            self.assertEqual(code, 452)
            g.stop()
            self.assertEqual(g.audit()[0], 0)

    def test_starttls_and_another_certificate(self):
        with Gateway(tls=True) as g:
            g.start()
            context = ssl.create_default_context(cafile=g.cert)
            c = g.client()
            c._host = "mx.example.org"
            c.starttls(context=context)
            c.ehlo()
            old = send(c, 1)
            c.mail("a@sender.example")

            new = certificate(g.folder, "mx2.example.org")
            shutil.copy(new[0], g.cert)
            shutil.copy(new[1], g.key)
            before = g.edges()
            g.child.send_signal(signal.SIGHUP)
            g.wait_for("RELOADING=1")
            g.wait_for("READY=1")
            # who was there goes on; who comes now meets the new one
            self.assertEqual(c.rcpt("bob@example.org")[0], 250)
            self.assertEqual(c.data(message(2))[0], 250)
            self.assertIn(before[0], g.edges())
            d = g.client()
            d._host = "mx2.example.org"
            d.starttls(context=ssl.create_default_context(cafile=new[0]))
            d.ehlo()
            self.assertEqual(send(d, 3).split("-")[0], old.split("-")[0])
            c.quit()
            d.quit()
            end = time.monotonic() + 30
            while before[0] in g.edges() and time.monotonic() < end:
                time.sleep(0.02)
            self.assertNotIn(before[0], g.edges())

            # one that cannot be used changes nothing
            with open(g.cert, "w") as f:
                f.write("nonsense\n")
            g.child.send_signal(signal.SIGHUP)
            g.wait_for("RELOADING=1")
            g.wait_for("READY=1")
            self.assertIn("goes on as it was", g.text())
            send(g.client(), 4)
            self.assertEqual(g.stop(), 0)
            self.assertEqual(g.audit(), (4, 4, 0))

    def test_stops_when_all_is_answered(self):
        with Gateway() as g:
            g.start()
            c = g.client()
            c.mail("a@sender.example")
            c.rcpt("bob@example.org")
            g.child.send_signal(signal.SIGTERM)
            g.wait_for("STOPPING=1")
            time.sleep(0.3)
            with self.assertRaises((ConnectionRefusedError, ConnectionResetError, smtplib.SMTPServerDisconnected)):
                smtplib.SMTP("127.0.0.1", g.port, timeout=2).noop()
            self.assertEqual(c.data(message(1))[0], 250)
            c.quit()
            self.assertEqual(g.wait(), 0, g.text())
            self.assertEqual(g.audit(), (1, 1, 0))

    def test_who_has_nothing_to_lose_does_not_delay_a_stop(self):
        with Gateway(drain="30s") as g:
            g.start()
            idle, busy = g.client(), g.client()
            busy.mail("a@sender.example")
            busy.rcpt("bob@example.org")
            began = time.monotonic()
            g.child.send_signal(signal.SIGTERM)
            self.assertEqual(idle.getreply()[0], 421)
            self.assertEqual(busy.data(message(1))[0], 250)
            self.assertEqual(busy.getreply()[0], 421)
            self.assertEqual(g.wait(), 0, g.text())
            self.assertLess(time.monotonic() - began, 15)
            self.assertEqual(g.audit(), (1, 1, 0))

    def test_offers_what_both_platforms_can_carry(self):
        old, new = Sink(offers=("SIZE 90000", "8BITMIME", "SMTPUTF8")), Sink(offers=("SIZE 200000", "8BITMIME"))
        self.addCleanup(old.close)
        self.addCleanup(new.close)
        with Gateway() as g:
            g.deliver_to(old.port, new.port)
            g.start()
            end = time.monotonic() + 30
            while (offered := g.client().esmtp_features)["size"] != str(90000 - 2048) and time.monotonic() < end:
                time.sleep(0.1)
            self.assertEqual(offered["size"], str(90000 - 2048))
            self.assertIn("8bitmime", offered)
            self.assertNotIn("smtputf8", offered)
            new.offers = ("8BITMIME", "SMTPUTF8")
            g.child.send_signal(signal.SIGHUP)
            while "smtputf8" not in g.client().esmtp_features and time.monotonic() < end:
                time.sleep(0.1)
            self.assertIn("smtputf8", g.client().esmtp_features)

            # what cannot be carried any more is nobody's fault: it is held
            old.offers = ("8BITMIME",)
            time.sleep(7)  # connections from before are not kept for so long
            c = g.client()
            c.mail("a@sender.example", ["SMTPUTF8"])
            c.rcpt("bob@example.org")
            self.assertEqual(c.data(message(1))[0], 250)
            while "cannot take it" not in g.text() and time.monotonic() < end:
                time.sleep(0.1)
            self.assertEqual(g.stop(), 0, g.text())
            self.assertEqual(g.audit(), (1, 1, 1))

    def test_a_first_start_has_nothing_to_tell_of(self):
        with Gateway() as g:
            g.start()
            g.stop()
            self.assertNotIn("index", g.text())
            self.assertNotIn("recovered", g.text())

    def test_a_notification_leaves_by_the_platform_that_is_named(self):
        for via in ("old", "new"):
            old, new = Sink({("RCPT", "bob@example.org"): ["550 5.1.1 no such user"]}), Sink()
            self.addCleanup(old.close)
            self.addCleanup(new.close)
            with self.subTest(via), Gateway(returns_via=via, route_fault="0") as g:
                g.deliver_to(old.port, new.port)
                g.start()
                send(g.client(), 1)
                there = old if via == "old" else new
                end = time.monotonic() + 30
                while not there.messages and time.monotonic() < end:
                    time.sleep(0.05)
                sender, recipients, content = there.messages[0]
                self.assertEqual((sender, recipients), ("", ["a@sender.example"]))
                self.assertRegex(content, rb"(?m)^X-Mailferry-Trace: [0-9a-z]{5}-000002 [0-9a-f]{32}\r$")
                self.assertEqual(g.stop(), 0, g.text())

    def test_an_edge_that_is_killed(self):
        with Gateway() as g:
            g.start()
            c = g.client()
            send(c, 1)
            c.mail("a@sender.example")
            edge = g.edges()[0]
            os.kill(edge, signal.SIGKILL)
            with self.assertRaises((OSError, smtplib.SMTPException)):
                c.noop()
            end = time.monotonic() + 30
            while True:
                try:
                    send(g.client(), 2)
                    break
                except (OSError, smtplib.SMTPException):
                    self.assertLess(time.monotonic(), end)
                    time.sleep(0.05)
            self.assertNotIn(edge, g.edges())
            self.assertEqual(g.stop(), 0)
            self.assertEqual(g.audit(), (2, 2, 0))

    def test_killed_at_every_step(self):
        """What was answered 250 is there; what is sent again after a kill behind the sync gets the first one's id."""
        steps = {  # step: whether the message is durable then
            "edge-begin": False, "edge-piece": False, "edge-finish": False, "keep-finish": False, "keep-appended": False,
            "journal-flush": False, "journal-flushed": True, "keep-durable": True, "keep-answered": True, "edge-answer": True,
        }
        for step, durable in steps.items():
            with self.subTest(step), Gateway() as g:
                g.start()
                send(g.client(), 1)
                g.stop()
                count = 3 if step == "edge-piece" else 1
                if step.startswith("journal"):
                    count = 2  # the first is that the gateway has started
                g.start(MAILFERRY_STEP_KILL=f"{step}:{1 if step.startswith('edge') else count}")
                with self.assertRaises((OSError, smtplib.SMTPException), msg=step):
                    for n in range(2, 20):
                        send(g.client(), 2)
                        if step in ("keep-answered", "edge-answer"):
                            raise smtplib.SMTPServerDisconnected("may have been heard")
                if g.child.poll() is None and step.startswith("edge"):
                    g.stop(signal.SIGKILL)
                else:
                    g.wait()
                held = g.audit()
                if not step.startswith("journal"):
                    self.assertEqual(held[0], 2 if durable else 1, step)
                g.start()
                again = send(g.client(), 2)
                self.assertEqual(again[-6:], "000002", step)
                g.stop()
                self.assertEqual(g.audit()[0], 2, step)

    def test_help_says_what_it_is(self):
        done = subprocess.run([product.PROGRAM, "gateway", "--help"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0)
        self.assertIn("SIGHUP", done.stdout)


if __name__ == "__main__":
    unittest.main()
