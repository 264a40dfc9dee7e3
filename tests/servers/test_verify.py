#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mailferry verify against real servers: a mailbox is copied, somebody changes it behind our back, and the change must be
found, under its name and nowhere else."""
import csv
import glob
import io
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

import mailbox
import product
from dovecot import Dovecot
from imapclient import quote, utf7_encode
from server import HOST

USERS = [f"user{i}" for i in range(60)]


def message(number, body="", extra=""):
    return (f"From: a@old.example\r\nTo: b@old.example\r\nSubject: number {number}\r\n"
            f"Date: Tue, 03 Feb 2015 10:00:00 +0000\r\nMessage-ID: <n{number}@verify.example>\r\n{extra}\r\n"
            f"This is message {number}.\r\n{body}").encode()


class Answer:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def __str__(self):
        return f"status {self.status}\n--- stdout\n{self.out[-4000:]}\n--- stderr\n{self.err[-4000:]}"

    @property
    def records(self):
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]

    def of(self, event):
        return [r for r in self.records if r["event"] == event]

    @property
    def verdict(self):
        return self.of("verdict")[-1]

    @property
    def findings(self):
        """{name: [finding]}"""
        found = {}
        for r in self.of("finding"):
            found.setdefault(r["finding"], []).append(r)
        return found


class Case(unittest.TestCase):
    there_options = {}

    @classmethod
    def setUpClass(cls):
        product.need_program()
        cls.source = Dovecot(users=USERS).start()
        cls.addClassCleanup(cls.source.stop)
        cls.there = Dovecot(users=USERS, **cls.there_options).start()
        cls.addClassCleanup(cls.there.stop)
        cls.users = iter(USERS)

    def setUp(self):
        self.user = next(self.users)
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = scratch.name

    # --- what a test does with its mailbox ---

    def here(self):
        return mailbox.connect(self.source, self.user)

    def over_there(self):
        return mailbox.connect(self.there, self.user)

    def fill(self, count=12, folders=("INBOX", "Sent", "Other")):
        with self.here() as imap:
            for folder in folders:
                if folder != "INBOX":
                    imap.command(b"CREATE " + quote(utf7_encode(folder)))
                refused = imap.append(folder, [(b"\\Seen" if i % 3 else b"", b"03-Feb-2015 10:00:%02d +0000" % (i % 60),
                                                message(f"{folder}.{i}".replace(" ", "_"), "x" * (10 * i)))
                                               for i in range(count)])
                self.assertEqual(refused, [])

    def words(self, verb):
        return [product.PROGRAM, verb, "--from", self.source.url(self.user), "--to", self.there.url(self.user),
                "--from-password-file", self.source.password_file, "--to-password-file", self.there.password_file,
                "--state", os.path.join(self.scratch, "state")]

    def run_words(self, words):
        return Answer(subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300))

    def copy(self, *options):
        answer = self.run_words(self.words("copy") + ["--json", *options])
        self.assertIn(answer.status, (0, 1), answer)
        return answer

    def verify(self, level="identity", *options, json_lines=True):
        return self.run_words(self.words("verify") + ["--level", level, *(["--json"] if json_lines else []), *options])

    def filled(self, *options, **more):
        self.fill(**more)
        return self.copy(*options)

    def ledger(self):
        return sqlite3.connect(glob.glob(os.path.join(self.scratch, "state", "ledger", "*.db"))[0])

    def expect(self, answer, status, findings, level="identity", closed=True):
        """findings: {name: how many}; no others."""
        got = {name: len(f) for name, f in answer.findings.items()}
        self.assertEqual(got, findings, answer)
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.verdict["grade"], {0: "ready", 1: "ready-accepted", 4: "not-ready"}[status], answer)
        if closed is not None:
            self.assertEqual(answer.verdict["closed"], closed, answer)
        return answer

    def at_levels(self, levels, status, findings, **more):
        for level in levels:
            with self.subTest(level=level):
                self.expect(self.verify(level), status, findings, **more)

    def uid_of(self, imap, folder, number):
        found = []

        def take(m):
            if f"<n{number}@verify.example>".encode() in m[b"BODY[HEADER]"]:
                found.append(int(m[b"UID"]))
        imap.fetch_all(folder, take, b"(UID BODY.PEEK[HEADER])")
        self.assertEqual(len(found), 1, number)
        return found[0]

    def select(self, imap, folder):
        imap.command(b"SELECT " + quote(utf7_encode(folder)))

    def expunge(self, imap, folder, uid):
        self.select(imap, folder)
        imap.command(b"UID STORE %d +FLAGS.SILENT (\\Deleted)" % uid)
        imap.command(b"UID EXPUNGE %d" % uid)

    def file_of(self, server, number, folder=""):
        """The file of a message in a Maildir."""
        wanted = f"<n{number}@verify.example>".encode()
        for path in glob.glob(os.path.join(server.home(self.user), "Maildir", folder, "cur", "*")) + \
                glob.glob(os.path.join(server.home(self.user), "Maildir", folder, "new", "*")):
            with open(path, "rb") as f:
                if wanted in f.read(1000):
                    return path
        raise AssertionError(f"no file of {number}")

    def edit(self, path, old, new):
        self.assertEqual(len(old), len(new))
        before = os.stat(path)
        with open(path, "r+b") as f:
            raw = f.read()
            self.assertIn(old, raw)
            f.seek(0)
            f.write(raw.replace(old, new))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def forget_cache(self, server):
        for path in glob.glob(os.path.join(server.home(self.user), "Maildir", "**", "dovecot.index.cache"), recursive=True):
            os.unlink(path)


class Findings(Case):
    def test_all_is_well(self):
        self.filled()
        for level in ("counts", "identity", "content"):
            answer = self.expect(self.verify(level), 0, {})
            self.assertEqual(answer.verdict["there"], 36)
            self.assertEqual(answer.verdict["source"]["seen"], answer.verdict["destination"]["seen"])
            self.assertGreater(answer.verdict["source"]["seen"], 0)
        self.assertEqual(answer.verdict["compared"], 36)
        with self.ledger() as db:
            self.assertEqual(db.execute("SELECT count(*) FROM message WHERE has & 33 = 33").fetchone(), (36,))
            fact = json.loads(db.execute("SELECT value FROM fact WHERE name = 'last-verified'").fetchone()[0])
            kinds = [k for k, in db.execute("SELECT kind FROM pass ORDER BY number")]
        self.assertEqual((fact["grade"], fact["level"], fact["compared"]), ("ready", "content", 36))
        self.assertEqual(kinds[-3:], ["verify-counts", "verify-identity", "verify-content"])

    def test_missing(self):
        self.filled()
        with self.over_there() as imap:
            uid = self.uid_of(imap, "INBOX", "INBOX.5")
            self.expunge(imap, "INBOX", uid)
        for level in ("counts", "identity", "content"):
            answer = self.expect(self.verify(level), 4, {"missing": 1})
            found = answer.findings["missing"][0]
            self.assertEqual((found["folder"], found["copy_uid"], found["message_id"]),
                             ("INBOX", uid, "<nINBOX.5@verify.example>"))
            self.assertRegex(found["sha256"], "^[0-9a-f]{64}$")
            self.assertEqual(answer.verdict["missing"], 1)

    def test_misfiled(self):
        self.filled()
        with self.over_there() as imap:
            uid = self.uid_of(imap, "INBOX", "INBOX.5")
            self.select(imap, "INBOX")
            imap.command(b"UID MOVE %d Other" % uid)
        answer = self.expect(self.verify("identity"), 4, {"misfiled": 1})
        self.assertIn("in Other", answer.findings["misfiled"][0]["detail"])
        self.assertEqual(answer.verdict["elsewhere"], 1)
        self.expect(self.verify("counts"), 4, {"missing": 1, "extra": 1})

    def test_renumbered(self):
        self.filled()
        with self.over_there() as imap:
            uid = self.uid_of(imap, "INBOX", "INBOX.5")
            self.select(imap, "INBOX")
            imap.command(b"UID COPY %d INBOX" % uid)
            self.expunge(imap, "INBOX", uid)
        self.at_levels(("identity", "content"), 0, {"renumbered": 1})

    def test_double(self):
        self.filled()
        with self.over_there() as imap:
            self.select(imap, "INBOX")
            uid = self.uid_of(imap, "INBOX", "INBOX.5")
            self.select(imap, "INBOX")
            imap.command(b"UID COPY %d INBOX" % uid)
            imap.command(b"UID COPY %d Sent" % uid)
        answer = self.expect(self.verify("identity"), 4, {"double": 2})
        self.assertIn(f"the same bytes as UID {uid} of INBOX", answer.findings["double"][0]["detail"])
        self.expect(self.verify("counts"), 0, {"extra": 2})

    def test_extra(self):
        self.filled()
        with self.over_there() as imap:
            imap.append("INBOX", [(b"", b"03-Feb-2015 10:00:00 +0000", message("foreign"))])
            # the Message-ID of one that is here, and other bytes
            imap.append("Sent", [(b"", b"03-Feb-2015 10:00:00 +0000", message("INBOX.3", "not the same"))])
        answer = self.expect(self.verify("identity"), 0, {"extra": 2})
        details = sorted(f.get("detail", "") for f in answer.findings["extra"])
        self.assertEqual(details[0], "")
        self.assertIn("with other bytes", details[1])
        self.assertEqual(answer.verdict["strangers"], 2)

    def test_altered_body(self):
        self.filled()
        self.edit(self.file_of(self.there, "INBOX.7"), b"This is message", b"That is message")
        answer = self.expect(self.verify("content"), 4, {"altered": 1})
        found = answer.findings["altered"][0]
        self.assertNotEqual(found["sha256"], found["copy_sha256"])
        self.assertEqual(answer.verdict["compared"], 36)
        with self.ledger() as db:
            self.assertEqual(db.execute("SELECT count(*) FROM message WHERE has & 32").fetchone(), (35,))

    def test_altered_header(self):
        self.filled()
        self.edit(self.file_of(self.there, "INBOX.7"), b"Subject: number", b"Subject: Number")
        self.forget_cache(self.there)
        self.at_levels(("identity", "content"), 4, {"altered": 1})

    def test_altered_at_the_source(self):
        self.filled()
        self.edit(self.file_of(self.source, "INBOX.7"), b"This is message", b"That is message")
        answer = self.expect(self.verify("content"), 4, {"altered": 1})
        self.assertIn("the source serves other bytes", answer.findings["altered"][0]["detail"])

    def test_flags(self):
        self.filled()
        with self.over_there() as imap:
            uid = self.uid_of(imap, "INBOX", "INBOX.5")
            self.select(imap, "INBOX")
            imap.command(b"UID STORE %d +FLAGS.SILENT (\\Flagged Work)" % uid)
        answer = self.expect(self.verify("identity"), 4, {"flags": 1})
        self.assertIn("Work", answer.findings["flags"][0]["detail"])
        with self.ledger() as db:  # a pass that looked at the destination too has seen it
            db.execute("INSERT INTO flags VALUES (99, '\\Seen work \\flagged')")
            db.execute("UPDATE flags SET id = (SELECT max(id) + 1 FROM flags WHERE id < 99) WHERE id = 99")
            db.execute("UPDATE message SET copy_flags = (SELECT max(id) FROM flags) WHERE copy_uid = ? AND folder = "
                       "(SELECT id FROM folder WHERE source_name = 'INBOX')", (uid,))
        db.close()
        self.expect(self.verify("identity"), 0, {"flags-there": 1})

    def test_flags_changed_at_the_source(self):
        self.filled()
        with self.here() as imap:
            self.select(imap, "INBOX")
            imap.command(b"UID STORE 5 +FLAGS.SILENT (\\Flagged)")
        self.expect(self.verify("identity"), 0, {"flags-new": 1})
        self.copy()
        self.expect(self.verify("identity"), 0, {})

    def test_date(self):
        self.filled()
        path = self.file_of(self.there, "INBOX.7")
        os.utime(path, (1000000000, 1000000000))
        self.forget_cache(self.there)
        answer = self.expect(self.verify("identity"), 4, {"date": 1})
        self.assertIn("09-Sep-2001", answer.findings["date"][0]["detail"])

    def test_unreadable(self):
        self.filled()
        os.unlink(self.file_of(self.source, "Sent.4", "Sent"))  # listed in the cache, and gone from the disk
        path = self.file_of(self.there, "INBOX.7")
        os.chmod(path, 0)
        answer = self.verify("content")
        self.assertEqual(answer.status, 4, answer)
        self.assertEqual([f["message_id"] for f in answer.findings["unreadable"]], ["<nINBOX.7@verify.example>"], answer)
        self.assertIn("destination", answer.findings["unreadable"][0]["detail"])
        self.assertGreaterEqual(answer.verdict["compared"], 34)

    def test_unaccounted(self):
        self.filled()
        with self.ledger() as db:
            db.execute("DELETE FROM message WHERE message_id = '<nINBOX.5@verify.example>'")
        db.close()
        answer = self.expect(self.verify("identity"), 4, {"unaccounted": 1, "extra": 1})
        self.assertEqual(answer.findings["unaccounted"][0]["message_id"], "<nINBOX.5@verify.example>")

    def test_a_pass_that_was_stopped(self):
        self.filled()
        with self.ledger() as db:
            db.execute("UPDATE message SET state = 5, copy_uid = 0 WHERE message_id = '<nINBOX.5@verify.example>'")
            db.execute("UPDATE folder SET complete = 0, mark = 1 WHERE source_name = 'INBOX'")
        db.close()
        self.at_levels(("identity", "content"), 4, {"new": 1, "folder-incomplete": 1, "extra": 1})
        self.copy()
        self.expect(self.verify("content"), 0, {})

    def test_a_copy_whose_uid_no_server_told(self):
        self.filled()
        row = "FROM message WHERE message_id = '<nINBOX.5@verify.example>'"
        with self.ledger() as db:
            uid, = db.execute("SELECT copy_uid " + row).fetchone()
            db.execute("UPDATE message SET copy_uid = 0 WHERE message_id = '<nINBOX.5@verify.example>'")
        db.close()
        answer = self.expect(self.verify("identity"), 0, {})
        self.assertEqual(answer.verdict["elsewhere"], 1)
        with self.ledger() as db:
            self.assertEqual(db.execute("SELECT copy_uid " + row).fetchone(), (uid,))
        db.close()
        self.assertEqual(self.expect(self.verify("content"), 0, {}).verdict["elsewhere"], 0)

    def test_rows_that_name_one_copy(self):
        self.filled()
        with self.ledger() as db:
            uid, = db.execute("SELECT copy_uid FROM message WHERE message_id = '<nINBOX.5@verify.example>'").fetchone()
            db.execute("UPDATE message SET copy_uid = ? WHERE message_id = '<nINBOX.6@verify.example>'", (uid,))
        db.close()
        answer = self.verify("content")
        self.assertEqual(answer.status, 4, answer)
        self.assertIn("altered", answer.findings)
        self.assertIn("several rows", str(answer.findings.get("missing")))

    def test_new_and_gone(self):
        self.filled()
        with self.here() as imap:
            imap.append("INBOX", [(b"", b"03-Feb-2015 10:00:00 +0000", message("later"))])
            self.expunge(imap, "Sent", 3)
        for level in ("counts", "identity", "content"):
            answer = self.expect(self.verify(level), 0, {"new": 1, "gone": 1})
            self.assertEqual((answer.verdict["new"], answer.verdict["kept"]), (1, 1))
        self.copy()
        self.expect(self.verify("identity"), 0, {})

    def test_left_out_by_date(self):
        self.fill()
        with self.here() as imap:
            imap.append("INBOX", [(b"", b"03-Feb-2012 10:00:00 +0000", message("old"))])
        self.copy("--since", "2014-01-01")
        for level in ("counts", "identity"):
            answer = self.expect(self.verify(level), 0, {})
            self.assertEqual(answer.verdict["filtered"], 1)

    def test_folders(self):
        self.filled(folders=("INBOX", "Sent", "Other", "Third"))
        with self.here() as imap:
            imap.command(b"CREATE Later")
            imap.append("Later", [(b"", b"03-Feb-2015 10:00:00 +0000", message("later"))])
        with self.over_there() as imap:
            imap.command(b"DELETE Other")
            imap.command(b"RENAME Third Elsewhere")
            imap.command(b"CREATE Third")
        answer = self.verify("identity")
        self.assertEqual(answer.status, 4, answer)
        got = {name: [f["folder"] for f in found] for name, found in answer.findings.items()}
        self.assertEqual(got, {"folder-missing": ["Other"], "folder-replaced": ["Third"], "folder-unknown": ["Later"]})
        self.assertEqual(answer.findings["folder-missing"][0]["messages"], 12)
        self.expect(self.verify("identity", "--folder", "INBOX"), 0, {})

    def test_a_folder_that_left_the_source(self):
        self.filled()
        with self.here() as imap:
            imap.command(b"DELETE Other")
        answer = self.expect(self.verify("identity"), 0, {"gone": 1})
        self.assertEqual(answer.findings["gone"][0]["messages"], 12)
        self.assertEqual(answer.verdict["kept"], 12)

    def test_adopted(self):
        self.filled()
        for path in glob.glob(os.path.join(self.scratch, "state", "ledger", "*")):
            os.unlink(path)
        self.copy("--adopt")
        with self.ledger() as db:
            without, = db.execute("SELECT count(*) FROM message WHERE NOT has & 1").fetchone()
        db.close()
        self.expect(self.verify("identity"), 0, {})
        self.expect(self.verify("content"), 0, {})
        with self.ledger() as db:
            self.assertEqual(db.execute("SELECT count(*) FROM message WHERE has & 33 = 33").fetchone(), (36,), without)
        db.close()

    def test_twins_stay_two(self):
        with self.here() as imap:
            imap.append("INBOX", [(b"", b"03-Feb-2015 10:00:00 +0000", message("twin"))] * 3)
        self.copy()
        self.expect(self.verify("content"), 0, {})
        with self.over_there() as imap:
            self.expunge(imap, "INBOX", 2)
        self.expect(self.verify("content"), 4, {"missing": 1})


class Runs(Case):
    def test_sample(self):
        self.filled(count=200, folders=("INBOX",))
        a = self.verify("content", "--sample", "20%", "--seed", "7")
        b = self.verify("content", "--sample", "20%", "--seed", "7")
        c = self.verify("content", "--sample", "20%")
        self.expect(a, 0, {})
        self.assertEqual(a.verdict["compared"], b.verdict["compared"])
        self.assertTrue(15 < a.verdict["compared"] < 70, a)
        self.assertEqual((a.verdict["seed"], a.verdict["sample_percent"]), ("7", 20.0))
        self.assertRegex(c.verdict["seed"], "^[0-9]+$")
        again = self.verify("content", "--sample", "20%", "--seed", c.verdict["seed"])
        self.assertEqual(again.verdict["compared"], c.verdict["compared"])
        text = self.verify("content", "--sample", "20%", "--seed", "7", json_lines=False)
        self.assertRegex(text.out, r"20% of the messages, seed 7: \d+ compared at both sides; none differs, so with 95%")

    def test_reads_only(self):
        self.filled()
        with self.over_there() as imap:
            self.expunge(imap, "INBOX", 4)
        for level in ("counts", "identity", "content"):
            path = os.path.join(self.scratch, level)
            self.verify(level, "--transcript", path)
            with open(path, encoding="utf-8", errors="replace") as f:
                commands = set(re.findall(r"> [A-Za-z]*\d+ (UID [A-Z]+|[A-Z]+)", f.read()))
            self.assertTrue(commands & {"EXAMINE"}, commands)
            self.assertLessEqual(commands, {"EXAMINE", "UID FETCH", "FETCH", "NOOP", "LOGIN", "AUTHENTICATE", "LOGOUT",
                                            "CAPABILITY", "ID", "ENABLE", "NAMESPACE", "LIST", "LSUB", "STATUS", "UNSELECT",
                                            "CLOSE", "COMPRESS", "XLIST"})

    def test_find(self):
        self.filled()
        answer = self.run_words(self.words("verify") + ["--find", "NSENT.3@verify.example", "--json"])
        places = answer.of("place")
        self.assertEqual(answer.status, 0, answer)
        self.assertEqual([(p["side"], p["there"], p["recorded"], p["folder"]) for p in places],
                         [("source", True, True, "Sent"), ("destination", True, True, "Sent")])
        with self.over_there() as imap:
            self.expunge(imap, "Sent", places[1]["uid"])
            imap.append("Other", [(b"\\Flagged", b"03-Feb-2015 10:00:00 +0000", message("foreign"))])
        answer = self.run_words(self.words("verify") + ["--find", "<nSent.3@verify.example>"])
        self.assertEqual(answer.status, 1, answer)
        self.assertIn("not there: there is no message with this UID", answer.out)
        answer = self.run_words(self.words("verify") + ["--find", "<nforeign@verify.example>", "--json"])
        self.assertEqual(answer.status, 1, answer)
        self.assertEqual([(p["side"], p["there"], p["recorded"], p["folder"]) for p in answer.of("place")],
                         [("destination", True, False, "Other")])
        self.assertEqual(answer.of("found")[0]["headers_read"], True)
        answer = self.run_words(self.words("verify") + ["--find", "<nowhere@verify.example>", "--json"])
        self.assertEqual((answer.status, answer.of("place")), (1, []))

    def test_reports(self):
        evil = '=HYPERLINK("x")'
        self.filled(folders=("INBOX", evil))
        with self.over_there() as imap:
            self.expunge(imap, evil, 2)
        paths = {}
        for end in ("txt", "json", "csv"):
            paths[end] = os.path.join(self.scratch, "report." + end)
            answer = self.verify("content", "--report", paths[end])
            self.assertEqual(answer.status, 4, answer)
        with open(paths["json"], encoding="utf-8") as f:
            whole = json.load(f)
        self.assertEqual((whole["grade"], len(whole["findings"]), whole["total"]["closed"]), ("not-ready", 1, True))
        self.assertEqual(whole["source_server"][:7], "Dovecot")
        with open(paths["csv"], encoding="utf-8", newline="") as f:
            text = f.read()
        rows = list(csv.DictReader(io.StringIO(text)))
        found = [r for r in rows if r["record"] == "finding"]
        self.assertEqual([(r["finding"], r["folder"], r["fails"]) for r in found], [("missing", "'" + evil, "yes")])
        self.assertEqual([r["finding"] for r in rows if r["record"] == "grade"], ["not-ready"])
        self.assertFalse(re.search(r'(?m)(^|,)"?[=+@-]', text), text)
        with open(paths["txt"], encoding="utf-8") as f:
            text = f.read()
        self.assertIn("verdict      not ready: 1 missing\n", text)
        self.assertIn("The books close.\n", text)
        again = self.verify("content", "--report", paths["txt"])  # no report is overwritten
        self.assertEqual(again.status, 2, again)
        self.assertIn("--report", again.err)

    def test_wrong_words(self):
        self.fill()
        for words, said in ((["--level", "identity"], "there is no ledger"), (["--sample", "5%"], "--level content"),
                            (["--level", "content", "--sample", "5"], "such as 5%"), (["--report", "x.xls"], ".csv"),
                            (["--accept", "flags"], "--reason"), (["--seed", "x"], "--seed"), (["alice"], "no option"),
                            (["--accept", "nonsense", "--reason", "x"], "no such cause")):
            answer = self.run_words(self.words("verify") + words)
            self.assertEqual(answer.status, 2, answer)
            self.assertIn(said, answer.err)
        self.assertEqual(glob.glob(os.path.join(self.scratch, "state", "ledger", "*.db")), [])
        self.copy()
        answer = self.verify("identity", "--folder", "Nowhere")
        self.assertEqual(answer.status, 2, answer)
        answer = self.run_words(self.words("verify") + ["--accept", "nonsense", "--reason", "x"])
        self.assertEqual(answer.status, 2, answer)
        self.assertIn("no such cause", answer.err)

    def test_quiet(self):
        self.filled()
        answer = self.verify("identity", "--quiet", json_lines=False)
        self.assertEqual((answer.status, answer.out, answer.err), (0, "", ""))

    def configure(self, addresses, limits=""):
        """The options that name a configuration with these mailboxes, in wave first."""
        with open(os.path.join(self.scratch, "mailboxes.csv"), "w") as f:
            f.write("address,wave\n" + "".join(f"{a},first\n" for a in addresses))
        with open(os.path.join(self.scratch, "mailferry.conf"), "w") as f:
            f.write(f"""[mailferry]
mailboxes = {self.scratch}/mailboxes.csv
state = {self.scratch}/state

[platform old]
url = imap://{HOST}:{self.source.port}
login = {{local}}
password_file = {self.source.password_file}
{limits}

[platform new]
url = imap://{HOST}:{self.there.port}
login = {{local}}
password_file = {self.there.password_file}
{limits}

[wave first]
""")
        return ["--config", os.path.join(self.scratch, "mailferry.conf")]

    def test_limits(self):
        address = self.user + "@example.org"
        self.fill(count=40)
        config = self.configure([address], "account_connections = 1\naccount_messages_per_second = 200\n")
        self.assertEqual(self.run_words([product.PROGRAM, "copy", *config]).status, 0)
        began = time.monotonic()
        answer = self.run_words([product.PROGRAM, "verify", *config, "--json", "--level", "content"])
        self.assertEqual((answer.status, answer.verdict["compared"]), (0, 120), answer)
        self.assertTrue(0.3 < time.monotonic() - began < 30)
        self.assertEqual(answer.of("note"), [])

    def test_interrupted(self):
        address = self.user + "@example.org"
        self.fill(count=40)
        report = os.path.join(self.scratch, "r.json")
        self.assertEqual(self.run_words([product.PROGRAM, "copy", *self.configure([address])]).status, 0)
        slowly = self.configure([address], "account_messages_per_second = 10\n")
        child = subprocess.Popen([product.PROGRAM, "verify", *slowly, "--json", "--level", "content", "--report", report],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(2)
        child.send_signal(signal.SIGINT)
        began = time.monotonic()
        out, err = child.communicate(timeout=30)
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(child.returncode, 3, out + err)
        self.assertIn("stopped on request", err)
        with open(report, encoding="utf-8") as f:
            self.assertEqual(json.load(f)["grade"], "unfinished")
        answer = self.run_words([product.PROGRAM, "verify", *self.configure([address]), "--json", "--level", "content"])
        self.assertEqual((answer.status, answer.verdict["compared"]), (0, 120), answer)

    def test_several_mailboxes(self):
        users = [self.user, next(self.users), next(self.users)]
        addresses = [u + "@example.org" for u in users]
        config = self.configure(addresses)
        for self.user in users[:2]:
            self.fill(count=3)
        answer = self.run_words([product.PROGRAM, "copy", *config, "--json", *addresses[:2]])
        self.assertEqual(answer.status, 0, answer)
        answer = self.run_words([product.PROGRAM, "verify", *config, "--json", "--level", "content", *addresses[:2]])
        self.assertEqual(answer.status, 0, answer)
        self.assertEqual([(r["mailbox"], r["grade"]) for r in answer.of("verdict")], [(u, "ready") for u in addresses[:2]])
        with mailbox.connect(self.there, users[0]) as imap:
            self.expunge(imap, "INBOX", 1)
        answer = self.run_words([product.PROGRAM, "verify", *config, "--json", "--wave", "first"])
        self.assertEqual(answer.status, 4, answer)
        self.assertEqual([r["grade"] for r in answer.of("verdict")], ["not-ready", "ready"], answer)
        self.assertIn(f"{addresses[2]}: there is no ledger", answer.err)
        self.assertEqual(answer.of("sum"), [{"event": "sum", "mailboxes": 3, "ready": 1, "ready_accepted": 0, "not_ready": 2,
                                             "unfinished": 0}])
        report = os.path.join(self.scratch, "r-{mailbox}.json")
        brief = self.run_words([product.PROGRAM, "verify", *config, "--report", report, *addresses[:2]])
        self.assertRegex(brief.out, rf"\A  {addresses[1]}: ready, \d+ messages in \d+ folders\n\n"
                                    r"2 mailboxes: 1 ready, .*\nWhat is wrong with one of them: .*\n\Z")
        self.assertEqual(brief.err, f"mailferry: {addresses[0]}: not ready: 1 missing\n")
        whole = self.run_words([product.PROGRAM, "verify", *config, "--details", *addresses[:2]])
        single = self.run_words([product.PROGRAM, "verify", *config, addresses[0]])
        for shown in whole.out, single.out:
            self.assertRegex(shown, r"(?s)=== .*verdict +not ready: 1 missing\n.*  INBOX +.*missing \(1\)")
        self.assertTrue(os.path.exists(report.replace("{mailbox}", addresses[1])))


class Cutting:
    """A proxy that ends each connection after some bytes of answers, so many times."""

    def __init__(self, port, after, times):
        self.target, self.after, self.times = port, after, times
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection((HOST, self.target))
            limit = self.after if self.times > 0 else None
            self.times -= 1
            threading.Thread(target=self.pump, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, limit), daemon=True).start()

    @staticmethod
    def pump(a, b, limit):
        try:
            while data := a.recv(4096):
                if limit is not None:
                    data = data[:limit]
                    limit -= len(data)
                b.sendall(data)
                if limit == 0:
                    break
        except OSError:
            pass
        for s in (a, b):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


class Trouble(Case):
    def verify_through(self, proxy, *options):
        words = [w.replace(f":{self.there.port}", f":{proxy.port}") for w in self.words("verify")]
        ledgers = glob.glob(os.path.join(self.scratch, "state", "ledger", "*"))
        self.assertTrue(ledgers)
        return self.run_words(words + ["--json", *options])

    def move_ledger(self, proxy):
        """The same ledger for the proxy's port: it is named after its ends, and holds them."""
        with self.ledger() as db:
            (there,) = db.execute("SELECT destination FROM state").fetchone()
            db.execute("UPDATE state SET destination = ?", (there.replace(str(self.there.port), str(proxy.port)),))
        db.close()
        wrong = self.run_words([w.replace(f":{self.there.port}", f":{proxy.port}") for w in self.words("verify")])
        path = re.search(r"\((/\S+\.db)\)", wrong.err).group(1)
        os.rename(glob.glob(os.path.join(self.scratch, "state", "ledger", "*.db"))[0], path)

    def test_lost_connections(self):
        self.filled(count=60)
        proxy = Cutting(self.there.port, 9000, 6)
        self.addCleanup(proxy.close)
        self.move_ledger(proxy)
        for level in ("identity", "content"):
            proxy.times = 4
            answer = self.verify_through(proxy, "--level", level)
            self.expect(answer, 0, {})
            self.assertTrue(answer.of("note"), "no connection was lost")
        self.assertEqual(answer.verdict["compared"], 180)

    def test_a_server_that_stays_away(self):
        self.filled()
        proxy = Cutting(self.there.port, 100, 10**6)
        self.addCleanup(proxy.close)
        self.move_ledger(proxy)
        answer = self.verify_through(proxy, "--level", "content", "--retries", "1")
        self.assertEqual(answer.status, 3, answer)
        self.assertEqual(answer.verdict["grade"], "unfinished", answer)

    def test_messages_that_cost_the_connection(self):
        self.fill(count=20)
        with self.here() as imap:
            for folder in ("INBOX", "Other"):
                imap.append(folder, [(b"", b"03-Feb-2015 10:00:00 +0000",
                                      message("poison" + folder, ("y" * 70 + "\r\n") * 4000))])
                imap.append(folder, [(b"", b"03-Feb-2015 10:00:00 +0000", message("behind" + folder))])
        self.copy()
        proxy = Cutting(self.there.port, 100000, 10**6)
        self.addCleanup(proxy.close)
        self.move_ledger(proxy)
        answer = self.verify_through(proxy, "--level", "content", "--connections", "2")
        self.expect(answer, 4, {"unreadable": 2})
        self.assertEqual({f["message_id"] for f in answer.findings["unreadable"]},
                         {"<npoisonINBOX@verify.example>", "<npoisonOther@verify.example>"})
        self.assertEqual(answer.verdict["compared"], 62)


class Exceptions(Case):
    there_options = {"quota": "1G", "extra": "plugin {\n  quota_max_mail_size = 20k\n}\n"}

    def test_accepting(self):
        self.fill()
        with self.here() as imap:
            imap.append("INBOX", [(b"", b"03-Feb-2015 10:00:00 +0000", message("large", ("y" * 70 + "\r\n") * 500))])
            imap.append("Sent", [(b"", b"03-Feb-2015 10:00:00 +0000", message("huge", ("y" * 70 + "\r\n") * 900))])
        self.assertEqual(self.copy().status, 1)
        for level in ("counts", "identity", "content"):
            answer = self.expect(self.verify(level), 4, {"not-copied": 2})
        found = {f["folder"]: f for f in answer.findings["not-copied"]}
        self.assertEqual(found["INBOX"]["message_id"], "<nlarge@verify.example>")
        cause = found["INBOX"]["cause"]

        def accepting(*words, status=0):
            answer = self.run_words(self.words("verify") + [*words, "--json"])
            self.assertEqual(answer.status, status, answer)
            return answer.of("accepted")

        accepting("--accept", f"{cause}:INBOX:{found['INBOX']['uid']}", "--reason", "told the user")
        answer = self.expect(self.verify("identity"), 4, {"not-copied": 2})
        self.assertEqual([f.get("accepted", {}).get("reason") for f in answer.findings["not-copied"]
                          if f["folder"] == "INBOX"], ["told the user"])
        accepting("--accept", "not-copied:Sent", "--reason", "=too large, \"known\"")
        for level in ("counts", "identity", "content"):
            self.expect(self.verify(level), 1, {"not-copied": 2})
        self.assertEqual(len(accepting("--accepted")), 2)
        for folder, right in ("Sentt", "did you mean Sent?"), ("Other/Sent", "as mailferry verify shows it"):
            answer = self.run_words(self.words("verify") + ["--accept", "missing:INBOX", "--accept", f"not-copied:{folder}",
                                                            "--reason", "x"])
            self.assertEqual(answer.status, 2, answer)
            self.assertIn(f"--accept not-copied:{folder}: there is no folder {folder} at the source: ", answer.err)
            self.assertIn(right, answer.err)
        self.assertEqual(len(accepting("--accepted")), 2)  # of several all or none
        path = os.path.join(self.scratch, "r.csv")
        self.verify("identity", "--report", path)
        with open(path, encoding="utf-8", newline="") as f:
            reasons = {r["accepted_reason"] for r in csv.DictReader(f) if r["record"] == "finding"}
        self.assertEqual(reasons, {"told the user", "'=too large, \"known\""})
        self.assertEqual(len(accepting("--withdraw", "not-copied:Sent")), 1)
        accepting("--withdraw", "not-copied:Sent", status=2)
        self.expect(self.verify("identity"), 4, {"not-copied": 2})
        with self.ledger() as db:  # what was withdrawn is on record, too
            self.assertEqual(db.execute("SELECT count(*) FROM accepted").fetchone(), (3,))
        db.close()


if __name__ == "__main__":
    unittest.main()
