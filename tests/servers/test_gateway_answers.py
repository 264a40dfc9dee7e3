#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mailferry gateway and servers that misbehave (T, P10, D), and mail that goes round in circles (L), against the running program. What
each does to a client alone, with waits of minutes: src/smtp/test-client.c, test-client-tls.c, test-reply.c; to the delivery:
src/gateway/test-courier.c, test-deliver.c. Real servers: test_gateway_targets.py. T10, T16's convergence: src/gateway/test-schedule*.c."""
import concurrent.futures
import hashlib
import re
import smtplib
import ssl
import subprocess
import threading
import time
import unittest

import journalbook
import product
from gatewayraw import HOST, Raw, Target, gateway, journal, wait_until
from scripted import context
from server import Authority, Scratch

MEGABYTE = b"x" * 1000 + b"\r\n"


def hang_up_after(words):
    def act(session):
        session.socket.sendall(words)
        raise EOFError

    return act


def slowly(words, pause):
    def act(session):
        for byte in words[:-2]:
            session.socket.sendall(bytes([byte]))
            time.sleep(pause)
        return words[-2:]

    return act


def wait(seconds):
    return lambda session: time.sleep(seconds)


class Case:
    """script: of the target. to: the recipients of each message. Expected in the end: how many legs are delivered and returned; tries:
    attempts of the leg that had most, at least; twice: how many legs may come twice, flagged."""

    def __init__(self, name, script, to=("bob",), messages=1, returned=0, held=0, tries=1, twice=0, within=15, says=None, **keys):
        self.name, self.script, self.messages, self.says = name, script, messages, says
        self.to = [f"{one}@example.org" for one in to]
        self.returned, self.held, self.tries, self.twice, self.within, self.keys = returned, held, tries, twice, within, keys


GARBAGE = {
    "NUL": b"250 2.1.0 o\0k\r\n", "bare CR": b"250 2.1.0 o\rk\r\n", "a megabyte in a line": b"250 " + b"x" * (1 << 20) + b"\r\n",
    "a megabyte of lines": b"".join([b"250-" + MEGABYTE] * 1000) + b"250 ok\r\n", "mixed codes": b"250-2.1.0 yes\r\n550 5.1.0 no\r\n",
    "no code": b"hello there\r\n", "multi-line without end": b"".join([b"250-more\r\n"] * 20000), "binary": bytes(range(256)) + b"\r\n",
    "hung up in the middle": hang_up_after(b"250-2.1"),
}

CASES = [
    Case("T1 at the greeting", {"greeting": [b"421 4.3.2 too many\r\n"]}, tries=1),
    Case("T1 at EHLO", {"EHLO": [b"421 4.3.2 not now\r\n"]}, tries=1),
    Case("T1 at MAIL", {"MAIL": [b"421 4.3.2 not now\r\n"]}, tries=2),
    Case("T1 at RCPT", {"RCPT": [b"421 4.3.2 not now\r\n"]}, tries=2),
    Case("T1 at DATA", {"DATA": [b"421 4.3.2 not now\r\n"]}, tries=2),
    Case("T1 after the dot", {"dot": [b"421 4.3.2 not now\r\n"]}, tries=2),
    Case("T1 after some messages", {"MAIL": [b"250 2.1.0 ok\r\n"] * 3 + [b"421 4.7.0 so many and no more\r\n"]}, messages=8),
    Case("T2", {"MAIL": [b"451 4.7.500 Server busy\r\n"] * 2}, tries=2),
    Case("T3", {"RCPT": [b"250 2.1.5 ok\r\n"] * 5 + [b"452 4.5.3 too many\r\n"] * 15}, to=[f"r{n}" for n in range(20)], within=6),
    Case("T4", {"RCPT bob@example.org": [b"432 4.3.2 this mailbox is busy\r\n"]}, to=("bob", "carol"), tries=2),
    Case("T5", {"RCPT bob@example.org": [b"450 4.2.1 too fast\r\n"]}, to=("bob", "carol"), tries=2, within=70),
    Case("T6", {"RCPT bob@example.org": [b"552 5.2.2 mailbox full\r\n"]}, to=("bob", "carol"), returned=1, says=b"5.2.2"),
    Case("T7", {"RCPT bob@example.org": [b"550 5.1.1 no such user\r\n"]}, to=("bob", "carol"), held=1, route_fault="1h"),
    Case("T8", {"RCPT carol@example.org": [b"450 4.3.0 later\r\n"], "RCPT dave@example.org": [b"550 5.7.1 never\r\n"]},
         to=("bob", "carol", "dave", "erna"), returned=1, tries=2, says=b"5.7.1"),
    Case("5xx after the dot", {"dot": [b"554 5.6.0 I do not like it\r\n"]}, to=("bob", "carol"), returned=2, says=b"5.6.0"),
    Case("T9 before the dot", {"DATA": [None]}, tries=2),
    Case("T9 after 354", {"DATA": [hang_up_after(b"354 go on\r\n")]}, tries=2, within=60),
    Case("T9 after the dot, kept", {"dot": [lambda session: hang_up_after(b"")(session)]}, tries=2, twice=1, within=60),
    Case("T11", {"dot": [b"250 2.0.0 taken\r\n250 2.0.0 taken\r\n"] * 2}, messages=4),
    Case("T12", {"dot": [b"250\r\n"]}),
    Case("T14", {"greeting": [slowly(b"220 target\r\n", 0.1)], "dot": [slowly(b"250 2.0.0 taken\r\n", 0.1)]}),
    Case("T15", {"dot": [b"250 9.99.9999.9 \xff\xfe ok\r\n"]}),
    Case("T15 refusal", {"RCPT": [b"550 x.y.z no\r\n"]}, returned=1, says=b"5."),
    Case("a slow banner", {"greeting": [wait(2)]}),
    Case("P10 an answer before the dot", {"DATA": [b"354 go on\r\n250 2.0.0 taken already\r\n"]}, tries=2, within=60, twice=1),
]
CASES += [Case(f"P10 {name} at {place}", {place: [words]}) for place in ("greeting", "EHLO", "MAIL", "DATA") for name, words in GARBAGE.items()]
CASES += [Case(f"P10 {name} at the dot", {"dot": [words]}, twice=1, within=60) for name, words in GARBAGE.items() if name in ("NUL", "no code")]


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()

    def target(self, *args, **more):
        target = Target(*args, **more)
        self.addCleanup(target.close)
        return target

    def send(self, made, n, to, sender="s@sender.example", head=""):
        with smtplib.SMTP(HOST, made.port, "client.example", timeout=30) as c:
            c.sendmail(sender, to, f"{head}Subject: {n}\r\nMessage-ID: <{n}@client.example>\r\n\r\n{n}\r\n")

    def one_case(self, case):
        """What is wrong, or nothing."""
        target, old = self.target(case.script), self.target()
        made = gateway(self, target.url(), old.url(), **case.keys).start()
        for n in range(case.messages):
            self.send(made, n, case.to)
        legs = case.messages * len(case.to)
        delivered = legs - case.returned - case.held
        end = time.monotonic() + case.within
        while True:
            found = journal(made)
            ends = {fate: len([leg for leg in found.ending(fate) if not found.messages[leg[0]].dsn_for])
                    for fate in (journalbook.DELIVERED, journalbook.IS_RETURNED, journalbook.HELD)}
            if ends == {journalbook.DELIVERED: delivered, journalbook.IS_RETURNED: case.returned, journalbook.HELD: case.held} and \
                    (not case.returned or old.taken):
                break
            if time.monotonic() > end:
                return f"{found.legs}\n{target.visits}\n{made.text()}"
            time.sleep(0.1)
        if made.stop():
            return made.text()
        came = {}
        for to, content in target.taken:
            if not re.search(rb"\nSubject: (\d+)", content):
                return f"{content} came"
            subject = re.search(rb"\nSubject: (\d+)", content)[1]
            for one in to:
                came[subject, one] = came.get((subject, one), 0) + 1
        flagged = sum(found.flagged.values())
        if len(came) != delivered or max(came.values(), default=1) > 1 + bool(case.twice):
            return f"{came} came"
        if sum(n - 1 for n in came.values()) > flagged:
            return f"came twice and is not flagged: {came}, {found.flagged}"
        if flagged > case.twice and case.name != "T9 after 354":
            return f"{flagged} are flagged"
        if max(found.attempts.values()) < case.tries:
            return f"attempts: {found.attempts}"
        if case.says and not any(re.search(rb"\nStatus: " + re.escape(case.says), content) for _, content in old.taken):
            return f"the notification does not say {case.says}: {old.taken}"
        if case.held and "alarm" not in made.text() and "route-fault" not in made.text():
            return "no alarm"
        return None

    def test_whatever_a_server_says(self):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            cases = sorted(CASES, key=lambda case: -case.within)  # the long ones first
            for case, wrong in zip(cases, pool.map(self.one_case, cases)):
                with self.subTest(case.name):
                    self.assertIsNone(wrong)

    # --- TLS

    def tls(self, script=None, **keys):
        """(gateway, target with a certificate of its own, the certificate's file)"""
        scratch = Scratch()
        self.addCleanup(scratch.remove)
        authority = Authority(scratch.folder("ca"))
        certificate, key = authority.certificate(["IP:127.0.0.1"])
        target = self.target(script, context=context(certificate, key))
        made = gateway(self, target.url(), **keys)
        return made, target, authority.file, certificate

    def try_tls(self, comes, script=None, how="opportunistic", more="", ca=False, pin=False):
        made, target, authority, certificate = self.tls(script, tls=how, more=more)
        with open(made.config) as f:
            text = f.read()
        if ca:
            text = text.replace(f"smtp_tls = {how}", f"smtp_tls = {how}\nca_file = {authority}")
        if pin:
            with open(certificate) as f:
                digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).hexdigest() if pin is True else pin
            text = text.replace(f"smtp_tls = {how}", f"smtp_tls = {how}\nsmtp_pin = sha256:{digest}")
        with open(made.config, "w") as f:
            f.write(text)
        made.start()
        self.send(made, 1, ["bob@example.org"])
        if comes:
            wait_until(lambda: target.taken, lambda: made.text())
        else:
            time.sleep(3)
            self.assertEqual(target.taken, [])
        self.assertEqual(made.stop(), 0, made.text())
        found = journal(made)
        self.assertEqual(len(found.ending(journalbook.DELIVERED if comes else journalbook.OPEN)), 1)
        return target

    def test_t13_tls_of_the_target(self):
        self.try_tls(True, {"STARTTLS": [b"454 4.7.0 not now\r\n"] * 50})
        self.try_tls(False, {"STARTTLS": [b"454 4.7.0 not now\r\n"] * 50}, how="verified", ca=True)
        self.try_tls(True)
        self.try_tls(True, how="verified", ca=True)
        self.try_tls(False, how="verified")
        self.try_tls(True, how="pinned", pin=True)
        self.try_tls(False, how="pinned", pin="00" * 32)

    def test_p10_injected_behind_starttls(self):
        for words in (b"220 go on\r\n250 2.0.0 injected\r\n", b"220 go on\r\n250-mx\r\n250 8BITMIME\r\n"):
            self.try_tls(False, {"STARTTLS": [words] * 50}, how="verified", ca=True)

    # --- hosts

    def test_t16_d2_one_host_never_greets(self):
        silent, good = self.target({"greeting": [wait(600)] * 1000}), self.target()
        made = gateway(self, f"{silent.url()} {good.url()}").start()
        for n in range(30):
            self.send(made, n, ["bob@example.org"])
        wait_until(lambda: len(good.taken) >= 15, lambda: f"{len(good.taken)} came")
        for n in range(30, 60):
            self.send(made, n, ["bob@example.org"])
        wait_until(lambda: len(good.taken) >= 35, lambda: f"{len(good.taken)} came")
        self.assertLessEqual(silent.connections, 25)

    def test_d1_a_name_that_is_none_is_no_reason_to_return_mail(self):
        made = gateway(self, "smtp://no-such-host.invalid").start()
        self.send(made, 1, ["bob@example.org"])
        time.sleep(3)
        made.stop()
        found = journal(made)
        self.assertEqual((len(found.messages), len(found.ending(journalbook.OPEN))), (1, 1))

    # --- loops

    def held(self, made, most):
        """The mail ends held, with an alarm, after at most so many rounds."""
        wait_until(lambda: made.audit()[2] > 0, lambda: made.text())
        time.sleep(1.5)
        self.assertEqual(made.stop(), 0)
        found = journal(made)
        self.assertLessEqual(len(found.messages), most)
        self.assertIn("loop", made.text())
        self.assertEqual(found.ending(journalbook.IS_RETURNED), [])

    def relay(self, change=lambda content: content, to=lambda one: one, most=100):
        """A target that sends all it takes to `relay.port`, as another platform's forward does."""
        target = self.target()

        def run():
            done = 0
            while done < most:
                if len(target.taken) == done:
                    time.sleep(0.01)
                    continue
                recipients, content = target.taken[done]
                done += 1
                with smtplib.SMTP(HOST, target.back, "platform.example", timeout=30) as c:
                    c.sendmail("s@sender.example", [to(one) for one in recipients], change(content))

        target.start = lambda port: (setattr(target, "back", port), threading.Thread(target=run, daemon=True).start())
        return target

    def test_l1_a_platform_that_sends_it_back(self):
        relay = self.relay()
        made = gateway(self, relay.url()).start()
        relay.start(made.port)
        self.send(made, 1, ["bob@example.org"])
        self.held(made, 4)

    def test_l4_two_gateways(self):
        first, second = gateway(self, "smtp://127.0.0.1:9"), gateway(self, "smtp://127.0.0.1:9")
        for made, other in ((first, second), (second, first)):
            with open(made.config) as f:
                text = f.read().replace("[platform new]\nsmtp = smtp://127.0.0.1:9", f"[platform new]\nsmtp = smtp://{HOST}:{other.port}")
            with open(made.config, "w") as f:
                f.write(text)
        first.start()
        second.start()
        self.send(first, 1, ["bob@example.org"])
        wait_until(lambda: first.audit()[2] + second.audit()[2] > 0, lambda: first.text() + second.text())
        self.assertLessEqual(first.audit()[0] + second.audit()[0], 8)

    def test_l5_a_list_that_changes_the_message_id(self):
        rounds = iter(range(1000))
        relay = self.relay(lambda content: re.sub(rb"Message-ID: <\S+>", b"Message-ID: <again.%d@list.example>" % next(rounds), content))
        made = gateway(self, relay.url()).start()
        relay.start(made.port)
        self.send(made, 1, ["bob@example.org"])
        self.held(made, 4)

    def test_l6_a_platform_that_strips_our_fields(self):
        def strip(content):
            return content[content.index(b"Subject:"):]

        relay = self.relay(strip)
        made = gateway(self, relay.url()).start()
        relay.start(made.port)
        self.send(made, 1, ["bob@example.org"])
        self.held(made, 8)

    def test_l7_a_second_visit_is_none(self):
        """The old platform forwards what it got for a user who has just moved."""
        relay, new = self.relay(most=1), self.target()
        made = gateway(self, new.url(), relay.url(), domain_route="example.org=old").start()
        relay.start(made.port)
        self.send(made, 1, ["bob@example.org"])
        wait_until(lambda: made.audit()[0] >= 2, "the forward", 10)
        subprocess.run([product.PROGRAM, "route", "set", "new", "bob@example.org", "--config", made.config], check=True, capture_output=True)
        self.send(made, 2, ["bob@example.org"])
        wait_until(lambda: any(b"Subject: 2" in content for _, content in new.taken), "the new platform")
        time.sleep(1)
        self.assertEqual(made.audit()[2], 0, made.text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
