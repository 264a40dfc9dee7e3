#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An administrator's password that is wrong is tried a few times and not once for each mailbox, by however many
processes; passwords of single mailboxes that are wrong stop nobody else."""
import os
import re
import subprocess
import tempfile
import unittest

import compare
import product
from dovecot import MASTER, Dovecot
from server import HOST

COUNT = 12
USERS = [f"s{i:02}" for i in range(1, COUNT + 1)]


class SharedLogins(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()
        cls.server = Dovecot(users=USERS + [f"{run}{user}" for run in ("new", "own", "some") for user in USERS], tls=False,
                             connections=200, extra="auth_verbose = yes\n", passwords={user: "changed" for user in USERS[:4]})
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.server.scratch.remove()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mailferry-shared-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.config = os.path.join(self.folder, "mailferry.conf")
        self.secret("secret", "wrong")
        self.before = self.refused()

    def secret(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text + "\n")
        os.chmod(path, 0o600)

    def refused(self):
        """How often the server refused a login so far."""
        with open(os.path.join(self.server.scratch.path, "log")) as f:
            return len(re.findall(r"Password mismatch|unknown user", f.read()))

    def configure(self, old, columns="", rows=lambda user: "", run="new"):
        with open(self.config, "w") as f:
            f.write(f"[mailferry]\nmailboxes = list.csv\nstate = state\n[platform old]\nurl = imap://{HOST}:{self.server.port}\n"
                    f"{old}\n[platform new]\nurl = imap://{HOST}:{self.server.port}\npassword_file = {self.server.password_file}\n")
        with open(os.path.join(self.folder, "list.csv"), "w") as f:
            f.write(f"address,old_login,new_login{columns}\n")
            f.writelines(f"{user}@example.org,{user},{run}{user}{rows(user)}\n" for user in USERS)

    def run_it(self, *words, status):
        result = subprocess.run([product.PROGRAM, *words, "--config", self.config], capture_output=True, text=True, timeout=120)
        self.assertEqual(result.returncode, status, result)
        return result

    def assertGivenUp(self, result, key="password_file of [platform old]"):
        said = [line for line in result.stderr.splitlines() if "was refused 3 times in a row" in line]
        self.assertEqual(len(said), 1, result)
        self.assertRegex(said[0], rf"^mailferry: source {HOST}: login as \S*{MASTER} was refused .* for s\d\d@example.org; "
                                  r"nobody else tries it in this run, so that the account is not locked: check ")
        self.assertIn(f"check {key}", said[0])
        self.assertEqual(self.refused() - self.before, 3)

    def test_administrator(self):
        """As authentication identity; then the password is mended, and the same command does it all."""
        self.configure(f"login = {MASTER}\nauthzid = {{login}}\npassword_file = secret")
        result = self.run_it("copy", status=3)
        self.assertGivenUp(result)
        self.assertRegex(result.stdout, r"Failed \(3\)")
        self.assertIn("9 mailboxes were not reached or not finished: the same command goes on, once what it was given "
                      "up for is mended.", result.stdout)
        with open(self.server.password_file) as f:
            self.secret("secret", f.readline().strip())
        self.run_it("copy", status=0)
        for user in USERS[4:]:
            self.assertTrue(compare.accounts(self.server, self.server, user, None, f"new{user}").equal)

        self.secret("secret", "wrong again")
        self.before = self.refused()
        result = self.run_it("verify", status=3)
        self.assertGivenUp(result)
        self.assertIn("12 mailboxes: 0 ready, 0 ready with accepted exceptions, 0 not ready, 12 not finished", result.stdout)

    def test_part_of_the_name(self):
        """user*master: the names differ, the password does not."""
        self.configure(f"login = {{login}}*{MASTER}\npassword_file = secret")
        self.assertGivenUp(self.run_it("copy", "--at-once", "2", status=3))

    def test_named_in_the_list(self):
        self.configure("", columns=",old_authzid,old_password_file",
                       rows=lambda user: f",{user},secret")
        with open(os.path.join(self.folder, "list.csv")) as f:
            text = f.read()
        with open(os.path.join(self.folder, "list.csv"), "w") as f:
            f.write(re.sub(r"(?m)org,s\d\d,", f"org,{MASTER},", text))
        self.assertGivenUp(self.run_it("copy", "--quiet", status=3), "old_password_file, line ")

    def test_processes(self):
        self.configure(f"login = {MASTER}\nauthzid = {{login}}\npassword_file = secret")
        result = self.run_it("copy", "--processes", "4", status=3)
        self.assertGivenUp(result)
        self.assertIn("9 mailboxes were not reached", result.stdout)

    def test_own_passwords(self):
        """Three in a row, and everybody else gets through."""
        for user in USERS:
            self.secret(f"{user}.pw", "wrong" if user in USERS[:4] else self.server.password)
        self.configure("password_file = {login}.pw", run="own")
        result = self.run_it("copy", status=3)
        self.assertNotIn("in a row", result.stderr)
        self.assertRegex(result.stdout, r"Failed \(4\)")
        self.assertRegex(result.stdout, r"total +12 +8 ")

    def test_one_password_that_some_have_changed(self):
        """That may be a wrong password for all; from the second run on the others come first."""
        with open(self.server.password_file) as f:
            self.secret("secret", f.readline().strip())
        self.configure("password_file = secret", run="some")
        self.assertIn("3 times in a row", self.run_it("copy", "--at-once", "1", status=3).stderr)
        result = self.run_it("copy", "--at-once", "1", status=3)
        self.assertRegex(result.stdout, r"total +12 +8 ")


if __name__ == "__main__":
    unittest.main()
