#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS that must not be trusted, or is none, or binds a login to its channel: one sentence that says which."""
import ssl
import subprocess
import unittest

import logins
import scripted
from dovecot import Dovecot
from server import HOST, Authority, free_ports, give

FAR = "127.1"  # written like this it is not recognised as this machine


def self_signed(folder):
    cert, key = folder + "/self.pem", folder + "/self.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3",
                    "-subj", "/CN=self", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, stdin=subprocess.DEVNULL, capture_output=True)
    give(key)
    return cert, key


class Tls(logins.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.scratch.folder("ca")
        cls.authority = Authority(cls.folder)
        cls.server = cls.start(Dovecot(authority=cls.authority, names=["IP:127.0.0.1", "DNS:" + FAR]))
        cls.secret = ("--from-password-file", cls.server.password_file)
        cls.ca = ("--from-ca-file", cls.authority.file)

    def front(self, certificate, key, back=True, log_in=None, **more):
        made = scripted.Front(scripted.context(certificate, key, **more), self.server if back else None, log_in)
        self.addCleanup(made.__exit__)
        return made

    def refuses(self, words, url, *options, status=2, **more):
        """A word about TLS, and no password on the wire."""
        result = self.fails(status, r"^mailferry: source 127\.", url, *self.secret, *options,
                            secrets=[self.server.password], **more)
        self.assertRegex(result.err, words)
        self.assertNotRegex(self.transcript, "source.*> .*(AUTHENTICATE|LOGIN )")

    def both_ways(self, words, *options):
        """With TLS from the first byte, and with STARTTLS."""
        for url in (self.server.url(tls=True), self.server.url(host=FAR)):
            with self.subTest(url[:6]):
                self.refuses(words, url, *options)

    def test_good(self):
        for url in (self.server.url(tls=True), self.server.url(host=FAR), self.server.url()):
            self.works(url, *self.secret, *self.ca)

    def test_unknown_ca(self):
        self.both_ways(r"the certificate of .* comes from 'mailferry test CA', which is not among the CAs")

    def test_another_ca(self):
        other = Authority(self.scratch.folder("other"), "somebody else's CA")
        self.both_ways("which is not among the CAs", "--ca-file", other.file)

    def test_wrong_name(self):
        front = self.front(*self.authority.certificate(["DNS:mail.example.org"]))
        self.refuses(r"is for mail\.example\.org, not for 127\.0\.0\.1", front.url(), *self.ca)
        self.works(front.url(), *self.secret, "--from-tls-unverified")

    def test_expired(self):
        front = self.front(*self.authority.certificate(days=-1))
        self.refuses(r"expired on \d{4}-\d\d-\d\d", front.url(), *self.ca)
        self.works(front.url(), *self.secret, "--from-tls-unverified")

    def test_self_signed(self):
        certificate, key = self_signed(self.folder)
        front = self.front(certificate, key)
        self.refuses("is self-signed", front.url())
        self.works(front.url(), *self.secret, "--ca-file", certificate)
        self.works(front.url(), *self.secret, "--from-tls-unverified")

    def test_unverified_is_for_one_side_only(self):
        self.refuses("not among the CAs", self.server.url(tls=True), "--to-tls-unverified")

    def test_old_version(self):
        v = ssl.TLSVersion
        front = self.front(*self.authority.certificate(), newest=v.TLSv1_1, oldest=v.TLSv1)
        self.refuses("no TLS version in common", front.url(), *self.ca)

    def test_plain_port(self):
        self.refuses("does not speak TLS on this port.*the server said: .* OK ", f"imaps://alice@{HOST}:{self.server.port}",
                     *self.ca)

    def test_tls_port(self):
        url = f"imap://alice@{HOST}:{self.server.tls_port}"
        self.refuses("speaks TLS from the start: write imaps://", url, *self.ca, "--timeout", "0.5")
        self.refuses("said nothing on port .* imaps://", url, "--timeout", "0.5", status=3)

    def test_nobody_listens(self):
        self.refuses("[Cc]onnection refused", f"imaps://alice@{HOST}:{free_ports(1)[0]}", status=3)

    def test_hangs_up_in_the_handshake(self):
        front = scripted.Front(None)
        self.addCleanup(front.__exit__)
        self.refuses("closed the connection during the TLS handshake|reset", front.url(), status=3)

    def test_no_starttls_on_the_way_to_another_machine(self):
        with Dovecot(tls=False) as server:
            self.refuses("does not offer STARTTLS", server.url(host=FAR))
            self.works(server.url(host=FAR), *self.secret, "--from-plaintext")

    # --- channel binding ---

    def bound(self, flaw=None, plus=True, other=None, old=True, password=None):
        certificate, key = self.authority.certificate()
        more = dict(newest=ssl.TLSVersion.TLSv1_2, options=scripted.NO_EXTENDED_MASTER_SECRET) if old else {}
        log_in = scripted.Scram("alice", password or self.server.password, scripted.fingerprint(other or certificate),
                                flaw=flaw, plus=plus)
        return self.front(certificate, key, log_in=log_in, **more)

    def test_bound_to_the_certificate(self):
        front = self.bound()
        self.works(front.url(), *self.secret, *self.ca, secrets=[self.server.password])
        self.assertEqual(front.seen, ["SCRAM-SHA-256-PLUS"])
        self.works(front.url(), *self.secret, *self.ca, "--from-auth", "SCRAM-SHA-256-PLUS")

    def test_somebody_in_between(self):
        """He has a certificate that we trust, and hands our login on to the server, which sees his."""
        front = self.bound(other=self.server.certificate)
        self.fails(2, "the TLS channel it sees is not ours.*channel-bindings-dont-match", front.url(), *self.secret, *self.ca)

    def test_server_that_does_not_know_the_password(self):
        front = self.bound(flaw="signature")
        self.fails(2, "the server does not know the password", front.url(), *self.secret, *self.ca)

    def test_binding_that_the_server_does_not_know(self):
        front = self.bound(flaw="unsupported", old=False)
        self.fails(2, "does not know our kind of channel binding", front.url(), *self.secret, *self.ca)
        self.assertEqual(front.seen, ["SCRAM-SHA-256-PLUS"])

    def test_without_binding(self):
        front = self.bound(plus=False)
        self.works(front.url(), *self.secret, *self.ca)
        self.assertEqual(front.seen, ["SCRAM-SHA-256"])


if __name__ == "__main__":
    unittest.main()
