#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares two IMAP accounts, message by message, and knows nothing of the program that copied them.

    compare.py --from imap://alice@127.0.0.1:1143 --to imap://alice@127.0.0.1:2143 \\
        --from-password-file F --to-password-file F [--json REPORT] [--to-kind cyrus]

In every folder: the messages as a multiset of SHA-256, their order, flags, keywords and INTERNALDATE (as the
instant it names); and of folders their special use and subscription. --json is what `mailferry copy --json`
printed: a message it names as excepted (folder, UID, cause) may be missing, a flag it says was cut too; a
folder it says it renamed is looked for under that name. --to-kind allows what that kind of server is known to
change in a message (habits.py), and nothing else. Exit status 0: equal but for what is allowed and listed; 1: not.
"""
import argparse
import collections
import hashlib
import json
import re
import sys
import urllib.parse

from email.utils import parsedate_to_datetime

from habits import HABITS
from imapclient import Imap

SPECIAL = {"\\sent", "\\drafts", "\\trash", "\\junk", "\\archive", "\\flagged", "\\all"}
Message = collections.namedtuple("Message", "digest altered uid size flags keywords date")


class Account:
    """What one account holds: folders by path, each path the parts of a name without prefix and separator."""

    def __init__(self, imap, kind=None, habit=None):
        habits = [*([HABITS[kind]] if kind else []), *([habit] if habit else [])]
        self.prefix, self.separator = imap.namespace()
        self.knows_special_use = "SPECIAL-USE" in imap.capabilities
        self.folders, self.special = {}, {}
        for name, separator, attributes in imap.list():
            lower = {a.lower() for a in attributes}
            if lower & {"\\noselect", "\\nonexistent"}:
                continue
            path = self.path(name, separator)
            self.special[path] = lower & SPECIAL
            self.folders[path] = self._messages(imap, name, habits)
        # a parent that is listed because a child is subscribed is \Noselect here (RFC 3501 6.3.9)
        self.subscribed = {self.path(n, s) for n, s, at in imap.list(b'LSUB "" "*"')
                           if "\\noselect" not in {a.lower() for a in at}} & self.folders.keys()

    def path(self, name, separator):
        if name.upper() == "INBOX":
            return ("INBOX",)
        name = name.removeprefix(self.prefix)
        return tuple(name.split(separator)) if separator else (name,)

    @staticmethod
    def _messages(imap, name, habits):
        found = []

        def take(items):
            raw = items.get(b"BODY[]", b"")
            raw = b"" if raw == b"NIL" else raw
            flags = {f.decode(errors="replace").lower() for f in items[b"FLAGS"]} - {"\\recent"}
            system = frozenset(f for f in flags if f.startswith("\\"))
            altered = {cause: hashlib.sha256(changed).digest() for of in habits for cause, changed in of(raw)}
            date = parsedate_to_datetime(items[b"INTERNALDATE"].decode().strip().replace("-", " ", 2))
            found.append(Message(hashlib.sha256(raw).digest(), altered, int(items[b"UID"]), len(raw), system,
                                 frozenset(flags - system), date.timestamp()))

        imap.fetch_all(name, take)
        return found


class Report:
    """What mailferry said of itself. Folders are paths with "/" below the namespace."""

    def __init__(self, lines=()):
        self.exceptions = {}  # (folder, uid, or None for all of it) → cause
        self.altered = {}     # (folder, uid) → causes of what arrived without something
        self.destination = {}
        self.total = {}
        for line in lines:
            if line.startswith("{"):
                self.take(json.loads(line))

    def take(self, record):
        event, folder, uid = record["event"], record.get("folder"), record.get("uid")
        if event == "exception" and record["missing"]:
            self.exceptions[folder, uid] = record["cause"]
        elif event == "exception":
            self.altered.setdefault((folder, uid), []).append(record["cause"])
        elif event == "folder":
            self.destination[folder] = record["destination"]
        elif event == "total":
            self.total = record

    def lost(self, folder, uid):
        return self.exceptions.get((folder, uid)) or self.exceptions.get((folder, None))


def unlike(a, b):
    """In how many ways two messages of the same bytes differ."""
    return (a.flags != b.flags) + (a.keywords != b.keywords) + (a.date != b.date)


class Comparison:
    def __init__(self, source, there, report=None):
        self.source, self.there = source, there
        self.report = report or Report()
        self.counts = collections.Counter()
        self.allowed = collections.Counter()
        self.differences = collections.Counter()
        self.notes = []
        self.held = sum(map(len, there.folders.values()))
        taken = set()
        for path in source.folders:
            target = self._target(path)
            taken.add(target)
            self._folder(path, target)
        for path in there.folders.keys() - taken:
            extra = len(there.folders[path])
            if not extra and any(p[:len(path)] == path for p in taken):
                self.allowed["a parent that is only a name became an empty folder"] += 1
            elif extra or path != ("INBOX",):
                self._differ("folder only there", f"{'/'.join(path)} ({extra} messages)")

    def _target(self, path):
        to = self.report.destination.get("/".join(path))
        return tuple(to.split("/")) if to and to != "/".join(path) else path

    def _differ(self, cause, note):
        self.differences[cause] += 1
        self.notes.append(f"{cause}: {note}")

    def _differ_unless(self, cause, shown, uid, what, note):
        """A difference, unless mailferry itself named it."""
        if cause in self.report.altered.get((shown, uid), ()):
            self._allow("named: " + cause)
        else:
            self._differ(what, f"{shown}: UID {uid} {note}")

    def _allow(self, what):
        self.allowed[what] += 1

    def _folder(self, path, target):
        shown = "/".join(path)
        messages = self.source.folders[path]
        self.counts["folders"] += 1
        self.counts["messages"] += len(messages)
        if target not in self.there.folders:
            return self._missing_folder(shown, messages)
        if target != path:
            self._allow("folder renamed")
        if self.source.knows_special_use and self.there.knows_special_use:
            want, got = self.source.special[path], self.there.special[target]
            if want - got:
                self._differ("special use", f"{shown}: {sorted(want)}, there {sorted(got)}")
        if (path in self.source.subscribed) != (target in self.there.subscribed):
            self._differ_unless("not-subscribed", shown, None, "subscription", shown)
        self._messages(shown, messages, self.there.folders[target])

    def _missing_folder(self, shown, messages):
        left = [m for m in messages if not self.report.lost(shown, m.uid)]
        if left or (not messages and not self.report.lost(shown, None)):
            self._differ("folder missing", f"{shown} ({len(left)} messages)")
        for m in messages:
            if m not in left:
                self._allow("excepted: " + self.report.lost(shown, m.uid))

    def _messages(self, shown, messages, there):
        places = collections.defaultdict(list)
        for i, m in enumerate(there):
            places[m.digest].append(i)
        order = []
        for m in messages:
            at = self._find(shown, m, there, places)
            if at is not None:
                order.append(at)
                self._compare(shown, m, there[at])
        if order != sorted(order):
            self._differ("order", shown)
        for i in sorted(i for rest in places.values() for i in rest):
            self._differ("extra message", f"{shown}: UID {there[i].uid}, {there[i].size} bytes")

    def _find(self, shown, m, there, places):
        """The place of m there; of twins the one that is most like it."""
        cause = self.report.lost(shown, m.uid)
        if cause and not places[m.digest]:
            return self._allow("excepted: " + cause)
        for how, digest in [("same bytes", m.digest), *m.altered.items()]:
            if places[digest]:
                best = min(places[digest], key=lambda i: unlike(m, there[i]))
                places[digest].remove(best)
                (self.counts if how == "same bytes" else self.allowed)[how] += 1
                return best
        self._differ("message missing", f"{shown}: UID {m.uid}, {m.size} bytes")
        return None

    def _compare(self, shown, m, got):
        if m.flags != got.flags:
            cause = "flags-cut" if got.flags < m.flags else ""
            self._differ_unless(cause, shown, m.uid, "flags",
                                f"{sorted(m.flags)}, there UID {got.uid} {sorted(got.flags)}")
        if m.keywords != got.keywords:
            cause = "flags-cut" if got.keywords < m.keywords else ""
            self._differ_unless(cause, shown, m.uid, "keywords",
                                f"{sorted(m.keywords)}, there UID {got.uid} {sorted(got.keywords)}")
        if m.date != got.date:
            self._differ_unless("date-lost", shown, m.uid, "date", f"{m.date}, there UID {got.uid} {got.date}")

    @property
    def equal(self):
        return not self.differences

    def show(self, most=20):
        print(f"compared     {self.counts['folders']} folders, {self.counts['messages']} messages")
        print(f"same bytes   {self.counts['same bytes']}")
        for cause, n in sorted(self.allowed.items()):
            print(f"allowed      {n}  {cause}")
        for cause, n in sorted(self.differences.items()):
            print(f"DIFFERENT    {n}  {cause}")
        for note in self.notes[:most]:
            print(f"  {note}")
        if len(self.notes) > most:
            print(f"  and {len(self.notes) - most} more")
        print("result       " + ("equal" if self.equal and not self.allowed else
                                 "equal but for what is listed" if self.equal else "NOT EQUAL"))


def accounts(source, there, user, report=None, to_user=None, habit=None):
    """Compares user's accounts on two running servers (server.Server). habit: one more that the destination has, as in
    habits.py."""
    with Imap("127.0.0.1", source.port, user, source.password) as imap:
        a = Account(imap, there.name, habit)
    with Imap("127.0.0.1", there.port, to_user or user, there.password) as imap:
        b = Account(imap)
    return Comparison(a, b, report)


def account(url, password_file, kind=None):
    u = urllib.parse.urlsplit(url)
    with open(password_file, encoding="utf-8") as f:
        password = re.sub(r"\r?\n\Z", "", f.read())
    with Imap(u.hostname, u.port or 143, urllib.parse.unquote(u.username), password) as imap:
        return Account(imap, kind)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for side in ("from", "to"):
        p.add_argument(f"--{side}", dest=side + "_url", required=True)
        p.add_argument(f"--{side}-password-file", required=True)
    p.add_argument("--to-kind", choices=sorted(HABITS), help="the kind of server there")
    p.add_argument("--json", type=argparse.FileType("r"))
    o = p.parse_args()
    source = account(o.from_url, o.from_password_file, o.to_kind)
    there = account(o.to_url, o.to_password_file)
    comparison = Comparison(source, there, Report(o.json))
    comparison.show()
    return 0 if comparison.equal else 1


if __name__ == "__main__":
    sys.exit(main())
