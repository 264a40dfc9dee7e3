# SPDX-License-Identifier: Apache-2.0
"""Logs in with mailferry, in every way, and looks for secrets where none may be."""
import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import tempfile
import time
import unittest

import product
from dovecot import Dovecot
from server import Scratch


def token(key, user="alice", seconds=600):
    """A JSON web token (RFC 7519) that lives so long; a negative number: it has expired."""
    def part(p):
        return base64.urlsafe_b64encode(p).rstrip(b"=")

    now = int(time.time())
    text = b".".join(part(json.dumps(p).encode()) for p in (
        {"alg": "HS256", "typ": "JWT"}, {"sub": user, "iat": now - 3600, "exp": now + seconds}))
    return (text + b"." + part(hmac.new(key, text, hashlib.sha256).digest())).decode()


def told(text):
    """The text, and what its words are when they are base64, once and twice."""
    found = [text.encode()]
    for word in re.findall(r"[A-Za-z0-9+/_-]{6,}={0,2}", text):
        try:
            found.append(base64.b64decode(word + "=" * (-len(word) % 4), altchars=None))
        except binascii.Error:
            pass
    return found


class Case(unittest.TestCase):
    """there: where everything would go to. attempt() stops after both logins and the lists of folders."""

    @classmethod
    def setUpClass(cls):
        product.need_program()
        cls.scratch = Scratch()
        cls.addClassCleanup(cls.scratch.remove)
        cls.there = cls.start(Dovecot(tls=False))

    @classmethod
    def start(cls, server):
        cls.addClassCleanup(server.__exit__)
        return server.start()

    def secret_file(self, text, mode=0o600):
        handle, path = tempfile.mkstemp(dir=self.scratch.path)
        with os.fdopen(handle, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        return path

    def attempt(self, url, *options, secrets=(), environment=None):
        """Runs it. What it said, and the transcript, hold none of the secrets in any form."""
        path = os.path.join(self.scratch.path, "transcript")
        if os.path.exists(path):
            os.remove(path)
        self.result = product.copy(
            None, None, options=["--dry-run", "--retries", "0", "--transcript", path, "--to-password-file", self.there.password_file, *options],
            urls=(url, self.there.url()), give_password=False, environment=environment)
        self.transcript = ""
        if os.path.exists(path):
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            with open(path, errors="replace") as f:
                self.transcript = f.read()
        self.assert_secret(self.result.out + self.result.err + self.transcript, secrets)
        return self.result

    def assert_secret(self, text, secrets):
        for piece in told(text):
            for secret in secrets:
                self.assertNotIn(secret.encode(), piece)
            # SCRAM: who reads proof or signature along with the rest can try passwords at leisure
            self.assertNotRegex(piece, rb",p=|^v=")

    def works(self, url, *options, **more):
        result = self.attempt(url, *options, **more)
        self.assertEqual(result.status, 0, f"{result}\n{self.transcript}")
        self.assertEqual(result.err, "")

    def fails(self, status, words, url, *options, quick=True, **more):
        """One sentence of ours, and the status."""
        result = self.attempt(url, *options, **more)
        self.assertRegex(result.err, words)
        self.assertEqual(result.status, status, result)
        self.assertEqual(result.err.count("\n"), 1, result)
        self.assertEqual(result.out, "")
        if quick:
            self.assertLess(result.seconds, 10)
        return result
