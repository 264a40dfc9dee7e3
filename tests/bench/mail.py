# SPDX-License-Identifier: Apache-2.0
"""Mail for measuring: many messages that differ, quickly made and quickly put into a server's files; and what people do
to a mailbox in a day. Everything follows from a seed."""
import os
import random
import re

import mailbox
from imapclient import quote
from messages import FIRST, LAST, Writer
from server import give_all

# (folder, share of the messages): one large, most small, as it is
FOLDERS = [("INBOX", 30), ("Sent", 15), ("Archive/2014", 12), ("Archive/2019", 10), ("Lists/dev", 8), ("Archive", 4),
           ("Trash", 4), ("Junk", 3), ("Drafts", 1), ("Projects/alpha", 2), ("Projects/beta", 2), ("Projects", 1),
           ("Lists", 1), ("Lists/users", 2), ("Travel", 1), ("Invoices", 1), ("Family", 1), ("Receipts", 1), ("Later", 1)]
SMALL = 200  # a mailbox of fewer messages has only the first folders
FEW = 6
PLACE = b"000000000000@bench.example.org"
SEEN, ANSWERED, FLAGGED = 0.8, 0.2, 0.06  # no \Deleted, no keywords: a rival leaves those out, and does less work


class Letters:
    """Messages of about one size: patterns, in which each message has a Message-ID of its own."""

    def __init__(self, seed, size, patterns=500):
        chance = random.Random(seed)
        writer = Writer(chance)
        self.patterns = [writer.message(int(size * chance.uniform(0.7, 1.3)), chance.randrange(FIRST, LAST),
                                        "<%s>" % PLACE.decode()) for _ in range(patterns)]

    def raw(self, n):
        return self.patterns[n % len(self.patterns)].replace(PLACE, b"%012d@bench.example.org" % n, 1)


def fill(server, user, letters, count, seed, first=0):
    """Writes the Maildir of a new user of a Dovecot. `first`: the first message's number. Returns the bytes."""
    chance = random.Random(f"{seed}/{user}")
    folders = FOLDERS if count >= SMALL else FOLDERS[:FEW]
    root, size, paths = os.path.join(server.home(user), "Maildir"), 0, {}
    for name, _ in folders:
        paths[name] = root if name == "INBOX" else os.path.join(root, name)
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(paths[name], sub))
    for i, name in enumerate(chance.choices([f[0] for f in folders], [f[1] for f in folders], k=count)):
        raw = letters.raw(first + i)
        size += len(raw)
        flags = "".join(letter for letter, share in (("F", FLAGGED), ("R", ANSWERED), ("S", SEEN)) if chance.random() < share)
        file = f"{paths[name]}/cur/{1000000000 + i}.M{i}P1.host,S={len(raw)},W={len(raw)}:2,{flags}"
        fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        written = os.write(fd, raw)
        assert written == len(raw)
        os.utime(fd, (chance.randrange(FIRST, LAST),) * 2)
        os.close(fd)
    with open(os.path.join(root, "subscriptions"), "w") as f:
        f.writelines(name + "\n" for name, _ in folders[:FEW])
    give_all(server.home(user))
    return size


def held(server, user):
    """How many messages a user has, by the server's own count."""
    with mailbox.connect(server, user) as imap:
        answers = imap.command(b'LIST "" "*" RETURN (STATUS (MESSAGES))')
    return sum(int(m.group(1)) for r in answers if (m := re.search(rb"^\* STATUS .*\(MESSAGES (\d+)\)", r[0])))


def uids(imap, what):
    answer = next(r for r in imap.command(b"UID SEARCH " + what) if r[0].startswith(b"* SEARCH"))
    return [int(word) for word in answer[0].split()[2:]]


def store(imap, numbers, change):
    for i in range(0, len(numbers), 1000):  # a server limits the length of a command
        imap.command(b"UID STORE %s +FLAGS.SILENT (%s)" % (b",".join(b"%d" % n for n in numbers[i:i + 1000]), change))


class Changes:
    """A day in a mailbox: new messages, flags and deletions, a share of each folder. No message is both flagged and deleted."""

    def __init__(self, letters, seed, first):
        self.letters, self.chance, self.next = letters, random.Random(f"{seed}/changes"), first
        self.new = self.flagged = self.deleted = 0

    def _part(self, count, share):
        """So many of them that it is right on average in small folders, too."""
        exact = count * share
        return int(exact) + (self.chance.random() < exact - int(exact))

    def make(self, server, user, new=0.01, flagged=0.01, deleted=0.005):
        """(new, flagged, deleted)"""
        before = self.new, self.flagged, self.deleted
        with mailbox.connect(server, user) as imap:
            for name in sorted(n for n, _, at in imap.list() if "\\Noselect" not in at):
                self._folder(imap, name, new, flagged, deleted)
        return tuple(a - b for a, b in zip((self.new, self.flagged, self.deleted), before))

    def _folder(self, imap, name, new, flagged, deleted):
        imap.command(b"SELECT " + quote(name.encode()))
        there = uids(imap, b"ALL")
        plain = uids(imap, b"UNFLAGGED")
        to_flag = sorted(self.chance.sample(plain, min(len(plain), self._part(len(there), flagged))))
        rest = sorted(set(there) - set(to_flag))
        to_delete = sorted(self.chance.sample(rest, min(len(rest), self._part(len(there), deleted))))
        if to_flag:
            store(imap, to_flag, b"\\Flagged")
        if to_delete:
            store(imap, to_delete, b"\\Deleted")
            imap.command(b"EXPUNGE")
        fresh = [(b"", b"03-Feb-2025 10:00:00 +0000", self.letters.raw(self.next + i))
                 for i in range(self._part(len(there), new))]
        refused = imap.append(name, fresh)
        assert not refused, refused
        self.next += len(fresh)
        self.new, self.flagged, self.deleted = (self.new + len(fresh), self.flagged + len(to_flag),
                                                self.deleted + len(to_delete))
