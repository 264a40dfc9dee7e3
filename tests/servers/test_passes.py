#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Passes after the first one, on real servers: what people did at either side since, and what a pass makes of it. Every
pass is held against what it says it did, the source must be as it was, and both accounts are compared by a program that
knows nothing of mailferry. MAILFERRY_SEED chooses other mail."""
import glob
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import time
import unittest

import mailbox
import product
import unpacked
from courier import Courier
from cyrus import Cyrus
from dovecot import Dovecot
from imapclient import Refused
from messages import hard_cases
from scene import Post, Scene, differences, digest

SEED = int(os.environ.get("MAILFERRY_SEED") or (random.SystemRandom().randrange(10 ** 6) if product.NIGHTLY else 1))
MIRROR = ["--deletes", "mirror"]
ALL = [*MIRROR, "--delete-limit", "100"]
FOLDERS = {"INBOX": 12, "Work": 9, "Team": 3, "Team/Reports": 6, "Läger": 5, "Empty": 0}


class Passes:
    """Scenes that hold between any two servers; a class below says which."""

    @classmethod
    def setUpClass(cls):
        product.need_program()
        print(f"# seed {SEED}", flush=True)
        users = [name.removeprefix("test_") for name in dir(cls) if name.startswith("test_")]
        cls.source, cls.there = [cls.enterClassContext(server) for server in cls.servers(users)]
        cls.post = Post(SEED)

    def scene(self, letters=None):
        """The test's own accounts; the source is filled with `letters`, the destination is new."""
        scene = Scene(self, self.source, self.there, self._testMethodName.removeprefix("test_"))
        self.box = letters or {path: self.post.letters(n) for path, n in FOLDERS.items()}
        if not letters:
            self.box["INBOX"][5] = self.box["INBOX"][4]  # twins
            self.box["Work"][-1] = (b"\\Flagged", *self.box["Work"][0][1:])  # that differ in flags
        for path, letters in self.box.items():
            if path != "INBOX":
                scene.old.make(path)
            scene.old.add(path, letters)
        self.count = sum(map(len, self.box.values()))
        return scene

    def seeded(self):
        scene = self.scene()
        scene.run(copied=self.count)
        scene.equal()
        return scene

    # --- nothing, and everything that happens every day ---

    def test_second_run(self):
        scene = self.seeded()
        unchanged = [r["unchanged"] for r in scene.quiet().records if r["event"] == "folder"]
        self.assertEqual(unchanged, [self.source.name != "courier"] * len(FOLDERS))
        scene.quiet(*ALL)
        scene.quiet("--adopt")
        scene.equal()

    def test_everyday(self):
        scene = self.seeded()
        old, inbox = scene.old, self.box["INBOX"]
        before = {path: {m.uid: m.digest for m in scene.new.look(path)} for path in FOLDERS}
        moved = [old.uid("INBOX", inbox[i]) for i in (1, 4, 7)]  # one of the twins is among them
        old.flag("INBOX", moved[:1], "+Urgent")
        old.move("INBOX", moved, "Team/Reports")
        old.remove("Work", old.uids("Work")[2:4])
        old.flag("INBOX", old.uids("INBOX")[:2], "+Later")
        old.flag("Work", old.uids("Work")[:1], "+\\Answered \\Draft")
        seen = [m.uid for m in old.look("Läger") if "\\seen" in m.flags]
        if seen:
            old.flag("Läger", seen, "-\\Seen")
        old.add("INBOX", self.post.letters(3))
        old.add("Empty", self.post.letters(2))
        old.make("Work/Fresh", "Nothing in it")
        old.add("Work/Fresh", self.post.letters(1))
        scene.run(copied=6, moved=3, gone=2, flags_changed=1 + 2 + 1 + len(seen))
        scene.equal(extra_message=2)
        after = {path: {m.uid: m.digest for m in scene.new.look(path)} for path in FOLDERS}
        for path in FOLDERS:
            stayed = {uid: d for uid, d in before[path].items() if path != "INBOX" or d not in map(digest, (inbox[1], inbox[7]))}
            lost = {uid: d for uid, d in stayed.items() if after[path].get(uid) != d}
            self.assertEqual(list(lost.values()), [digest(inbox[4])] if path == "INBOX" else [], path)
        scene.quiet()

    def test_one_at_a_time(self):
        """The same in many passes, each with one thing to do."""
        scene = self.seeded()
        old = scene.old
        old.add("INBOX", self.post.letters(1))
        scene.run(copied=1)
        old.flag("INBOX", old.uids("INBOX")[-1:], "+\\Deleted")
        scene.run(flags_changed=1)
        old.flag("INBOX", old.uids("INBOX")[-1:], "-\\Deleted")
        scene.run(flags_changed=1)
        old.move("INBOX", old.uids("INBOX")[-1:], "Work")
        scene.run(moved=1)
        old.move("Work", old.uids("Work")[-1:], "INBOX")
        scene.run(moved=1)
        old.copy("INBOX", old.uids("INBOX")[:1], "Läger")
        scene.run(copied=1)
        old.remove("Work", old.uids("Work")[:1])
        scene.run(*ALL, gone=1, deleted=1)
        scene.equal()
        scene.quiet(*ALL)

    def test_all_moves(self):
        """A folder empties into another, and the next into it."""
        scene = self.seeded()
        old = scene.old
        work, reports = old.uids("Work"), old.uids("Team/Reports")
        old.move("Work", work, "Läger")
        old.move("Team/Reports", reports, "Work")
        scene.run(moved=len(work) + len(reports))
        scene.equal()
        scene.quiet(*ALL)

    # --- what left the source ---

    def test_expunged(self):
        scene = self.seeded()
        old, new = scene.old, scene.new
        old.make("Big")
        old.add("Big", self.post.letters(30, most=2000))
        scene.run(copied=30)
        old.remove("Work", old.uids("Work")[:3])
        scene.run(gone=3)
        scene.equal(extra_message=3)
        mine = new.uids("Work")[5]
        new.flag("Work", [mine], "+\\Deleted")
        scene.run(*MIRROR, deleted=3)
        self.assertIn(mine, new.uids("Work"), "what the user deleted there is hers to expunge")
        new.flag("Work", [mine], "-\\Deleted")
        scene.equal()

        old.remove("Big", old.uids("Big")[::2])
        result = scene.quiet(*MIRROR, status=1, gone=15)
        self.assertEqual([(r["cause"], r["messages"]) for r in result.records if r["event"] == "exception"],
                         [("deletes-held", 15)])
        self.assertIn("--delete-limit", result.out)
        scene.quiet()
        scene.equal(extra_message=15)
        scene.run(*MIRROR, "--delete-limit", "50", deleted=15)
        scene.equal()
        scene.quiet(*MIRROR)

    def test_expunged_and_back(self):
        """Noted as gone, then put back from a backup: the copy that was kept is it again."""
        scene = self.seeded()
        old = scene.old
        uids = old.uids("Work")[1:4]
        old.copy("Work", uids, "Empty")
        old.remove("Work", uids)
        gone = old.uids("Empty")
        scene.run(moved=3)
        old.remove("Empty", gone)
        scene.run(gone=3)
        old.add("Work", self.box["Work"][1:4])
        scene.run(moved=3)
        scene.equal()

    # --- folders ---

    def same_but_empty_folders(self, scene, result):
        """Courier's UIDVALIDITYs are seconds: folders made in one are not told apart, and their messages move one by one."""
        left = scene.differ(result)[1]
        if self.source.name == "courier":
            left = [note for note in left if not re.fullmatch(r"folder only there: .* \(0 messages\)", note)]
        self.assertEqual(left, [], str(result))

    def test_renamed(self):
        scene = self.seeded()
        old, new = scene.old, scene.new
        uidvalidity = {path: new.status(path)["UIDVALIDITY"] for path in ("Läger", "Team", "Team/Reports")}
        old.rename("Läger", "Storage")
        old.make("Projects")
        old.rename("Team", "Projects/Team")
        names = set(old.folders())
        self.assertEqual(names & {"Projects/Team/Reports", "Team/Reports"}, {"Projects/Team/Reports"})
        result = scene.copy()
        self.assertEqual(result.status, 0, str(result))
        self.assertEqual(result.report().total["copied"], 0, str(result))
        self.same_but_empty_folders(scene, result)
        if self.source.name != "courier":
            self.assertEqual(result.report().total["moved"], 0, str(result))
            self.assertEqual({path: new.status(path)["UIDVALIDITY"] for path in
                              ("Storage", "Projects/Team", "Projects/Team/Reports")},
                             {"Storage": uidvalidity["Läger"], "Projects/Team": uidvalidity["Team"],
                              "Projects/Team/Reports": uidvalidity["Team/Reports"]})
        scene.quiet()

    def test_renamed_and_changed(self):
        """All in one pass, and the old name is used for something else."""
        scene = self.seeded()
        old = scene.old
        old.rename("Läger", "Storage")
        old.make("Läger")
        fresh = self.post.letters(2)
        old.add("Läger", fresh)
        old.move("Storage", old.uids("Storage")[:1], "Work")
        old.add("Storage", self.post.letters(1))
        result = scene.copy()
        total = result.report().total
        self.assertEqual((result.status, total["copied"]), (0, 3), str(result))
        scene.equal(result)
        scene.quiet()

    def test_deleted(self):
        scene = self.seeded()
        old = scene.old
        old.delete("Team/Reports")
        old.make("Team/Reports")
        old.add("Team/Reports", self.post.letters(2))
        old.delete("Läger")
        result = scene.copy()
        self.assertEqual((result.status, result.report().total["copied"]), (0, 2), str(result))
        scene.equal(extra_message=FOLDERS["Team/Reports"], folder_only_there=1)
        scene.quiet()
        result = scene.copy(*ALL)
        self.assertEqual(result.status, 0, str(result))
        self.assertEqual(scene.differ()[1], ["folder only there: Läger (0 messages)"], str(result))
        scene.quiet(*ALL)

    def test_emptied_and_refilled(self):
        scene = self.seeded()
        old = scene.old
        old.remove("Work", old.uids("Work"))
        old.add("Work", self.box["Work"])
        before = scene.new.all()
        result = scene.copy()
        total = result.report().total
        self.assertEqual((result.status, total["copied"], total["deleted"], total["excepted"]), (0, 0, 0, 0), str(result))
        self.assertEqual(differences(before, scene.new.all()), [], str(result))
        scene.equal()
        scene.quiet()
        old.delete("Team/Reports")
        old.make("Team/Reports")
        old.add("Team/Reports", self.box["Team/Reports"])
        result = scene.copy()
        self.assertEqual((result.status, result.report().total["copied"]), (0, 0), str(result))
        self.assertEqual(differences(before, scene.new.all()), [], str(result))
        scene.quiet(*ALL)
        scene.equal()

    # --- other UIDs ---

    def and_on(self, scene):
        """After a change of UIDs everything goes on."""
        old = scene.old
        scene.equal()
        scene.quiet(*ALL)
        old.add("Work", self.post.letters(1))
        old.flag("Work", old.uids("Work")[1:3], "+Still")
        old.remove("Work", old.uids("Work")[3:4])
        scene.run(*ALL, copied=1, flags_changed=2, gone=1, deleted=1)
        scene.equal()

    def test_source_uidvalidity(self):
        scene = self.seeded()
        scene.old.renew("Work")
        scene.quiet()
        self.and_on(scene)

    def test_source_uidvalidity_and_more(self):
        """Other UIDs, and what happened before a pass saw them."""
        scene = self.seeded()
        old = scene.old
        old.renew("Work")
        uids = old.uids("Work")
        old.flag("Work", uids[:1], "+Later")
        old.remove("Work", uids[1:2])
        old.move("Work", uids[2:3], "Läger")
        old.add("Work", self.post.letters(2))
        scene.run(copied=2, moved=1, gone=1, flags_changed=1)
        scene.equal(extra_message=1)
        scene.quiet()
        scene.run(*ALL, deleted=1)
        scene.equal()

    def test_destination_uidvalidity(self):
        scene = self.seeded()
        scene.new.renew("Work")
        scene.quiet()
        self.and_on(scene)

    def test_destination_uidvalidity_and_more(self):
        """UIDs that mean other messages now must not be written to."""
        scene = self.seeded()
        old, new = scene.old, scene.new
        new.remove("Work", new.uids("Work")[1:2])
        new.renew("Work")
        uids = old.uids("Work")
        old.flag("Work", uids[2:4], "+Later")
        old.move("Work", uids[5:6], "Läger")
        old.remove("Work", uids[6:7])
        result = scene.copy(*ALL)
        total = result.report().total
        self.assertEqual((result.status, total["copied"] + total["moved"]), (0, 2), str(result))
        scene.copy(*ALL)
        scene.equal()
        scene.quiet(*ALL)

    def test_both_uidvalidities(self):
        scene = self.seeded()
        scene.new.renew("Work")
        scene.old.renew("Work")
        scene.quiet()
        self.and_on(scene)

    # --- what the user does on the new side ---

    def test_renamed_there(self):
        scene = self.seeded()
        scene.new.rename("Läger", "Mine")
        scene.old.add("Läger", self.post.letters(1))
        scene.old.flag("Läger", scene.old.uids("Läger")[:1], "+Later")
        result = scene.run(copied=1, flags_changed=1)
        scene.equal(result)
        self.assertNotIn("Läger", scene.new.folders())
        scene.quiet()
        scene.old.rename("Läger", "Storage")  # whose wish counts? nothing is copied again, nothing is lost
        result = scene.copy()
        self.assertEqual((result.status, result.report().total["copied"]), (0, 0), str(result))
        self.same_but_empty_folders(scene, result)

    def test_deleted_there(self):
        """The folder is made anew, and filled again."""
        scene = self.seeded()
        scene.new.delete("Läger")
        scene.run(copied=5)
        scene.equal()
        scene.quiet(*ALL)

    def test_removed_there(self):
        scene = self.seeded()
        new = scene.new
        new.remove("INBOX", new.uids("INBOX")[:2])
        result = scene.quiet(status=1, removed=2, excepted=2)
        causes = [(r["cause"], r["folder"]) for r in result.records if r["event"] == "exception"]
        self.assertEqual(causes, [("removed", "INBOX")] * 2)
        scene.equal(result)
        scene.quiet(status=1, removed=2, excepted=2)
        scene.old.add("INBOX", self.post.letters(1))
        scene.run(status=1, copied=1, removed=2, excepted=2)
        scene.run("--missing", "recopy", copied=2)
        scene.equal()
        scene.quiet()

    def test_moved_there(self):
        scene = self.seeded()
        new = scene.new
        new.move("INBOX", new.uids("INBOX")[:2], "Work")
        result = scene.quiet(status=1, removed=2, excepted=2)
        scene.equal(result, extra_message=2)
        scene.old.remove("INBOX", scene.old.uids("INBOX")[:1])  # one of them
        scene.run(*ALL, status=1, removed=1, excepted=1)
        self.assertEqual(len(new.uids("Work")), FOLDERS["Work"] + 2, "what the user filed stays")

    def test_flagged_there(self):
        scene = self.seeded()
        old, new = scene.old, scene.new
        letters = self.box["Work"]
        at_old = [old.uid("Work", m) for m in letters[1:5]]
        at_new = [new.uid("Work", m) for m in letters[1:5]]

        def flags():
            return {m.uid: m.flags for m in new.look("Work")}

        def both(change):
            old.flag("Work", at_old, change)

        new.flag("Work", at_new[:2], "+Mine")
        before = flags()
        scene.quiet()
        both("+Theirs")
        scene.run("--flags", "newer", flags_changed=2)
        self.assertEqual({uid: f - before[uid] for uid, f in flags().items() if f != before[uid]},
                         {at_new[2]: {"theirs"}, at_new[3]: {"theirs"}})
        both("+Also")
        scene.run(flags_changed=4)
        self.assertEqual([flags()[uid] - before[uid] for uid in at_new], [{"also"}] * 2 + [{"also", "theirs"}] * 2)
        self.assertIn("mine", flags()[at_new[0]])
        both("-Also")
        scene.quiet("--flags", "add-only")
        both("+Also")
        scene.run(flags_changed=4)
        both("-Also")
        scene.run(flags_changed=4)
        self.assertEqual([flags()[uid] - before[uid] for uid in at_new], [set()] * 2 + [{"theirs"}] * 2)
        new.subscribe("Work")
        new.subscribe("Läger")
        new.subscribe("Läger", b"UNSUBSCRIBE")
        scene.quiet()

    def test_foreign_mail(self):
        scene = self.seeded()
        old, new = scene.old, scene.new
        foreign = self.post.letters(3)
        new.add("INBOX", [*foreign, self.box["INBOX"][0]])  # one is like what was copied
        scene.quiet()
        old.add("INBOX", self.post.letters(2))
        scene.run(copied=2)
        old.remove("INBOX", old.uids("INBOX")[:2])
        scene.run(*ALL, gone=2, deleted=2)
        scene.equal(extra_message=4)
        new.renew("Work")
        new.add("Work", foreign)
        scene.quiet()
        old.add("Work", self.post.letters(1))
        scene.run(copied=1)
        scene.equal(extra_message=7)

    # --- a ledger that is lost, and what others copied ---

    def test_adopted(self):
        scene = self.seeded()
        old = scene.old
        shutil.rmtree(scene.state)
        before = scene.new.all()
        self.assertEqual(scene.copy().status, 4)
        scene.quiet("--adopt", adopted=self.count)
        scene.quiet()
        scene.equal()
        shutil.rmtree(scene.state)
        old.add("INBOX", self.post.letters(2))
        old.flag("Work", old.uids("Work")[:2], "+Later")
        scene.run("--adopt", adopted=self.count, copied=2, flags_changed=2)
        scene.equal()
        self.assertEqual(before.keys(), scene.new.all().keys())
        self.and_on(scene)

    def test_adopted_from_another_tool(self):
        """Half of it is there: some with the date of that day, some with a header line that a tool left in it."""
        scene = self.scene()
        new = scene.new
        inbox, work = self.box["INBOX"], self.box["Work"]
        line = b"X-TUID: 0123456789ab\r\n"
        new.add("INBOX", inbox[:3])
        new.add("INBOX", [(flags, b"17-Nov-2025 10:00:00 +0000", raw) for flags, _, raw in inbox[3:7]])
        new.make("Work")
        new.add("Work", [(flags, date, line + raw) for flags, date, raw in work[1:6]])
        new.add("Work", self.post.letters(2))
        uids = {path: new.uids(path) for path in ("INBOX", "Work")}
        self.assertEqual(scene.copy().status, 4)
        result = scene.run("--adopt", status=1, adopted=12, copied=self.count - 12)
        exceptions = sorted((r["cause"], r["missing"]) for r in result.records if r["event"] == "exception")
        self.assertEqual(exceptions, [("altered", False)] * 5 + [("date-lost", False)] * 4, str(result))
        for path, had in uids.items():
            self.assertLessEqual(set(had), set(new.uids(path)))

        def tool(raw):
            yield "a tool's line", line + raw

        scene.equal(result, tool, extra_message=2)
        result = scene.quiet(status=1)
        scene.equal(result, tool, extra_message=2)

    # --- exceptions, filters, dry runs ---

    def exceptions(self, result, earlier=None):
        found = [r for r in result.records if r["event"] == "exception"]
        if earlier is not None:
            self.assertEqual({r["earlier"] for r in found} - {earlier}, set(), str(result))
        return sorted((r["folder"], r.get("uid", 0), r["cause"], r["missing"]) for r in found)

    def test_exceptions(self):
        hard = [(b"\\Seen", b"03-Mar-2015 10:00:00 +0000", raw) for _, raw in hard_cases()]
        scene = Scene(self, self.source, self.there, "exceptions")
        with scene.old.imap() as imap:
            refused = {i for i, _ in imap.append("INBOX", hard)}
        first = scene.copy()
        told = self.exceptions(first, earlier=False)
        self.assertEqual(first.status, 1 if told else 0, str(first))
        scene.equal(first)
        excepted = first.report().total["excepted"]
        if self.there.name == "cyrus" or self.source.name == "courier":
            self.assertTrue(told, str(first))
        for _ in range(2):
            again = scene.quiet(status=first.status, excepted=excepted)
            self.assertEqual(self.exceptions(again, earlier=True), told)
            scene.equal(again)
        scene.old.add("INBOX", self.post.letters(1))
        result = scene.run(status=first.status, copied=1, excepted=excepted)
        self.assertEqual(self.exceptions(result), told)
        scene.equal(result)
        result = scene.run("--retry-exceptions", status=first.status, excepted=excepted)
        self.assertEqual(self.exceptions(result), told)
        scene.equal(result)
        self.assertLess(len(refused), len(hard) // 2)

    def test_dry_run(self):
        scene = self.seeded()
        old = scene.old
        scene_was, ledger = scene.new.all(), scene.ledger_files()
        for step in range(2):
            result = scene.copy("--dry-run")
            self.assertEqual(result.status, 0, str(result))
            self.assertEqual(scene.ledger_files(), ledger)
            self.assertEqual(differences(scene_was, scene.new.all()), [])
            old.add("INBOX", self.post.letters(1))
            if step == 0:
                old.make("Storage")
        scene.run(copied=2)
        scene.equal()
        shutil.rmtree(scene.state)
        self.assertEqual(scene.copy("--dry-run").status, 4)
        self.assertEqual(scene.copy("--dry-run", "--adopt").status, 0)
        self.assertFalse(os.path.exists(scene.state))

    def test_since(self):
        scene = self.scene()
        days = sorted(m.date for path in FOLDERS for m in scene.old.look(path))
        dates = sorted(time.mktime(time.strptime(d[:20].strip(), "%d-%b-%Y %H:%M:%S")) for d in days)
        middle, late = (time.strftime("%Y-%m-%d", time.gmtime(dates[len(dates) * n // 3])) for n in (1, 2))
        first = scene.copy("--since", late)
        some = first.report().total["copied"]
        self.assertEqual(first.status, 0, str(first))
        self.assertEqual(some + first.report().total["filtered"], self.count)
        scene.equal(first, message_missing=self.count - some)
        scene.quiet("--since", late, filtered=self.count - some)
        result = scene.copy("--since", middle)
        more = result.report().total["copied"]
        self.assertTrue(0 < more < self.count - some)
        scene.equal(message_missing=self.count - some - more)
        scene.quiet("--since", late, *ALL, filtered=self.count - some - more)  # what was copied is present
        scene.run(copied=self.count - some - more)
        scene.equal()
        scene.old.add("INBOX", self.post.letters(3))
        scene.quiet("--since", "2037-01-01", filtered=3)
        scene.run(copied=3)
        scene.equal()

    # --- the ledger itself ---

    def test_two_at_once(self):
        scene = self.scene()
        words = product.arguments(self.source, self.there, scene.user, scene.to_user, ["--json", "--rate", "5/s"], None, True)
        first = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                 env={**os.environ, "XDG_STATE_HOME": scene.state})
        try:
            first.stdout.readline()  # the plan: the ledger is open
            for options in ([], ["--dry-run"], ["--adopt"]):
                second = scene.copy(*options)
                self.assertEqual(second.status, 3, str(second))
                self.assertIn(str(first.pid), second.err)
            self.assertIsNone(first.poll())
        finally:
            first.kill()
            first.wait()
            first.stdout.close()
        result = scene.copy()
        self.assertEqual(result.status, 0, str(result))
        scene.equal()
        scene.quiet()

    def one_sentence(self, result, status, *words):
        self.assertEqual(result.status, status, str(result))
        for word in words:
            self.assertIn(word, result.err)
        self.assertEqual(len(result.err.strip().splitlines()), 1, result.err)
        self.assertNotIn('"total"', result.out)

    def test_damaged_ledger(self):
        scene = self.seeded()
        scene.old.add("INBOX", self.post.letters(1))
        before, ledger = scene.new.all(), scene.ledger()
        with open(ledger, "rb") as f:
            good = f.read()

        def harm(data):
            for path in glob.glob(ledger + "-*"):
                if not path.endswith("lock"):
                    os.unlink(path)
            with open(ledger, "wb") as f:
                f.write(data)

        page = 4096
        noise = random.Random(SEED).randbytes(page)
        for damaged in (noise + good[page:], good[:page] + noise + good[2 * page:], good[:len(good) // 2 // page * page],
                        good.rstrip(b"\0")[:-100], b"SQLite format 3\0", noise):
            harm(damaged)
            for options in ([], ["--dry-run"], ["--adopt"]):
                result = scene.copy(*options)
                self.assertIn(result.status, (2, 3), str(result))
                self.one_sentence(result, result.status, ledger)
        self.assertEqual(differences(before, scene.new.all()), [])
        harm(good)
        scene.run(copied=1)
        scene.equal()

    def test_newer_ledger(self):
        scene = self.seeded()
        before, ledger = scene.new.all(), scene.ledger()
        with sqlite3.connect(ledger) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            db.execute(f"PRAGMA user_version = {version + 1000}")
        db.close()
        for options in ([], ["--dry-run"]):
            self.one_sentence(scene.copy(*options), 2, ledger, "newer")
        with sqlite3.connect(ledger) as db:
            db.execute(f"PRAGMA user_version = {version}")
        db.close()
        scene.quiet()
        self.assertEqual(differences(before, scene.new.all()), [])


class DovecotToDovecot(Passes, unittest.TestCase):
    @staticmethod
    def servers(users):
        return Dovecot(layout="inbox", format="maildir", users=users), Dovecot(layout="plain", format="sdbox", users=users)

    def test_source_uidlist_lost(self):
        """All folders get another UIDVALIDITY, INBOX too, as after a restored backup of Maildirs."""
        scene = self.seeded()
        before = {path: scene.old.status(path)["UIDVALIDITY"] for path in FOLDERS}
        home = self.source.home(scene.user)
        time.sleep(1.1)
        for path in glob.glob(os.path.join(home, "**", "dovecot*"), recursive=True) + \
                glob.glob(os.path.join(home, "**", ".*", "dovecot*"), recursive=True):
            if os.path.isfile(path) and not path.endswith("keywords"):
                os.unlink(path)
        self.assertNotEqual(before, {path: scene.old.status(path)["UIDVALIDITY"] for path in FOLDERS})
        scene.quiet()
        self.and_on(scene)


@unittest.skipUnless(unpacked.folder(), "Cyrus is not unpacked: tools/install-packages.sh servers")
class DovecotToCyrus(Passes, unittest.TestCase):
    @staticmethod
    def servers(users):
        return Dovecot(layout="plain", format="sdbox", users=users), Cyrus(modern=True, users=users)


@unittest.skipUnless(unpacked.folder(), "Courier is not unpacked: tools/install-packages.sh servers")
class CourierToDovecot(Passes, unittest.TestCase):
    @staticmethod
    def servers(users):
        return Courier(users=users), Dovecot(layout="plain", format="maildir", users=users)


if __name__ == "__main__":
    unittest.main()
