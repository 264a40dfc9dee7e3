# SPDX-License-Identifier: Apache-2.0
"""People at work in a mailbox: a seeded second client that adds, flags, moves, deletes and renames, a little at a time.
It knows what it did only from the server, as any client does."""
import random as random_module

import mailbox
from imapclient import Refused, quote, utf7_encode
from messages import Writer


class Busy:
    """One user's client. step() does one thing; what the server refuses is left undone."""

    def __init__(self, server, user, seed, folders=("INBOX", "Sent", "Work")):
        self.server, self.user = server, user
        self.random = random_module.Random(seed)
        self.writer = Writer(self.random)
        self.imap = mailbox.connect(server, user)
        self.names = {f: f for f in folders}  # what it is called now
        self.serial = 0
        self.done = {}
        for folder in folders[1:]:
            self.command(b"CREATE " + self.quoted(folder))

    def close(self):
        self.imap.close()

    def quoted(self, folder):
        return quote(utf7_encode(mailbox.name_on(self.server, (self.names[folder],))))

    def command(self, line, each=None):
        """Whether the server did it. One that ends the connection, because the folder is gone, is called again."""
        try:
            self.imap.command(line, each)
            return True
        except Refused:
            return False
        except (EOFError, OSError):
            self.imap = mailbox.connect(self.server, self.user)
            return False

    def uids(self, folder):
        lines = []
        if not self.command(b"SELECT " + self.quoted(folder)) or not self.command(b"UID SEARCH ALL", lines.append):
            return []
        return [int(n) for line in lines if line[0].startswith(b"* SEARCH") for n in line[0].split()[2:] if n.isdigit()]

    def some(self, folder, most):
        uids = self.uids(folder)
        return self.random.sample(uids, min(len(uids), self.random.randint(1, most))) if uids else []

    def step(self):
        what = self.random.choices([self.add, self.flag, self.move, self.delete, self.rename, self.refill],
                                   [40, 25, 15, 10, 4, 2])[0]
        self.done[what.__name__] = self.done.get(what.__name__, 0) + 1
        what()

    def folder(self):
        return self.random.choice(list(self.names))

    def messages(self, n):
        made = []
        for _ in range(n):
            when = self.random.randrange(mailbox.FIRST, mailbox.LAST)
            raw = self.writer.message(self.writer.size(1500, 40000), when, self.writer.message_id())
            made.append((b"\\Seen" if self.random.random() < 0.5 else b"", mailbox.imap_date(mailbox.some_date(self.random)), raw))
        if self.random.random() < 0.1:
            made.append(made[-1])  # a twin
        return made

    def add(self):
        self.append(self.folder(), self.random.randint(1, 5))

    def append(self, folder, n):
        try:
            self.imap.append(mailbox.name_on(self.server, (self.names[folder],)), self.messages(n))
        except (EOFError, OSError):
            self.imap = mailbox.connect(self.server, self.user)

    def flag(self):
        folder = self.folder()
        sign = self.random.choice([b"+", b"-"])
        flag = self.random.choice([b"\\Seen", b"\\Flagged", b"\\Answered"])
        for uid in self.some(folder, 4):
            self.command(b"UID STORE %d %sFLAGS.SILENT (%s)" % (uid, sign, flag))

    def remove(self, uids):
        for uid in uids:
            self.command(b"UID STORE %d +FLAGS.SILENT (\\Deleted)" % uid)
        self.command(b"EXPUNGE")

    def move(self):
        here, there = self.random.sample(list(self.names), 2)
        uids = self.some(here, 3)
        moved = [uid for uid in uids if self.command(b"UID COPY %d %s" % (uid, self.quoted(there)))]
        self.remove(moved)

    def delete(self):
        self.remove(self.some(self.folder(), 3))

    def rename(self):
        folder = self.random.choice([f for f in self.names if f != "INBOX"])
        self.serial += 1
        before = self.quoted(folder)
        old, self.names[folder] = self.names[folder], f"{folder}{self.serial}"
        if not self.command(b"RENAME " + before + b" " + self.quoted(folder)):
            self.names[folder] = old

    def refill(self):
        """Emptied, deleted and made again under the same name: other UIDs, another UIDVALIDITY."""
        folder = self.random.choice([f for f in self.names if f != "INBOX"])
        self.command(b"UNSELECT") or self.command(b"CLOSE")
        name = self.quoted(folder)
        if self.command(b"DELETE " + name) and self.command(b"CREATE " + name):
            self.append(folder, 4)
