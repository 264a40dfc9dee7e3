#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where passwords come from and where they must not go: environment, arguments, children, terminal, transcripts."""
import os
import pty
import re
import select
import signal
import socket
import subprocess
import termios
import unittest

import logins
import mailbox
import product
from dovecot import Dovecot
from server import HOST


class Terminal:
    """The program with a terminal of its own."""

    def __init__(self, words):
        self.said = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            for number in (signal.SIGINT, signal.SIGQUIT):  # whoever runs us in the background ignores them
                signal.signal(number, signal.SIG_DFL)
            os.execve(words[0], words, {k: v for k, v in os.environ.items() if not k.startswith("MAILFERRY_")})

    def read(self, seconds=10):
        if not select.select([self.fd], [], [], seconds)[0]:
            raise AssertionError(f"it says no more than {self.said}")
        try:
            data = os.read(self.fd, 4096)
        except OSError:  # EIO: the last writer has gone
            data = b""
        self.said += data
        return data

    def read_until(self, words):
        while words not in self.said:
            if not self.read():
                raise AssertionError(f"it ended with {self.said}")

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def end(self):
        """Its exit status; minus a signal's number."""
        while self.read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Secrets(logins.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.start(Dovecot(tls=False, users=["alice", "bob"]))
        cls.password = cls.server.password

    def test_command(self):
        self.works(self.server.url(), "--from-password-command", "cat " + self.server.password_file, secrets=[self.password])

    def test_command_that_fails(self):
        self.fails(2, "the command for the password ended with status 7", self.server.url(), "--from-password-command", "exit 7")

    def test_command_that_says_nothing(self):
        self.fails(2, "printed nothing", self.server.url(), "--from-password-command", "true")

    def test_environment(self):
        self.works(self.server.url(), environment={"MAILFERRY_FROM_PASSWORD": self.password}, secrets=[self.password])

    def test_no_password(self):
        self.fails(2, "no password for the source: give --from-password-file", self.server.url())

    def test_commands_get_none(self):
        """Neither in their environment nor in their arguments."""
        note = os.path.join(self.scratch.path, "note")
        command = f"env > {note}; tr '\\0' ' ' < /proc/self/cmdline >> {note}; cat {self.server.password_file}"
        for url, option in ((self.server.url(), ("--from-token-command", command)), ("imap+pipe:" + command, ()),
                            (self.server.url(), ("--from-password-command", command))):
            with self.subTest(url):
                product.copy(None, None, urls=(url, self.there.url()), give_password=False, options=[
                    "--dry-run", *option], environment={
                        "MAILFERRY_FROM_PASSWORD": "one secret", "MAILFERRY_TO_PASSWORD": "another secret"})
                with open(note) as f:
                    text = f.read()
                self.assertIn("PATH=", text)
                self.assertEqual(re.findall(".*one secret|.*another secret", text), [])
                os.remove(note)

    def test_while_it_runs(self):
        """What ps and /proc show, and what a crash would leave behind."""
        with socket.create_server((HOST, 0)) as silent:
            port = silent.getsockname()[1]
            child = subprocess.Popen(
                [product.PROGRAM, "copy", "--from", f"imap://alice@{HOST}:{port}", "--to", f"imap://bob@{HOST}:{port}"],
                env={**os.environ, "MAILFERRY_FROM_PASSWORD": "one secret", "MAILFERRY_TO_PASSWORD": "another secret"},
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                with silent.accept()[0]:  # it connects: secrets have been read
                    for name in ("environ", "cmdline"):
                        with open(f"/proc/{child.pid}/{name}", "rb") as f:
                            self.assertNotIn(b"secret", f.read())
                    with open(f"/proc/{child.pid}/limits") as f:
                        self.assertRegex(f.read(), r"Max core file size +0 ")
            finally:
                child.send_signal(signal.SIGINT)
                self.assertEqual(child.wait(10), 3)

    # --- the terminal ---

    def on_terminal(self):
        terminal = Terminal([product.PROGRAM, "copy", "--dry-run", "--from", self.server.url(), "--to", self.there.url(),
                             "--to-password-file", self.there.password_file])
        self.addCleanup(os.close, terminal.fd)
        terminal.read_until(b"Password of imap://alice@")
        self.assertFalse(terminal.echoes())
        return terminal

    def test_prompt(self):
        terminal = self.on_terminal()
        os.write(terminal.fd, self.password.encode() + b"\n")
        self.assertEqual(terminal.end(), 0, terminal.said)
        self.assertNotIn(self.password.encode(), terminal.said)
        self.assertTrue(terminal.echoes())

    def test_wrong_password_at_the_prompt(self):
        terminal = self.on_terminal()
        os.write(terminal.fd, b"mistyped\n")
        self.assertEqual(terminal.end(), 2, terminal.said)
        self.assertIn(b"login as alice was refused", terminal.said)
        self.assertNotIn(b"mistyped", terminal.said)

    def test_ways_out_of_the_prompt(self):
        for key, status in ((b"\x03", -signal.SIGINT), (b"\x1c", -signal.SIGQUIT), (b"\x04", 2), (b"\n", 2)):
            with self.subTest(key):
                terminal = self.on_terminal()
                os.write(terminal.fd, key)
                self.assertEqual(terminal.end(), status, terminal.said)
                self.assertTrue(terminal.echoes())

    def test_killed_at_the_prompt(self):
        terminal = self.on_terminal()
        os.kill(terminal.pid, signal.SIGTERM)
        self.assertEqual(terminal.end(), -signal.SIGTERM)
        self.assertTrue(terminal.echoes())

    # --- transcripts ---

    def test_transcript_has_commands_but_no_mail(self):
        words = b"Only the two of us may read this line.\r\n"
        message = b"Subject: a secret plan\r\n\r\n" + words * 300
        date = b"01-Feb-2024 10:00:00 +0000"
        with mailbox.connect(self.server, "bob") as imap:
            self.assertFalse(imap.append("INBOX", [(b"\\Seen", date, message), (b"", date, message + b"{3}\r\n" + words)]))
        transcript = os.path.join(self.scratch.path, "with-mail")
        result = product.copy(self.server, self.there, "bob", "alice", ["--json", "--transcript", transcript])
        self.assertEqual(result.status, 0, result)
        with open(transcript, errors="replace") as f:
            text = f.read()
        self.assertNotRegex(text, "the two of us|a secret plan")
        for command in ("AUTHENTICATE PLAIN", "LIST", "EXAMINE", "UID FETCH", "APPEND", "LOGOUT"):
            self.assertRegex(text, rf"> m\d+ {command}")
        self.assertRegex(text, r"< m\d+ OK .*APPENDUID")
        self.assertRegex(text, r"\[literal, \d+ bytes\]")
        self.assert_secret(text, [self.password])
        for line in text.splitlines():
            self.assertRegex(line, re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z (source|destination) 127\.0\.0\.1 [<>-] "))


if __name__ == "__main__":
    unittest.main()
