#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mailferry gateway and clients that mean harm, against the running program, in clear and by TLS. S: line ends and smuggling; P: the
order of commands; V: volume. What is proved on the parts alone, with a clock of its own and in every split, is not done again:

    S1-S20, S21, V5     src/smtp/test-data.c           S24-S27 (no BDAT), S28, P3, P4    src/smtp/test-command.c, test-trace.c
    P7 (model), P1, P2, P5, P6, P8, V1, V4, V7, V9     src/smtp/test-server.c, test-server-model.c
    P9, P10             test-server.c, test-client-tls.c, test-client.c, test-reply.c     V6     test-trace.c
    S22, S23            test_gateway_targets.py, test_gateway_front.py"""
import re
import socket
import time
import unittest

import product
from gatewayraw import Raw, Target, gateway, journal, wait_until

SMUGGLED = b"MAIL FROM:<evil@client.example>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nx"

# What follows the body, and the answer to the true end, under line_ends = reject and = normalise.
ENDS = {
    "S1": (b"\n.\n", 550, 250), "S2": (b"\n.\r\n", 550, 250), "S3": (b"\r\n.\n", 550, 250), "S4": (b"\r.\r", 550, 250),
    "S5": (b"\r.\r\n", 550, 250), "S6": (b"\r\n.\r", 550, 250), "S7": (b"\n.\r", 550, 250), "S8": (b"\r.\n", 550, 250),
    "S9": (b"\r\n.\r\r\n", 550, 250), "S10": (b"\r\n.\0\r\n", 550, 550), "S11": (b"\r\n\0.\r\n", 550, 550),
    "S12": (b"\r\n. \r\n", 250, 250), "S13": (b"\n\n.\r\n", 550, 250), "S14": (b"\r\n..\r\n", 250, 250),
    "S15": (b"a\nb\r\n", 550, 250), "S16": (b"a\rb\r\n", 550, 250), "S17": (b"a\r\r\nb\r\n", 550, 250), "S18": (b"a\n\rb\r\n", 550, 250),
    "S19": (b"\r\n..\r\n...\r\n..x\r\n....", 250, 250),
}


def splits(start, length, total):
    """Whole; in single bytes around the sequence; and cut at each place in and beside it."""
    yield ()
    yield tuple(range(start - 1, min(total, start + length + 2)))
    for at in range(start - 1, start + length + 1):
        yield (at,)


def canonical(body):
    """What of a body goes out: unstuffed, and each line end whole."""
    return re.sub(rb"\r*\n|\r", b"\r\n", re.sub(rb"(?:(?<=\r\n)|^)\.", b"", body))


class Robust(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()

    def smuggle(self, tls, policy):
        """One message or none, whatever the split; what the target gets is canonical."""
        target = Target()
        self.addCleanup(target.close)
        made = gateway(self, target.url(), with_tls=tls, line_ends=policy, sessions_per_address=100).start()
        wanted, n = {}, 0
        for name, (end, *codes) in ENDS.items():
            code = codes[policy == "normalise"]
            head = f"Subject: {name}\r\nX-Case: %d\r\n\r\nbody".encode()
            with Raw(made.port, tls) as c:
                body = head + end + SMUGGLED + b"\r\n"
                for cuts in splits(len(head), len(end), len(body)):
                    with self.subTest(name, cuts=cuts, tls=tls, policy=policy):
                        n += 1
                        this = body.replace(b"%d", b"%04d" % n)
                        cuts = [cut + 2 for cut in cuts]
                        c.begin()
                        c.say(this + b".\r\n", cuts)
                        self.assertEqual(c.answer(), code, c.text)
                        self.assertRegex(c.text, rb"^550 5\.6\.\d" if code == 550 else rb"^250 2\.0\.0 ")
                        c.ask(b"NOOP", 250)  # P8: nothing of what was smuggled was answered
                        if code == 250:
                            wanted[n] = canonical(this)
        wait_until(lambda: len(target.taken) == len(wanted), lambda: f"{len(wanted)} messages, {len(target.taken)} came")
        self.assertEqual(made.stop(), 0, made.text())
        for to, content in target.taken:
            number = int(re.search(rb"X-Case: (\d+)", content)[1])
            self.assertEqual(content[content.index(b"Subject:"):], wanted.pop(number))
            self.assertEqual(to, ["bob@example.org"])
        self.assertEqual({m.sender for m in journal(made).messages.values()}, {"good@client.example"})

    def test_s1_to_s19_s21_rejected_in_clear(self):
        self.smuggle(False, "reject")

    def test_s1_to_s19_s21_rejected_in_tls(self):
        self.smuggle(True, "reject")

    def test_s1_to_s19_s21_normalised_in_clear(self):
        self.smuggle(False, "normalise")

    def test_s1_to_s19_s21_normalised_in_tls(self):
        self.smuggle(True, "normalise")

    def test_s20_and_v5_v6_pass_as_they_are(self):
        target = Target()
        self.addCleanup(target.close)
        made = gateway(self, target.url(), max_message="20M").start()
        bodies = {"S20 nothing": b"", "S20 header": b"Subject: x\r\n", "S20 body": b"\r\nbody\r\n", "S20 no blank line": b"just words\r\n"}
        for length in (998, 999, 1000, 1001, 2048, 100000, 4000000):
            bodies[f"V5 header {length}"] = b"X-Long: " + b"x" * (length - 8) + b"\r\n\r\nbody\r\n"
            bodies[f"V5 body {length}"] = b"Subject: x\r\n\r\n" + b"y" * length + b"\r\n"
        bodies["V6 fields"] = b"X-Field: x\r\n" * 100000 + b"\r\n"
        bodies["V6 folded"] = b"X-Folded: a\r\n" + b" b\r\n" * 200000 + b"\r\n"
        bodies["V6 parts"] = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\n" * 100000
        bodies["V9 8 bit"] = b"Subject: \xff\xfe\r\n\r\n\x80\x81\xe4\r\n"
        with Raw(made.port) as c:
            for n, (name, body) in enumerate(bodies.items()):
                c.begin(f"{n}@client.example".encode())
                c.say(body + b".\r\n")
                self.assertEqual(c.answer(), 250, (name, c.text))
        wait_until(lambda: len(target.taken) == len(bodies), "all to be delivered", 60)
        made.stop()
        found = journal(made)
        traces = {m.number: m.trace for m in found.messages.values()}
        self.assertEqual(sorted(traces[n + 1] + body for n, body in enumerate(bodies.values())), sorted(content for _, content in target.taken))

    def test_v6_received_fields_are_a_loop(self):
        target = Target()
        self.addCleanup(target.close)
        made = gateway(self, target.url()).start()
        with Raw(made.port) as c:
            c.begin()
            c.say(b"Received: from a by b; Tue, 1 Dec 2026 12:00:00 +0000\r\n" * 10000 + b"\r\n.\r\n")
            c.expect(250)
        wait_until(lambda: "alarm" in made.text() or "loop" in made.text(), "the alarm")
        made.stop()
        self.assertEqual((made.audit()[2], target.taken), (1, []))

    def test_p1_nothing_is_left_of_a_transaction(self):
        """After each of these RCPT and DATA are out of order, in clear and in TLS."""
        made = gateway(self, "smtp://127.0.0.1:9", with_tls=True, max_message="100K").start()
        long = b"x" * 80 + b"\r\n"

        def transaction(c):
            c.ask(b"MAIL FROM:<a@b.example>", 250)
            c.ask(b"RCPT TO:<bob@example.org>", 250)

        def data(c, body, code):
            transaction(c)
            c.ask(b"DATA", 354)
            c.say(body)
            c.expect(code)

        ends = {
            "accepted": lambda c: data(c, b"Subject: x\r\n\r\n.\r\n", 250),
            "end of data 5xx": lambda c: data(c, b"bare\nLF\r\n.\r\n", 550),
            "too large": lambda c: data(c, long * 2000 + b".\r\n", 552),
            "RSET": lambda c: (transaction(c), c.ask(b"RSET", 250)),
            "EHLO": lambda c: (transaction(c), c.ask(b"EHLO again.example", 250)),
            "HELO": lambda c: (transaction(c), c.ask(b"HELO again.example", 250)),
            "failed MAIL": lambda c: c.ask(b"MAIL FROM:<a@@b>", 553),
            "too large by SIZE": lambda c: c.ask(b"MAIL FROM:<a@b.example> SIZE=1000000", 552),
            "nobody was taken": lambda c: (c.ask(b"MAIL FROM:<a@b.example>", 250), c.ask(b"RCPT TO:<x@elsewhere.example>", 550),
                                           self.assertIn(c.ask(b"DATA"), (503, 554)), c.ask(b"RSET", 250)),
        }
        for tls in (False, True):
            for name, end in ends.items():
                with self.subTest(name, tls=tls), Raw(made.port, tls) as c:
                    end(c)
                    c.ask(b"RCPT TO:<bob@example.org>", 503)
                    c.ask(b"DATA", 503)
                    data(c, b"Subject: next\r\n\r\n.\r\n", 250)
        with self.subTest("STARTTLS"), Raw(made.port) as c:
            c.ask(b"MAIL FROM:<a@b.example>", 250)
            if c.ask(b"STARTTLS") == 220:
                c.start_tls()
            c.ask(b"EHLO client.example", 250)
            c.ask(b"RCPT TO:<bob@example.org>", 503)
            c.ask(b"DATA", 503)
        made.stop()
        self.assertEqual(len(journal(made).messages), 2 * (len(ends) + 1))

    def test_p9_starttls_forgets_what_was_said_before(self):
        made = gateway(self, "smtp://127.0.0.1:9", with_tls=True).start()
        for injected in (b"EHLO evil.example\r\nMAIL FROM:<evil@client.example>\r\n", b"MAI", b"NOOP\r\n", b"\r\n"):
            with self.subTest(injected), Raw(made.port) as c:
                c.say(b"STARTTLS\r\n" + injected)
                if c.answer() != 220:
                    continue
                try:
                    c.start_tls()
                except OSError:
                    continue  # the connection was given up: as good
                c.socket.settimeout(0.3)
                with self.assertRaises((TimeoutError, OSError)):  # nothing was executed, nothing is answered
                    if not c.socket.recv(1):
                        raise OSError
                c.socket.settimeout(30)
                c.file = c.socket.makefile("rb")
                c.ask(b"L FROM:<evil@client.example>" if injected == b"MAI" else b"RCPT TO:<bob@example.org>")
                self.assertIn(c.text[:3], (b"500", b"503"), c.text)
        with Raw(made.port, tls=True) as c:
            self.assertIn(c.ask(b"STARTTLS"), (502, 503, 554))
            c.begin()
            c.say(b"Subject: x\r\n\r\n.\r\n")
            c.expect(250)
        with Raw(made.port) as c:  # a handshake that is none
            c.ask(b"STARTTLS", 220)
            c.say(b"GET / HTTP/1.0\r\n\r\n" * 10)
            self.assertNotIn(b"250", c.rest())
        made.stop()
        self.assertEqual(len(journal(made).messages), 1)

    def test_p5_early_talkers_and_pipelines(self):
        made = gateway(self, "smtp://127.0.0.1:9").start()
        with Raw(made.port) as c:  # a group that may be
            c.say(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<bob@example.org>\r\nRCPT TO:<carol@example.org>\r\nDATA\r\n")
            self.assertEqual([c.answer() for _ in range(4)], [250, 250, 250, 354])
            c.say(b"Subject: x\r\n\r\n.\r\nMAIL FROM:<a@b.example>\r\nQUIT\r\n")
            self.assertEqual([c.answer() for _ in range(3)], [250, 250, 221])
        with Raw(made.port) as c:  # content before it was asked for is no content
            c.say(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: early\r\n\r\nx\r\n.\r\nRSET\r\n")
            said = [c.answer() for _ in range(3)]
            self.assertEqual(said[:2], [250, 250])
            self.assertNotEqual(said[2], 354)
        with Raw(made.port, hello=False) as c:
            c.say(b"EHLO early.example\r\nMAIL FROM:<a@b.example>\r\n")
            self.assertIn(c.answer(), (220, 421, 554))
        made.stop()
        self.assertEqual([m.recipients for m in journal(made).messages.values()], [["bob@example.org", "carol@example.org"]])

    def test_p6_idle_and_wrong_commands_end_it(self):
        made = gateway(self, "smtp://127.0.0.1:9").start()
        for line, most in ((b"NOOP\r\n", 2000), (b"RSET\r\n", 2000), (b"HUH\r\n", 100), (b"VRFY \xc3\xbc\r\n", 2000)):
            with self.subTest(line), Raw(made.port) as c:
                codes = []
                try:
                    for _ in range(most):
                        c.say(line)
                        codes.append(c.answer())
                        if codes[-1] in (421, 0):
                            break
                except OSError:
                    codes.append(0)
                self.assertIn(codes[-1], (421, 0), codes[-3:])
                self.assertIn(421, codes)
        with Raw(made.port) as c:
            c.ask(b"NOOP", 250)

    def test_v2_connections_are_counted(self):
        made = gateway(self, "smtp://127.0.0.1:9", edges=1, sessions_per_address=5, sessions=8).start()
        first = [Raw(made.port) for _ in range(5)]
        with Raw(made.port, hello=False) as c:
            self.assertEqual((c.answer(), c.text[4:9]), (421, b"4.7.0"))
        other = [Raw(made.port, source_address=("127.0.0.5", 0)) for _ in range(3)]
        with Raw(made.port, hello=False, source_address=("127.0.0.6", 0)) as c:
            self.assertEqual((c.answer(), c.text[4:9]), (421, b"4.3.2"))
        first[0].ask(b"QUIT", 221)
        first[0].close()

        def free():
            with Raw(made.port, hello=False) as c:
                return c.answer() == 220

        wait_until(free, "a place")
        for one in first[1:] + other:
            one.ask(b"NOOP", 250)
            one.close()

    def test_v4_recipients(self):
        target = Target()
        self.addCleanup(target.close)
        made = gateway(self, target.url(), max_recipients=100).start()
        with Raw(made.port) as c:
            c.ask(b"MAIL FROM:<a@b.example>", 250)
            codes = []
            for n in range(120):
                c.say(b"RCPT TO:<r%d@example.org>\r\n" % n)
                codes.append(c.answer())
            self.assertEqual(codes, [250] * 100 + [452] * 20)
            self.assertIn(b"4.5.3", c.text)
            c.ask(b"DATA", 354)
            c.say(b"Subject: x\r\n\r\n.\r\n")
            c.expect(250)
            # the same mailbox in many forms is one delivery
            c.ask(b"MAIL FROM:<a@b.example>", 250)
            for to in (b"bob@example.org", b"bob@example.org", b"BOB@Example.ORG", b'"bob"@example.org', b"@relay.example:bob@example.org"):
                c.ask(b"RCPT TO:<" + to + b">", 250)
            c.ask(b"DATA", 354)
            c.say(b"Subject: same\r\n\r\n.\r\n")
            c.expect(250)
        wait_until(lambda: sum(len(to) for to, _ in target.taken) >= 101, "the delivery")
        time.sleep(0.5)
        self.assertEqual(sorted(to for to, content in target.taken if b"same" in content), [["bob@example.org"]])
        self.assertEqual(len({one for to, _ in target.taken for one in to}), 101)
        made.stop()
        journal(made)

    def test_v7_sizes(self):
        made = gateway(self, "smtp://127.0.0.1:9", max_message="100K").start()
        body = b"Subject: x\r\n\r\n" + b"x" * 78 + b"\r\n"
        for size, code in ((102399, 250), (102400, 250), (102401, 552)):
            exact = body + b"y" * (size - len(body) - 2) + b"\r\n"
            for declared, said in ((b"", 250), (b" SIZE=10", 250), (b" SIZE=%d" % size, code)):
                with self.subTest(size, declared=declared), Raw(made.port) as c:
                    if c.ask(b"MAIL FROM:<a@b.example>" + declared) != said:
                        self.fail(c.text)
                    if said != 250:
                        continue
                    c.ask(b"RCPT TO:<bob@example.org>", 250)
                    c.ask(b"DATA", 354)
                    c.say(exact + b".\r\n")
                    self.assertEqual(c.answer(), code, c.text)
                    c.ask(b"NOOP", 250)
        made.stop()
        self.assertEqual({m.size for m in journal(made).messages.values()}, {102399, 102400})

    def test_who_hears_and_goes_may_say_it_again(self):
        """Whoever had the 250 and went away, with QUIT or without, means it if he sends the same again; and the edge knows at once."""
        made = gateway(self, "smtp://127.0.0.1:9", with_tls=True, drain="20s").start()
        for tls in (False, True):
            for again in range(2):
                with Raw(made.port, tls) as c:
                    c.begin()
                    c.say(b"Subject: the same\r\n\r\n.\r\n")
                    c.expect(250)
                time.sleep(0.3)
        began = time.monotonic()
        made.stop()
        self.assertLess(time.monotonic() - began, 4)
        found = journal(made)
        self.assertEqual((len(found.messages), found.suppressed), (4, []))
        self.assertNotIn("unheard", [kind for kind, _ in found.notes])

    def test_v9_nul(self):
        made = gateway(self, "smtp://127.0.0.1:9").start()
        with Raw(made.port) as c:
            c.begin()
            c.say(b"Subject: x\r\n\r\na\0b\r\n.\r\n")
            c.expect(550)
            self.assertIn(b"5.6.", c.text)
            c.say(b"MAIL FROM:<a\0@b.example>\r\n")
            self.assertIn(c.answer(), (500, 501, 553))

    def test_v1_a_byte_now_and_then(self):
        """Slow, but within its time: taken. (The deadlines themselves: test-server.c.)"""
        made = gateway(self, "smtp://127.0.0.1:9", with_tls=True).start()
        for tls in (False, True):
            with Raw(made.port, tls) as c:
                c.begin()
                for byte in b"Subject: slow\r\n\r\n.\r\n":
                    c.say(bytes([byte]))
                    time.sleep(0.03)
                c.expect(250)
        with socket.create_connection(("127.0.0.1", made.port)) as idle:  # somebody else who says nothing harms nobody
            with Raw(made.port) as c:
                c.ask(b"NOOP", 250)
            idle.recv(100)


if __name__ == "__main__":
    unittest.main(verbosity=2)
