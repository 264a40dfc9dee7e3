#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many mailboxes of one configuration, on a Dovecot of our own: thirty users, of whom one has another password.
Processes are killed, servers go away, ledgers are in use; whatever happens, every message arrives once."""
import concurrent.futures
import fcntl
import glob
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import compare
import mailbox
import product
from dovecot import Dovecot
from imapclient import Imap
from server import HOST

COUNT = 30
WRONG = 7  # whose password is another one
SOURCES = [f"u{i:02}" for i in range(1, COUNT + 1)]
RUNS = ["all", "three", "killed", "orphans", "stopped", "held", "named", "deletes", "shown", "halves", "damaged", "ready"]  # a test's own users at the new side: "all01" …


class Run:
    """A started mailferry."""

    def __init__(self, words, **more):
        self.out, self.err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.child = subprocess.Popen([product.PROGRAM, *words], stdin=subprocess.DEVNULL, stdout=self.out,
                                      stderr=self.err, start_new_session=True, **more)
        self.began = time.monotonic()

    def wait(self, seconds=300):
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, signal.SIGABRT)
            self.child.wait()
            raise
        texts = []
        for f in (self.out, self.err):
            f.seek(0)
            texts.append(f.read().decode(errors="replace"))
            f.close()
        return product.Result(self.child.returncode, *texts, 0, time.monotonic() - self.began)

    def text(self):
        """What it printed so far."""
        return os.pread(self.out.fileno(), 10 ** 7, 0).decode(errors="replace")


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(word) for word in f.read().split()]


def is_there(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.005)


class Many(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()
        users = SOURCES + [f"{run}{i:02}" for run in RUNS for i in range(1, COUNT + 1)]
        cls.server = Dovecot(users=users, tls=False, connections=200, passwords={SOURCES[WRONG - 1]: "another"})
        cls.server.start()
        for i, user in enumerate(SOURCES):
            mailbox.load_maildir(mailbox.make(seed=i + 1, count=25, hard=i == COUNT - 1, median=3000, largest=200000),
                                 cls.server, user)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.server.scratch.remove()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mailferry-many-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.config = os.path.join(self.folder, "mailferry.conf")
        self.state = os.path.join(self.folder, "state")

    def configure(self, run, count=COUNT, port=None, old="", copy="", wave="", more="", elsewhere=None):
        def platform(name, more=""):
            return (f"[platform {name}]\nurl = imap://{HOST}:{port or self.server.port}\n"
                    f"password_file = {self.server.password_file}\n{more}\n")
        with open(self.config, "w") as f:
            f.write(f"[mailferry]\nmailboxes = list.csv\nstate = state\n{platform('old', old)}{platform('new')}"
                    f"[copy]\n{copy}\n[wave second]\n{wave}\n{more}\n")
        with open(os.path.join(self.folder, "list.csv"), "w") as f:
            f.write("address,old_login,new_login,wave,old_url\n")
            f.writelines(f"{user}@example.org,{user},{run}{user[1:]},{'second' if i % 3 else 'first'},"
                         f"{elsewhere if elsewhere and i % 2 else ''}\n"
                         for i, user in enumerate(SOURCES[:count]))

    def start(self, *options, **more):
        return Run(["copy", "--config", self.config, *options], **more)

    def copy(self, *options, status=None, **more):
        result = self.start(*options, **more).wait()
        if status is not None:
            self.assertEqual(result.status, status, result)
        return result

    def summary(self, result):
        found = [r for r in result.records if r["event"] == "summary"]
        self.assertEqual(len(found), 1, result)
        return found[0]

    def statuses(self):
        found = {}
        for path in glob.glob(os.path.join(self.state, "status", "*.json")):
            with open(path) as f:
                status = json.load(f)
            found[status["mailbox"].split("@")[0]] = status
        return found

    def compare(self, run, users=None, note=""):
        """Both sides of all users but the one are equal: nothing is missing, nothing is there twice."""
        def one(user):
            return user, compare.accounts(self.server, self.server, user, None, run + user[1:])
        users = [u for u in users or SOURCES if u != SOURCES[WRONG - 1]]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for user, comparison in pool.map(one, users):
                self.assertTrue(comparison.equal, "\n".join([note, user, *comparison.notes[:10]]))

    def test_all_and_again(self):
        self.configure("all")
        result = self.copy("--json", "--at-once", "10", status=3)
        summary = self.summary(result)
        self.assertEqual((summary["mailboxes"], summary["done"], summary["failed"], summary["stopped"]),
                         (COUNT, COUNT - 1, 1, 0), result)
        self.assertEqual(summary["waves"]["first"]["mailboxes"], 10)
        failed = [r for r in result.records if r["event"] == "mailbox-ended" and r["end"] == "failed"]
        self.assertEqual([r["mailbox"] for r in failed], ["u07@example.org"])
        self.assertEqual(failed[0]["kind"], "auth")
        self.compare("all")
        status = self.statuses()
        self.assertEqual(status["u07"]["state"], "failed")
        self.assertIn("source", status["u07"]["error"])
        self.assertEqual({s["state"] for u, s in status.items() if u != "u07"}, {"done"})
        self.assertTrue(all(s["seeded"] and s["size"] for u, s in status.items() if u != "u07"), status)

        again = self.copy("--json", "--at-once", "10", status=3)
        summary = self.summary(again)
        self.assertEqual((summary["done"], summary["copied"], summary["bytes"]), (COUNT - 1, 0, 0), again)
        passes = {r["pass"] for r in again.records if r["event"] == "mailbox-begun" and not r["mailbox"].startswith("u07")}
        self.assertEqual(passes, {"delta"})
        self.assertLess(again.seconds, 60)

        with Imap(HOST, self.server.port, "u03", self.server.password) as imap:
            imap.append("INBOX", [(b"", b"01-Jan-2024 10:00:00 +0000", b"Subject: new\r\n\r\nnew\r\n")])
        third = self.copy("--wave", "second", "--quiet", "--json", status=1)
        self.assertEqual(self.summary(third)["copied"], 1, third)
        self.compare("all", ["u03"])

    def test_some_by_name(self):
        self.configure("named", count=3)
        self.copy("u01@example.org", "u02@example.org", "--dry-run", status=0)
        self.assertFalse(os.path.exists(self.state))
        self.assertEqual(self.copy("--wave", "third").status, 2)
        self.assertEqual(self.copy("nobody@example.org").status, 2)
        self.assertEqual(self.copy("--wave", "first", "u01@example.org").status, 2)
        os.unlink(self.config)
        self.assertIn("cannot", self.copy(status=2).err)

    def test_three_processes_and_one_is_killed(self):
        self.configure("three")
        run = self.start("--processes", "3", "--at-once", "3", "--json")
        wait_until(lambda: run.text().count("mailbox-ended") >= 3)
        os.kill(children_of(run.child.pid)[1], signal.SIGKILL)
        result = run.wait()
        self.assertEqual(result.status, 3, result)
        summary = self.summary(result)
        self.assertEqual((summary["mailboxes"], summary["done"], summary["failed"], summary["stopped"]),
                         (COUNT, COUNT - 1, 1, 0), result)
        self.assertIn("ended by signal 9", result.err)
        self.assertEqual(os.listdir(os.path.join(self.state, "rounds")), [])
        self.compare("three")

    def test_the_parent_is_killed(self):
        self.configure("orphans")
        run = self.start("--processes", "2", "--at-once", "3", "--json")
        wait_until(lambda: run.text().count("mailbox-ended") >= 3)
        children = children_of(run.child.pid)
        self.assertEqual(len(children), 2)
        run.child.kill()
        run.wait()
        wait_until(lambda: not any(is_there(c) for c in children), 60)
        result = self.copy("--processes", "2", "--json", status=3)
        summary = self.summary(result)
        self.assertEqual((summary["done"], summary["failed"], summary["stopped"], summary["held"]),
                         (COUNT - 1, 1, 0, 0), result)
        self.compare("orphans")

    def test_all_are_killed_again_and_again(self):
        self.configure("killed")
        for _ in range(3):
            run = self.start("--processes", "2", "--at-once", "4", "--json")
            time.sleep(0.7)
            os.killpg(run.child.pid, signal.SIGKILL)
            run.wait()
        result = self.copy("--json", status=3)
        self.assertEqual(self.summary(result)["done"], COUNT - 1, result)
        self.compare("killed")

    def test_stopped_on_request(self):
        self.configure("stopped")
        for options in ([], ["--processes", "2"]):
            run = self.start("--at-once", "2", "--json", *options)
            wait_until(lambda: run.text().count("mailbox-ended") >= 2)
            run.child.send_signal(signal.SIGTERM)
            result = run.wait()
            self.assertEqual(result.status, 3, result)
            self.assertGreater(self.summary(result)["stopped"], 0, result)
            self.assertIn("stopped on request", result.err)
            self.assertFalse({s["state"] for s in self.statuses().values()} & {"seeding", "delta", "parked"})
        self.copy("--json", status=3)
        self.compare("stopped")

    def test_deletions_and_the_cutover(self):
        """What left the source is removed, but not of a wave that was cut over, and not of one on hold."""
        def inbox(user):
            found = []
            with Imap(HOST, self.server.port, user, self.server.password) as imap:
                imap.fetch_all("INBOX", found.append, b"(UID)")
            return len(found)

        def come_and_go(user, wave, options):
            self.configure("deletes", count=2, copy="deletes = mirror", wave=options)
            with Imap(HOST, self.server.port, user, self.server.password) as imap:
                imap.append("INBOX", [(b"", b"01-Jan-2024 10:00:00 +0000", b"Subject: short\r\n\r\nlife\r\n")])
                self.copy("--wave", wave)
                there = inbox("deletes" + user[1:])
                imap.command(b"SELECT INBOX")
                imap.command(b"STORE * +FLAGS (\\Deleted)")
                imap.command(b"EXPUNGE")
            result = self.copy("--wave", wave)
            self.assertLess(inbox(user), there)
            left = inbox("deletes" + user[1:])
            self.assertIn(left, (there, inbox(user)), result)
            return left < there

        self.assertTrue(come_and_go("u01", "first", ""))
        self.assertTrue(come_and_go("u02", "second", ""))
        self.assertFalse(come_and_go("u02", "second", "cutover = 2020-01-01 20:00 Europe/Berlin"))
        self.assertFalse(come_and_go("u02", "second", "hold = yes"))

    def test_status(self):
        self.configure("shown", count=9)
        def status(*options):
            return subprocess.run([product.PROGRAM, "status", "--config", self.config, *options],
                                  capture_output=True, text=True, timeout=60)
        before = status()
        self.assertEqual(before.returncode, 3, before)
        self.assertRegex(before.stdout, r"total +9 +0 +0 +0 +0 +0 +0 +9")
        run = self.start("--at-once", "1", "--json")
        wait_until(lambda: "At work (1)" in status().stdout)
        run.child.kill()
        run.wait()
        killed = status()
        self.assertRegex(killed.stdout, r"Failed, interrupted or in use by others \(1\)")
        self.assertIn("interrupted", killed.stdout)
        self.copy(status=3)
        after = status("--json")
        records = [json.loads(line) for line in after.stdout.splitlines()]
        self.assertEqual(after.returncode, 3)
        self.assertEqual(sorted(r["mailbox"] for r in records if r["event"] == "status" and r["state"] == "done"),
                         [f"{u}@example.org" for u in SOURCES[:9] if u != SOURCES[WRONG - 1]])
        total = records[-1]
        self.assertEqual((total["event"], total["states"]["done"], total["states"]["failed"]), ("total", 8, 1))
        self.assertIn("u07@example.org", status("--failed").stdout)
        self.assertNotIn("u01@example.org", status("--failed").stdout)
        self.assertIn("u01@example.org", status("--all").stdout)
        self.assertEqual(status("u01@example.org", "u02@example.org").returncode, 0)
        self.assertEqual(status("u07@example.org").returncode, 3)
        watching = subprocess.Popen([product.PROGRAM, "status", "--config", self.config, "--watch"],
                                    stdout=subprocess.PIPE, text=True)
        lines = [watching.stdout.readline() for _ in range(2)]
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=10)
        self.assertEqual(len(set(lines)), 1)
        self.assertTrue(lines[0].startswith("8 of 9 done, 0 at work, 1 failed"), lines)

    def follow_advice(self, result):
        """Does to a damaged ledger what the sentence about it says, and nothing else."""
        path, what = re.search(r"the ledger (\S+) is damaged \(.*\): (.*) and run again with --adopt", result.err).groups()
        self.assertIn(what, ("move it away", "move it and its -wal file away"))
        os.rename(path, path + ".damaged")
        if "-wal" in what:
            os.rename(path + "-wal", path + ".damaged-wal")
        return path

    def test_damaged_ledgers(self):
        self.configure("damaged", count=4)
        killed = self.copy("u01@example.org", env={**os.environ, "MAILFERRY_STEP_KILL": "ledger-committed:4"})
        self.assertLess(killed.status, 0, killed)
        ledger, = glob.glob(os.path.join(self.state, "ledger", "*.db"))
        self.assertGreater(os.path.getsize(ledger + "-wal"), 0)
        os.truncate(ledger, 0)
        for _ in range(2):
            refused = self.copy("u01@example.org", status=3)
        self.assertEqual(self.follow_advice(refused), ledger)
        self.copy("u01@example.org", "--adopt", status=0)
        self.copy(status=0)

        for path in glob.glob(os.path.join(self.state, "ledger", "*.db")):
            with open(path, "r+b") as f:
                f.seek(4096)
                f.write(os.urandom(3 * 4096))
        for i in range(4):
            refused = self.copy(f"u{i + 1:02}@example.org", status=3)
            self.follow_advice(refused)
        without = self.copy("--wave", "second", status=3)
        self.assertIn("--adopt matches", without.err)
        self.copy("--adopt", "--processes", "2", status=0)
        again = self.copy("--json", status=0)
        self.assertEqual(self.summary(again)["copied"], 0, again)
        self.compare("damaged", SOURCES[:4])

    def test_until_a_wave_is_ready(self):
        """Verified, and what of it mailferry status and --quiet say."""
        self.configure("ready", count=6)  # without the one that has another password
        def run(verb, *options, status):
            result = subprocess.run([product.PROGRAM, verb, "--config", self.config, *options], capture_output=True,
                                    text=True, timeout=120)
            self.assertEqual(result.returncode, status, result)
            return result
        self.copy(status=0)
        self.assertRegex(self.copy(status=0).out, r"(?m)^6 mailboxes in [0-9.]+ s\.$")
        self.assertNotIn("Readiness", run("status", status=0).stdout)
        run("verify", "--wave", "first", "--level", "content", status=0)
        self.assertRegex(run("status", status=0).stdout, r"(?s)first +ready: 2 ready\n +second +not ready: 4 not verified\n"
                         r" +total +not ready: 2 ready, 4 not verified\n")
        self.assertRegex(run("status", "u01@example.org", status=0).stdout, r"u01@example.org .* ready \(content, 20\S+Z\)")

        quiet = run("verify", "--quiet", status=0)
        self.assertEqual((quiet.stdout, quiet.stderr), ("", ""))
        shown = run("status", "--wave", "second", status=0).stdout
        self.assertRegex(shown, r"second +4 +4 +0")
        self.assertRegex(shown, r"second +ready: 4 ready\n")
        self.assertNotIn("total", shown)
        with mailbox.connect(self.server, "ready02") as imap:
            for command in b"SELECT INBOX", rb"STORE 1 +FLAGS (\Deleted)", b"EXPUNGE":
                imap.command(command)
        quiet = run("verify", "--quiet", status=4)
        self.assertRegex(quiet.stdout, r"\A\n=== u02@example.org\n\nmissing \(1\): .*\n  INBOX UID .*\n\n"
                         r"6 mailboxes: 5 ready, 0 ready with accepted exceptions, 1 not ready, 0 not finished\n\Z")
        self.assertRegex(quiet.stderr, r"\Amailferry: u02@example.org: not ready: 1 missing\n\Z")
        shown = run("status", status=0).stdout
        self.assertRegex(shown, r"second +not ready: 3 ready, 1 not ready\n")
        self.assertRegex(shown, r"Not ready when last verified \(1\)\n  u02@example.org .* not ready \(counts, ")
        run("verify", "u02@example.org", "--accept", "missing", "--reason", "it was spam", status=0)
        quiet = run("verify", "--quiet", status=1)
        self.assertNotIn("===", quiet.stdout)
        records = [json.loads(line) for line in run("status", "--json", status=0).stdout.splitlines()]
        self.assertEqual(records[-1]["readiness"],
                         {"never": 0, "outdated": 0, "not-ready": 0, "ready-accepted": 1, "ready": 5})
        second = [r for r in records if r.get("mailbox") == "u02@example.org"][0]
        self.assertEqual((second["readiness"], second["verified"]["grade"], second["verified"]["level"]),
                         ("ready-accepted", "ready-accepted", "counts"))

        time.sleep(1)  # times of verifications are whole seconds
        self.copy("u01@example.org", status=0)  # nothing to do
        self.assertRegex(run("status", status=0).stdout, r"first +ready: 2 ready\n")
        with Imap(HOST, self.server.port, "u01", self.server.password) as imap:
            imap.append("INBOX", [(b"", b"01-Jan-2024 10:00:00 +0000", b"Subject: new\r\n\r\nnew\r\n")])
        self.copy("u01@example.org", status=0)
        self.assertRegex(run("status", status=0).stdout, r"first +not ready: 1 ready, 1 verified before the last change\n")

    def test_half_of_the_servers_are_away(self):
        """Those whose server is there get through meanwhile; the others are not reached."""
        with socket.create_server((HOST, 0)) as nobody:
            port = nobody.getsockname()[1]
        self.configure("halves", elsewhere=f"imap://{HOST}:{port}")
        run = self.start("--at-once", "3", "--json")
        wait_until(lambda: run.text().count('"end":"done"') == COUNT // 2 - 1, 200)  # u07 is one of these
        run.child.send_signal(signal.SIGINT)
        result = run.wait()
        summary = self.summary(result)
        self.assertEqual((summary["done"], summary["failed"], summary["stopped"]),
                         (COUNT // 2 - 1, 1, COUNT // 2), result)

    def test_outside_the_window(self):
        self.configure("named", count=3, more="[window always]\nwhen = 00:00-24:00\nclosed = yes\n")
        run = self.start("--json")
        wait_until(lambda: '"event":"waiting"' in run.text())
        run.child.send_signal(signal.SIGINT)
        result = run.wait()
        self.assertEqual(result.status, 3, result)
        self.assertNotIn("mailbox-begun", result.out)

    def test_in_use_by_another(self):
        self.configure("held", count=2)
        self.copy(status=0)
        locks = glob.glob(os.path.join(self.state, "ledger", "*lock*"))
        self.assertEqual(len(locks), 2, os.listdir(os.path.join(self.state, "ledger")))
        with open(locks[0], "r+") as f:
            fcntl.lockf(f, fcntl.LOCK_EX)
            f.write("process 4711 on elsewhere\n")
            f.flush()
            result = self.copy("--json", status=3)
            summary = self.summary(result)
            self.assertEqual((summary["done"], summary["held"]), (1, 1), result)
            self.assertIn("process 4711 on elsewhere", result.out)
            self.assertIn("In use by other processes (1)", self.copy(status=3).out)
        self.copy(status=0)

    def test_a_server_that_cuts_every_connection(self):
        """All wait, and one at a time tries: not thirty, again and again."""
        attempts = []
        listener = socket.create_server((HOST, 0))

        def serve():
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return
                attempts.append(time.monotonic())

        threading.Thread(target=serve, daemon=True).start()
        self.configure("all", port=listener.getsockname()[1])
        run = self.start("--at-once", "4", "--json")
        time.sleep(8)
        run.child.send_signal(signal.SIGINT)
        result = run.wait()
        listener.close()
        self.assertEqual(result.status, 3, result)
        self.assertLessEqual(len(attempts), 2 * (4 + 3), result)
        self.assertIn('"event":"server"', result.out)
        self.assertEqual(self.summary(result)["stopped"], COUNT, result)


if __name__ == "__main__":
    unittest.main()
