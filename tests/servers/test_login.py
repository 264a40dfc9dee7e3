#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every way of logging in, at servers that know it: what works, what a refusal says, and what stays secret."""
import base64
import time
import unittest

import logins
from cyrus import Cyrus
from dovecot import MASTER, Dovecot
from server import PASSWORD, Authority

KEY = b"a key of thirty-two bytes or so.."
ODD = {
    "quotes": '"\'`"', "backslash": "\\\\x\\", "percent": "%u%%20%s", "blanks": " two  blanks ", "colon": "a:b:{PLAIN}",
    "letters": "Pässwörd-日本語-é", "long": "0123456789" * 40, "private": "\ue000 may not be hashed", "brace": "{5}", "equals": "a=2C,b=",
}
PASSDBS = """\
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {oauth}
}}
passdb {{
  driver = static
  mechanisms = external
  args = nopassword
}}
"""
EXTRA = """\
ssl_ca = <{ca}
ssl_verify_client_cert = yes
ssl_require_crl = no
ssl_cert_username_field = commonName
auth_ssl_username_from_cert = yes
"""


def dovecot(scratch, authority):
    """It knows every mechanism that Dovecot has and we do."""
    keys = scratch.folder("keys", "default", "HS256")
    scratch.write("keys/default/HS256/default", base64.b64encode(KEY).decode())
    oauth = scratch.write("oauth2.conf", "introspection_mode = local\nusername_attribute = sub\n"
                          f"local_validation_key_dict = fs:posix:prefix={keys.removesuffix('default/HS256')}\n")
    return Dovecot(authority=authority, users=["alice", *ODD], passwords=ODD, passdbs=PASSDBS.format(oauth=oauth),
                   mechanisms="plain login scram-sha-1 scram-sha-256 oauthbearer xoauth2 external",
                   extra=EXTRA.format(ca=authority.file))


class Login(logins.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = Authority(cls.scratch.folder("ca"))
        cls.server = cls.start(dovecot(cls.scratch, cls.authority))
        cls.plain = cls.start(Dovecot(authority=cls.authority, mechanisms="plain"))

    def logs_in(self, method, *options, server=None, user="alice", url_user=None, password=None):
        server = server or self.server
        before = len(server.messages(1 << 30))
        self.works(server.url(url_user or user, tls=True), "--from-ca-file", self.authority.file, *options,
                   secrets=[password or server.password])
        end = time.monotonic() + 10  # it is written by another process
        while "Login: user=" not in (logged := server.messages(1 << 30)[before:]) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertRegex(logged, rf"Login: user=<{user}>, method={method},.* TLS,")
        self.assertIn("> m", self.transcript)

    # --- passwords ---

    MECHANISMS = ("PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256")

    def test_each_mechanism(self):
        for name in self.MECHANISMS:
            with self.subTest(name):
                self.logs_in(name, "--from-password-file", self.server.password_file, "--from-auth", name)
                self.assertRegex(self.transcript, f"> m\\d+ AUTHENTICATE {name}")

    def test_the_best_is_taken(self):
        self.logs_in("SCRAM-SHA-256", "--from-password-file", self.server.password_file)

    def test_login_command(self):
        self.logs_in("PLAIN", "--from-password-file", self.plain.password_file, "--from-auth", "LOGIN", server=self.plain)
        self.assertRegex(self.transcript, r"> m\d+ LOGIN ")

    def test_odd_passwords(self):
        for user, password in ODD.items():
            for name in ("PLAIN", "LOGIN", "SCRAM-SHA-256"):
                if user == "private" and name == "SCRAM-SHA-256":
                    continue  # RFC 4013 forbids it
                with self.subTest(user=user, mechanism=name):
                    self.logs_in(name, "--from-password-file", self.secret_file(password + "\n"), "--from-auth", name,
                                 user=user, password=password)

    def test_odd_passwords_with_the_login_command(self):
        with Dovecot(authority=self.authority, mechanisms="plain", users=list(ODD), passwords=ODD) as server:
            for user, password in ODD.items():
                with self.subTest(user):
                    self.logs_in("PLAIN", "--from-password-file", self.secret_file(password + "\n"), "--from-auth", "LOGIN",
                                 server=server, user=user, password=password)

    def test_password_that_scram_forbids_goes_another_way(self):
        self.logs_in("PLAIN", "--from-password-file", self.secret_file(ODD["private"]), user="private", password=ODD["private"])

    def test_wrong_password(self):
        file = self.secret_file("not the password")
        for name in (*self.MECHANISMS, None):
            with self.subTest(name):
                way = "" if name else r" with SCRAM-SHA-256 \(--from-auth and --to-auth choose another way\)"
                self.refuses(rf"^mailferry: source 127\.0\.0\.1: login as alice was refused{way}; the server said: "
                             r"\[AUTHENTICATIONFAILED\] Authentication failed\.", "--from-password-file", file,
                             *(["--from-auth", name] if name else []), secrets=["not the password"])

    def test_wrong_password_with_the_login_command(self):
        self.refuses("login as alice was refused; the server said: .*AUTHENTICATIONFAILED", "--from-password-file",
                     self.secret_file("not the password"), "--from-auth", "LOGIN", server=self.plain,
                     secrets=["not the password"])

    def refuses(self, words, *options, server=None, user="alice", secrets=()):
        server = server or self.server
        self.fails(2, words, server.url(user, tls=True), "--from-ca-file", self.authority.file, *options, secrets=secrets)

    def test_unknown_user(self):
        self.refuses("login as nobody was refused", "--from-password-file", self.server.password_file, user="nobody")

    def test_mechanism_that_the_server_lacks(self):
        self.refuses("SCRAM-SHA-256", "--from-password-file", self.plain.password_file, "--from-auth", "SCRAM-SHA-256",
                     server=self.plain, secrets=[PASSWORD])

    def test_mechanism_that_does_not_exist(self):
        self.refuses("ROT13", "--from-password-file", self.plain.password_file, "--from-auth", "ROT13", secrets=[PASSWORD])

    def test_password_file_that_is_empty(self):
        self.refuses("empty|no password|nothing", "--from-password-file", self.secret_file("\nsecond line\n"))

    def test_password_file_that_does_not_exist(self):
        self.refuses("nowhere", "--from-password-file", self.scratch.path + "/nowhere")

    # --- on behalf of others ---

    def test_master_user_in_the_name(self):
        self.logs_in("SCRAM-SHA-256|PLAIN", "--from-password-file", self.server.password_file, url_user="alice*" + MASTER)

    def test_master_user_in_authzid(self):
        for name in ("PLAIN", "SCRAM-SHA-256"):
            with self.subTest(name):
                self.logs_in(name, "--from-password-file", self.server.password_file, "--from-authzid", "alice",
                             "--from-auth", name, url_user=MASTER)

    def test_authzid_without_the_right(self):
        self.refuses("login as alice on behalf of quotes was refused", "--from-password-file", self.server.password_file, "--from-authzid",
                     "quotes")

    # --- tokens ---

    def test_token(self):
        token = logins.token(KEY)
        for name in ("OAUTHBEARER", "XOAUTH2"):
            for option in (("--from-token-file", self.secret_file(token + "\n")),
                           ("--from-token-command", "cat " + self.secret_file(token))):
                with self.subTest(name, option=option[0]):
                    self.logs_in(name, *option, "--from-auth", name, password=token)

    def test_token_that_is_not_liked(self):
        for name in ("OAUTHBEARER", "XOAUTH2"):
            for what, token in (("expired", logins.token(KEY, seconds=-60)), ("forged", logins.token(b"another key")),
                                ("of somebody else", logins.token(KEY, "quotes")), ("no token", "abc")):
                with self.subTest(name, token=what):
                    self.refuses(r"^mailferry: source 127\.0\.0\.1: login as alice: the server refused the OAuth token", "--from-token-file",
                                 self.secret_file(token), "--from-auth", name, secrets=[token])

    def test_token_command_that_fails(self):
        self.refuses("the command for the token ended with status 3", "--from-token-command", "exit 3")

    def test_token_where_none_is_taken(self):
        token = logins.token(KEY)
        self.refuses("OAuth", "--from-token-file", self.secret_file(token), server=self.plain, secrets=[token])

    # --- certificates ---

    def test_client_certificate(self):
        certificate, key = self.authority.certificate(subject="alice")
        self.logs_in("EXTERNAL", "--from-cert-file", certificate, "--from-key-file", key)

    def test_client_certificate_of_another_ca(self):
        other = Authority(self.scratch.folder("other"), "somebody else's CA")
        certificate, key = other.certificate(subject="alice")
        self.refuses("login as alice was refused", "--from-cert-file", certificate, "--from-key-file", key)

    def test_client_certificate_where_none_is_asked_for(self):
        certificate, key = self.authority.certificate(subject="alice")
        self.refuses("EXTERNAL|certificate", "--from-cert-file", certificate, "--from-key-file", key, server=self.plain)

    def test_key_of_another_certificate(self):
        certificate, _ = self.authority.certificate(subject="alice")
        self.refuses("does not belong", "--from-cert-file", certificate, "--from-key-file", self.authority.certificate()[1])


class AtCyrus(logins.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.start(Cyrus(mechanisms="PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256", plaintext="no"))

    def test_each_mechanism(self):
        for name in ("PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", None):
            with self.subTest(name):
                self.works(self.server.url(tls=True), "--from-ca-file", self.server.ca_file, "--from-password-file",
                           self.server.password_file, *(["--from-auth", name] if name else []), secrets=[PASSWORD])
                self.assertIn("AUTHENTICATE " + (name or "SCRAM-SHA-256"), self.transcript)

    def test_plain_is_kept_for_encrypted_connections(self):
        url = self.server.url()
        file = ("--from-password-file", self.server.password_file)
        self.fails(2, "PLAIN", url, *file, "--from-auth", "PLAIN", secrets=[PASSWORD])
        self.works(url, *file, "--from-auth", "PLAIN", "--from-ca-file", self.server.ca_file, secrets=[PASSWORD])
        self.assertIn("STARTTLS", self.transcript)

    def test_wrong_password(self):
        self.fails(2, "source 127.0.0.1: login as alice was refused", self.server.url(tls=True), "--from-ca-file",
                   self.server.ca_file, "--from-password-file", self.secret_file("wrong one"), secrets=["wrong one"])


if __name__ == "__main__":
    unittest.main()
