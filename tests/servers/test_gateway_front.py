#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Somebody stands in front of mailferry gateway and says who the client is: a real Postfix as a before-queue proxy (XFORWARD), a
proxy that speaks XCLIENT, one that sends a PROXY header. The journal has the client's own address, and whoever told of it."""
import os
import re
import smtplib
import socket
import unittest

import journalbook
import product
import test_gateway
from server import HOST
from test_gateway_targets import Postfix

CLIENT = "127.0.0.77"  # another address of this machine
SMUGGLED = b"MAIL FROM:<evil@client.example>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
ENDS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n", b"\r\n.\r\r\n", b"\r\n.\0\r\n",
        b"\r\n\0.\r\n", b"\r\n. \r\n", b"\n\n.\r\n", b"\r\n..\r\n"]


def rest_of(f):
    """The lines until the other side goes away, however it does."""
    lines = []
    try:
        while line := f.readline():
            lines.append(line)
    except ConnectionResetError:
        pass
    return lines


class Front(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()

    def gateway(self, **keys):
        keys = {"trusted": "127.0.0.1", "domain_route": "example.org=hold", "journal_segment_mib": 4, **keys}
        gateway = test_gateway.Gateway(**keys)
        self.addCleanup(gateway.__exit__)
        return gateway.start()

    def accepted(self, gateway):
        self.assertEqual(gateway.stop(), 0, gateway.text())
        gateway.audit()
        return list(journalbook.Journal(os.path.join(gateway.state, "journal")).messages.values())

    def postfix(self, gateway, more=""):
        postfix = Postfix(f"""virtual_mailbox_domains =
relay_domains = example.org
smtpd_proxy_filter = {HOST}:{gateway.port}
smtpd_proxy_timeout = 20s
smtpd_client_connection_count_limit = 0
{more}""")
        self.addCleanup(postfix.stop)
        return postfix

    def test_postfix_before_the_queue(self):
        gateway = self.gateway()
        postfix = self.postfix(gateway)
        ids = []
        for n in range(3):
            with smtplib.SMTP(HOST, postfix.port, "client.example", timeout=30, source_address=(CLIENT, 0)) as c:
                c.ehlo()
                c.mail(f"s{n}@sender.example", ["SIZE=200"])
                self.assertEqual(c.rcpt("bob@example.org")[0], 250, postfix.messages())
                self.assertEqual(c.rcpt("carol@example.org")[0], 250)
                # whom the gateway does not take is refused to the client at once, by the gateway's words
                code, text = c.rcpt("x@example.net")
                self.assertIn(code, (550, 554), text)
                code, text = c.data(f"Subject: {n}\r\nMessage-ID: <{n}@client.example>\r\n\r\n..dots\r\n.\r\nlast\r\n")
                self.assertEqual(code, 250, text)
                ids.append(re.search(rb"queued as (\S+)", text)[1].decode())
        found = self.accepted(gateway)
        self.assertEqual([message.sender for message in found], [f"s{n}@sender.example" for n in range(3)], postfix.messages())
        self.assertEqual([i[-6:] for i in ids], ["000001", "000002", "000003"])
        for message in found:
            self.assertEqual((message.peer, message.helo), (CLIENT, "client.example"), vars(message))
            self.assertEqual((message.front, message.front_kind), (HOST, 3))
            self.assertEqual(message.recipients, ["bob@example.org", "carol@example.org"])
            self.assertIn(f"[{CLIENT}]".encode(), message.trace)

    def test_s23_nothing_is_smuggled_through_postfix(self):
        """S23: the proxy and we agree about where a message ends; whatever it lets through is one message, or none."""
        gateway = self.gateway()
        postfix = self.postfix(gateway, "smtpd_forbid_bare_newline = no\n")
        sent = 0
        for n, end in enumerate(ENDS):
            with socket.create_connection((HOST, postfix.port), timeout=30, source_address=(CLIENT, 0)) as s:
                f = s.makefile("rb")
                f.readline()
                for line in (b"HELO client.example", f"MAIL FROM:<good{n}@client.example>".encode(), b"RCPT TO:<bob@example.org>", b"DATA"):
                    s.sendall(line + b"\r\n")
                    answer = f.readline()
                self.assertEqual(answer[:3], b"354", answer)
                s.sendall(b"Subject: good\r\n\r\nbody" + end + SMUGGLED)
                s.sendall(b"\r\n.\r\n")
                s.shutdown(socket.SHUT_WR)
                answers = rest_of(f)
            sent += sum(answer.startswith(b"250") and b"queued as" in answer for answer in answers)
        senders = [message.sender for message in self.accepted(gateway)]
        # Where Postfix itself sees an end (bare LFs, by its old default) it starts another transaction with us, as its client asked it
        # to. That is the proxy's decision, told to the client: nothing comes that was not answered.
        self.assertEqual(len(senders), sent, postfix.messages())
        self.assertEqual(len({s for s in senders if s.startswith("good")}), sum(s.startswith("good") for s in senders))

    def test_xclient(self):
        gateway = self.gateway()
        with gateway.client() as c:
            self.assertIn("xclient", c.esmtp_features)
            self.assertEqual(c.docmd("XCLIENT", "NAME=c.example ADDR=IPV6:2001:db8::7 PORT=4711 HELO=other.example PROTO=ESMTP")[0], 220)
            c.ehlo()
            test_gateway.send(c, 1)
        with gateway.client(source_address=(CLIENT, 0)) as c:  # not one of those that may
            self.assertNotIn("xclient", c.esmtp_features)
            self.assertNotIn("xforward", c.esmtp_features)
            self.assertGreaterEqual(c.docmd("XCLIENT", "ADDR=192.0.2.1")[0], 500)
            self.assertGreaterEqual(c.docmd("XFORWARD", "ADDR=192.0.2.1")[0], 500)
            test_gateway.send(c, 2)
        told, own = self.accepted(gateway)
        self.assertEqual((told.peer, told.peer_port, told.front, told.front_kind), ("2001:db8::7", 4711, HOST, 2))
        self.assertEqual((own.peer, own.front, own.front_kind), (CLIENT, "", 0))

    def test_proxy_header(self):
        gateway = self.gateway(proxy="yes")
        with socket.create_connection((HOST, gateway.port), timeout=30) as s:
            f = s.makefile("rb")
            s.sendall(b"PROXY TCP4 192.0.2.9 192.0.2.1 5555 25\r\n")
            for line in (None, b"EHLO c.example", b"MAIL FROM:<a@b.example>", b"RCPT TO:<bob@example.org>", b"DATA", b"Subject: x\r\n\r\n.",
                         b"QUIT"):
                if line:
                    s.sendall(line + b"\r\n")
                answer = f.readline()
                while answer[3:4] == b"-":
                    answer = f.readline()
                self.assertIn(answer[:1], b"23", (line, answer))
        message, = self.accepted(gateway)
        self.assertEqual((message.peer, message.peer_port, message.front, message.front_kind), ("192.0.2.9", 5555, HOST, 1))


if __name__ == "__main__":
    unittest.main(verbosity=2)
