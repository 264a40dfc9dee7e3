#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Other ways to a server than a bare connection: compressed, and through the pipe of a command."""
import os
import re
import shlex
import unittest

import logins
import mailbox
import product
from cyrus import Cyrus
from dovecot import Dovecot
from server import Authority, service_user

FAR = "127.1"  # written like this it is not recognised as this machine


class Compressed(logins.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = Authority(cls.scratch.folder("ca"))
        common = dict(authority=cls.authority, names=["DNS:" + FAR, "IP:127.0.0.1"])
        cls.dovecot = cls.start(Dovecot(layout="inbox", compress=True, users=["alice", "bob"], **common))
        cls.cyrus = cls.start(Cyrus(**common))
        mailbox.load(mailbox.make(seed=11, count=150, largest=60000, hard=False), cls.dovecot, "alice")

    def copies(self, source, there, user, to):
        transcript = self.secret_file("")
        urls = (source.url(user, host=FAR), there.url(to, host=FAR))
        result = product.copy(source, there, user, to, ["--json", "--compress", "--ca-file", self.authority.file,
                                                        "--transcript", transcript], urls=urls)
        product.check(self, result, source, there, user, to)
        with open(transcript, errors="replace") as f:
            text = f.read()
        for side in ("source", "destination"):
            self.assertRegex(text, rf"{side} {FAR} > m\d+ COMPRESS DEFLATE")
            answered = re.search(rf"(?s){side} {FAR} < m\d+ OK [^\n]*(DEFLATE|[Cc]ompress)[^\n]*\n(.*)", text)
            self.assertTrue(answered, text[:3000])
            self.assertRegex(answered.group(2), rf"{side} {FAR} > m\d+ (UID FETCH|APPEND) ")
            self.assertRegex(answered.group(2), rf"{side} {FAR} < m\d+ OK ")
        self.assertTrue(text.replace("\n", "").isprintable())

    def test_there_and_back(self):
        self.copies(self.dovecot, self.cyrus, "alice", "alice")
        self.copies(self.cyrus, self.dovecot, "alice", "bob")


class Pipe(logins.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.start(Dovecot(tls=False, users=["alice", "bob"]))
        mailbox.load(mailbox.make(seed=12, count=40, largest=20000, hard=False), cls.server, "alice")

    def url(self, server, user):
        """Dovecot's imap, which takes whoever starts it for logged in."""
        name, group = service_user()
        words = ["env", "USER=" + user, "HOME=" + server.home(user), "/usr/lib/dovecot/imap", "-c", server.config]
        if os.getuid() == 0:
            words = ["setpriv", "--reuid=" + name, "--regid=" + group, "--clear-groups", *words]
        return "imap+pipe:" + shlex.join(words)

    def test_source(self):
        result = product.copy(self.server, self.there, urls=(self.url(self.server, "alice"), self.there.url()),
                              options=["--json", "--to-password-file", self.there.password_file], give_password=False)
        product.check(self, result, self.server, self.there)

    def test_destination(self):
        os.makedirs(self.server.home("bob"), exist_ok=True)
        os.chown(self.server.home("bob"), *(os.stat(self.server.home("alice"))[i] for i in (4, 5)))
        result = product.copy(self.server, self.server, "alice", "bob", give_password=False, urls=(
            self.url(self.server, "alice"), self.url(self.server, "bob")))
        product.check(self, result, self.server, self.server, "alice", "bob")

    def test_command_that_does_not_exist(self):
        result = self.attempt("imap+pipe:/nowhere/imap")
        self.assertRegex(result.err, r"mailferry: source .*/nowhere/imap.*(127|not found)")
        self.assertEqual(result.status, 2, result)

    def test_command_that_fails(self):
        result = self.attempt("imap+pipe:exit 5")
        self.assertRegex(result.err, "mailferry: source .*exit 5")
        self.assertIn(result.status, (2, 3), result)

    def test_server_that_wants_a_login(self):
        self.fails(2, "source .*wants a login.*PREAUTH", "imap+pipe:printf '* OK hello\\r\\n'; read a; printf '* CAPABILITY IMAP4rev1\\r\\n"
                   "m1 OK done\\r\\n'; cat")


if __name__ == "__main__":
    unittest.main()
