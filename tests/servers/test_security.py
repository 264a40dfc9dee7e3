#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS and login against real servers: what must work, what must fail before a password or a message moves."""
import re
import unittest

import mailbox
import product
from dovecot import MASTER, Dovecot
from server import Authority, Scratch


class Security(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()
        cls.scratch = Scratch()
        cls.addClassCleanup(cls.scratch.remove)
        cls.authority = Authority(cls.scratch.folder("ca"))
        cls.other = Authority(cls.scratch.folder("other"), "somebody else's CA")
        cls.source = cls.start(Dovecot(layout="inbox", authority=cls.authority))
        cls.there = cls.start(Dovecot(authority=cls.authority, users=[f"user{i}" for i in range(20)]))
        cls.elsewhere = cls.start(Dovecot(authority=cls.authority, names=["DNS:mail.example.org"]))
        cls.box = mailbox.make(seed=3, count=20, largest=20000, hard=False)
        for server in (cls.source, cls.elsewhere):
            mailbox.load(cls.box, server, "alice")
        cls.fresh = iter(cls.there.users)

    @classmethod
    def start(cls, server):
        cls.addClassCleanup(server.__exit__)
        return server.start()

    def copies(self, source, *options, tls=False, user="alice", encrypted=False):
        """The copy is right, and its logins at the source were, or were not, over TLS."""
        to = next(self.fresh)
        before = len(source.messages(1 << 30))
        result = product.copy(source, self.there, user, to, ["--json", *options],
                              urls=(source.url(user, tls=tls), self.there.url(to, tls=tls)))
        logins = re.findall(r"(?m)^.*Login: user=.*$", source.messages(1 << 30)[before:])
        self.assertTrue(logins, result)
        self.assertEqual({", TLS," in line for line in logins}, {encrypted}, logins)
        product.check(self, result, source, self.there, "alice", to)

    def fails(self, source, words, *options, url=None, **more):
        to = next(self.fresh)
        result = product.copy(source, self.there, "alice", to, options, urls=(url or source.url(), self.there.url(to)), **more)
        self.assertNotIn(result.status, (0, 1), result)
        self.assertRegex(result.err, words)
        self.assertNotIn(source.password, result.out + result.err)
        with mailbox.connect(self.there, to) as imap:
            self.assertEqual([n for n, _, _ in imap.list()], ["INBOX"])
        return result

    def test_imaps(self):
        self.copies(self.source, "--ca-file", self.authority.file, tls=True, encrypted=True)

    def test_starttls_when_a_ca_is_given(self):
        self.copies(self.source, "--ca-file", self.authority.file, encrypted=True)

    def test_plain_on_loopback(self):
        self.copies(self.source)

    def test_unknown_ca(self):
        self.fails(self.source, "(?i)certificate", url=self.source.url(tls=True))

    def test_wrong_ca(self):
        self.fails(self.source, "(?i)certificate", "--ca-file", self.other.file, url=self.source.url(tls=True))

    def test_wrong_ca_with_starttls(self):
        self.fails(self.source, "(?i)certificate", "--ca-file", self.other.file)

    def test_wrong_host_name(self):
        self.fails(self.elsewhere, "(?i)certificate|name", "--ca-file", self.authority.file, url=self.elsewhere.url(tls=True))

    def test_missing_ca_file(self):
        self.fails(self.source, "nowhere.pem", "--ca-file", "nowhere.pem", url=self.source.url(tls=True))

    def test_wrong_password(self):
        file = self.scratch.write("wrong", "not the password\n")
        result = self.fails(self.source, "(?i)login|password|auth", "--from-password-file", file)
        self.assertNotIn("not the password", result.err)

    def test_unknown_user(self):
        self.fails(self.source, "(?i)login|password|auth", url=self.source.url("nobody"))

    def test_password_from_the_environment(self):
        to = next(self.fresh)
        result = product.copy(self.source, self.there, "alice", to, [], give_password=False, environment={
            "MAILFERRY_FROM_PASSWORD": self.source.password, "MAILFERRY_TO_PASSWORD": self.there.password})
        self.assertEqual(result.status, 0, result)

    def test_master_user_in_authzid(self):
        self.copies(self.source, "--from-authzid", "alice", user=MASTER)

    def test_master_user_in_the_name(self):
        self.copies(self.source, user="alice%2A" + MASTER)


if __name__ == "__main__":
    unittest.main()
