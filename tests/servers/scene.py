# SPDX-License-Identifier: Apache-2.0
"""Two accounts, what people do in them, and passes between them, for test_passes.py and test_crashes.py. Folders are
paths with "/", whatever the server's names look like."""
import collections
import contextlib
import hashlib
import os
import random as random_module

import compare
import mailbox
import product
from imapclient import parse, quote, utf7_encode
from messages import Writer

Seen = collections.namedtuple("Seen", "uid flags date digest")
COUNTS = ("copied", "moved", "adopted", "flags_changed", "gone", "deleted", "removed", "excepted", "changed", "filtered",
          "not_reached", "in_doubt")


class Post:
    """Mail from a seed: [(flags, date, raw)], as imapclient appends it."""

    def __init__(self, seed):
        self.random = random_module.Random(seed)
        self.writer = Writer(self.random)

    def letter(self, flags="", most=20000):
        when = self.random.randrange(mailbox.FIRST, mailbox.LAST)
        raw = self.writer.message(self.writer.size(1500, most), when, self.writer.message_id())
        return flags.encode(), mailbox.imap_date(mailbox.some_date(self.random)), raw

    def letters(self, n, most=20000):
        flags = ["", "\\Seen", "\\Seen \\Answered", "\\Flagged", "\\Seen Work", "$Forwarded"]
        return [self.letter(self.random.choice(flags), most) for _ in range(n)]


def digest(letter):
    return hashlib.sha256(letter[2]).digest()


class Hand:
    """Somebody's hand in one account. Each thing is done over a connection of its own, so that what it leaves
    selected, or what a server tells late, disturbs nobody."""

    def __init__(self, server, user):
        self.server, self.user = server, user

    def name(self, path):
        return mailbox.name_on(self.server, tuple(path.split("/")))

    def quoted(self, path):
        return quote(utf7_encode(self.name(path)))

    @contextlib.contextmanager
    def imap(self, path=None):
        with mailbox.connect(self.server, self.user) as imap:
            if path:
                imap.command(b"SELECT " + self.quoted(path))
            yield imap

    def add(self, path, letters):
        with self.imap() as imap:
            refused = imap.append(self.name(path), letters)
        assert not refused, refused

    def make(self, *paths):
        with self.imap() as imap:
            for path in paths:
                imap.command(b"CREATE " + self.quoted(path))

    def delete(self, *paths):
        with self.imap() as imap:
            for path in paths:
                imap.command(b"DELETE " + self.quoted(path))

    def rename(self, path, to):
        with self.imap() as imap:
            imap.command(b"RENAME " + self.quoted(path) + b" " + self.quoted(to))

    def subscribe(self, path, verb=b"SUBSCRIBE"):
        with self.imap() as imap:
            imap.command(verb + b" " + self.quoted(path))

    def flag(self, path, uids, change):
        """change: "+\\Seen", "-Work" …"""
        with self.imap(path) as imap:
            imap.command(b"UID STORE %s %sFLAGS.SILENT (%s)" % (uid_set(uids), change[:1].encode(), change[1:].encode()))

    def copy(self, path, uids, to):
        with self.imap(path) as imap:
            imap.command(b"UID COPY %s %s" % (uid_set(uids), self.quoted(to)))

    def remove(self, path, uids):
        with self.imap(path) as imap:
            imap.command(b"UID STORE %s +FLAGS.SILENT (\\Deleted)" % uid_set(uids))
            imap.command(b"EXPUNGE")

    def move(self, path, uids, to):
        self.copy(path, uids, to)
        self.remove(path, uids)

    def renew(self, path):
        """The same messages under other UIDs and another UIDVALIDITY."""
        before = self.status(path)["UIDVALIDITY"]
        other = path + " renewed"
        while True:
            self.make(other)
            if self.status(other)["UIDVALIDITY"] != before:
                break
            self.delete(other)  # it is the time in seconds
        if self.uids(path):
            self.copy(path, self.uids(path), other)
        self.delete(path)
        self.rename(other, path)
        assert self.status(path)["UIDVALIDITY"] != before

    # --- looking, with EXAMINE and STATUS only ---

    def look(self, path):
        found = []

        def take(items):
            found.append(Seen(int(items[b"UID"]), flags_of(items), items[b"INTERNALDATE"].decode().strip(),
                              hashlib.sha256(items[b"BODY[]"]).digest()))

        with mailbox.connect(self.server, self.user) as imap:
            imap.fetch_all(self.name(path), take)
        return found

    def uids(self, path):
        return [m.uid for m in self.look(path)]

    def uid(self, path, letter):
        """Of the first message with these bytes."""
        return next(m.uid for m in self.look(path) if m.digest == digest(letter))

    def folders(self):
        with mailbox.connect(self.server, self.user) as imap:
            prefix, _ = imap.namespace()
            return {"/".join(compare_path(n, prefix, s)): at for n, s, at in imap.list()
                    if not {a.lower() for a in at} & {"\\noselect", "\\nonexistent"}}

    def status(self, path):
        with mailbox.connect(self.server, self.user) as imap:
            return status(imap, self.quoted(path))

    def all(self):
        """Everything of the account that a client can see, to be compared with what it was."""
        state = {}
        with mailbox.connect(self.server, self.user) as imap:
            state["subscribed"] = sorted(n for n, _, at in imap.list(b'LSUB "" "*"') if "\\noselect" not in
                                         {a.lower() for a in at})
            for name, _, attributes in imap.list():
                if {a.lower() for a in attributes} & {"\\noselect", "\\nonexistent"}:
                    continue
                found = []
                imap.fetch_all(name, lambda items: found.append((int(items[b"UID"]), flags_of(items), items[b"INTERNALDATE"])),
                               b"(UID FLAGS INTERNALDATE)")
                state[name] = (status(imap, quote(utf7_encode(name))), found)
        return state


def compare_path(name, prefix, separator):
    if name.upper() == "INBOX":
        return ["INBOX"]
    return name.removeprefix(prefix).split(separator) if separator else [name]


def flags_of(items):
    return frozenset(f.decode().lower() for f in items[b"FLAGS"]) - {"\\recent"}


def status(imap, quoted):
    items = b"MESSAGES UIDNEXT UIDVALIDITY" + (b" HIGHESTMODSEQ" if "CONDSTORE" in imap.capabilities else b"")
    answer = next(r for r in imap.command(b"STATUS %s (%s)" % (quoted, items)) if r[0].startswith(b"* STATUS "))
    words = parse(answer)[-1]
    return {k.decode().upper(): int(v) for k, v in zip(words[0::2], words[1::2])}


def uid_set(uids):
    return b",".join(b"%d" % uid for uid in uids)


def differences(before, after):
    """Where two results of Hand.all() are not the same."""
    return [f"{name}: {before.get(name)}, then {after.get(name)}" for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)]


def contents(hand):
    """{folder: [(digest, flags, date)] in order}, and what is subscribed: all that two copies of an account share."""
    state = {}
    with mailbox.connect(hand.server, hand.user) as imap:
        prefix, _ = imap.namespace()
        names = [(n, s, {a.lower() for a in at}) for n, s, at in imap.list()]
        subscribed = {n for n, _, at in imap.list(b'LSUB "" "*"') if "\\noselect" not in {a.lower() for a in at}}
        for name, separator, attributes in names:
            if attributes & {"\\noselect", "\\nonexistent"}:
                continue
            found = state["/".join(compare_path(name, prefix, separator))] = []
            imap.fetch_all(name, lambda items: found.append((hashlib.sha256(items[b"BODY[]"]).digest(), flags_of(items),
                                                             items[b"INTERNALDATE"].strip())))
            found.append(name in subscribed)
    return state


class Scene:
    """A source account, a destination account, and the ledger between them."""

    def __init__(self, test, source, there, user, to_user=None, state=None):
        self.test, self.source, self.there = test, source, there
        self.user, self.to_user = user, to_user or user
        self.old, self.new = Hand(source, user), Hand(there, self.to_user)
        self.state = state or os.path.join(product.state_of(there), self.to_user)

    def copy(self, *options, **more):
        """A run of any end."""
        environment = {"XDG_STATE_HOME": self.state, **more.pop("environment", {})}
        return product.copy(self.source, self.there, self.user, self.to_user, ["--json", *options], environment=environment,
                            **more)

    def run(self, *options, status=0, sum_of=None, **counts):
        """A pass that does what `counts` says and nothing else; the source stays as it was."""
        before = self.old.all()
        result = self.copy(*options)
        self.test.assertEqual(result.status, status, str(result))
        total = result.report().total
        self.test.assertTrue(total, str(result))
        did = {name: total[name] for name in COUNTS if total[name]}
        self.test.assertEqual(did, {name: n for name, n in counts.items() if n}, str(result))
        self.test.assertEqual(total["source"], sum(total[k] for k in ("present", "copied", "moved", "excepted", "changed")),
                              str(result))
        self.test.assertEqual(differences(before, self.old.all()), [], "at the source")
        return result

    def quiet(self, *options, status=0, **counts):
        """A pass that changes nothing, not even a modification sequence at the destination."""
        before = self.new.all()
        result = self.run(*options, status=status, **counts)
        self.test.assertEqual(differences(before, self.new.all()), [], "at the destination\n" + str(result))
        return result

    def differ(self, result=None, habit=None, **more):
        """What differs between the accounts besides order, {kind: how many}, and the notes."""
        report = result.report() if result else None
        comparison = compare.accounts(self.source, self.there, self.user, report, self.to_user, habit)
        found = dict(comparison.differences)
        found.pop("order", None)
        return found, [note for note in comparison.notes if not note.startswith("order")]

    def equal(self, result=None, habit=None, **but):
        """The accounts are equal but for what `but` counts: extra_message=2."""
        found, notes = self.differ(result, habit)
        self.test.assertEqual(found, {name.replace("_", " "): n for name, n in but.items()},
                              "\n".join([*notes[:20], str(result or "")]))

    def ledger_files(self):
        """{path: bytes} of everything in the state folder."""
        found = {}
        for folder, _, names in os.walk(self.state):
            found[folder] = None
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    found[path] = f.read()
        return found

    def ledger(self):
        """The ledger's file."""
        return next(p for p in self.ledger_files() if p.endswith(".db"))
