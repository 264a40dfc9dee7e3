# SPDX-License-Identifier: Apache-2.0
"""A mailbox as somebody might have filled it in fifteen years, made from a seed, and ways to put it into a server.

    mailbox = make(seed=1, count=2000)
    load(mailbox, server, "alice")             through IMAP
    load_maildir(mailbox, server, "alice")     straight into a Dovecot's files
"""
import collections
import os
import random as random_module

from datetime import datetime, timedelta, timezone

from imapclient import Imap, Refused, quote, utf7_encode
from messages import FIRST, LAST, ZONES, Writer, hard_cases
from server import HOST, give_all

# (path, share of the messages, special use)
FOLDERS = [
    (("INBOX",), 40, None), (("Sent",), 15, "\\Sent"), (("Drafts",), 1, "\\Drafts"), (("Trash",), 4, "\\Trash"),
    (("Junk",), 4, "\\Junk"), (("Archive",), 2, "\\Archive"), (("Archive", "2012"), 3, None),
    (("Archive", "2016"), 4, None), (("Archive", "2016", "Q1"), 2, None), (("Lists", "dev"), 6, None),
    (("Projekte", "Übergabe", "Küche & Bad"), 3, None), (("日本語", "受信"), 3, None), (("Ελληνικά",), 2, None),
    (("हिन्दी",), 1, None), (("עברית",), 1, None), (("A & B",), 2, None), (("with  two spaces",), 1, None),
    (("Test",), 1, None), (("test",), 1, None), (("percent% and star",), 1, None), (("2019",), 1, None),
    (("quote\"back\\slash",), 1, None), (("emoji 📧",), 1, None), (("tilde~ and &-",), 1, None),
]
EMPTY = [("Empty",), ("Archive", "2023"), ("Lists", "quiet")]
SUBSCRIBED = {("INBOX",), ("Sent",), ("Drafts",), ("Lists", "dev"), ("日本語", "受信"), ("A & B",)}
KEYWORDS = ["$Forwarded", "$MDNSent", "NonJunk", "$Label1", "todo.later", "Work"]
FLAGS = [("\\Seen", 0.8), ("\\Answered", 0.2), ("\\Flagged", 0.06), ("\\Deleted", 0.01)]
LETTERS = {"\\Seen": "S", "\\Answered": "R", "\\Flagged": "F", "\\Deleted": "T", "\\Draft": "D"}

Message = collections.namedtuple("Message", "raw flags date name")


class Folder:
    def __init__(self, path, special=None):
        self.path, self.special = path, special
        self.subscribed = path in SUBSCRIBED
        self.messages = []


class Mailbox:
    def __init__(self, seed):
        self.seed = seed
        self.folders = {}

    def folder(self, path, special=None):
        return self.folders.setdefault(path, Folder(path, special))

    def count(self):
        return sum(len(f.messages) for f in self.folders.values())

    def size(self):
        return sum(len(m.raw) for f in self.folders.values() for m in f.messages)


def make(seed=1, count=2000, hard=True, median=8192, largest=6 << 20):
    """About `count` messages; `hard` adds a folder with the hard cases."""
    random = random_module.Random(seed)
    writer = Writer(random)
    box = Mailbox(seed)
    for path, _, special in FOLDERS:
        box.folder(path, special)
    for path in EMPTY:
        box.folder(path)
    folders = random.choices([f[0] for f in FOLDERS], [f[1] for f in FOLDERS], k=count)
    last_id = None
    for path in folders:
        folder, chance = box.folder(path), random.random()
        if chance < 0.01 and folder.messages:  # the same bytes twice
            raw = folder.messages[-1].raw
        else:
            when = random.randrange(FIRST, LAST)
            size = writer.size(median, largest)
            fresh = writer.message_id()
            message_id = None if chance < 0.04 else last_id if chance < 0.05 else fresh
            last_id = fresh
            raw = writer.message(size, when, message_id, raw_8bit=0.05 <= chance < 0.07,
                                 received=path not in (("Sent",), ("Drafts",)))
        folder.messages.append(Message(raw, some_flags(random, path), some_date(random), ""))
    if hard:
        for name, raw in hard_cases():
            box.folder(("Hard cases",)).messages.append(Message(raw, some_flags(random), some_date(random), name))
    return box


def some_flags(random, path=()):
    flags = {name for name, share in FLAGS if random.random() < share}
    flags |= {k for k in KEYWORDS if random.random() < 0.04}
    return frozenset(flags | ({"\\Draft"} if path == ("Drafts",) else set()))


def some_date(random):
    zone = timezone(timedelta(minutes=random.choice(ZONES)))
    return datetime.fromtimestamp(random.randrange(FIRST, LAST), zone)


def imap_date(date):
    return date.strftime("%d-%b-%Y %H:%M:%S %z").encode()


def connect(server, user):
    return Imap(HOST, server.port, user, server.password)


def name_on(server, path):
    """The folder's name on a server, or None when that cannot be said there."""
    if any(server.separator in part for part in path):
        return None
    name = server.separator.join(path)
    if path[0] == "INBOX" and len(path) == 1:
        return name
    return server.prefix + name


def load(mailbox, server, user, log=lambda line: None):
    """Creates and fills the folders. What the server refuses is logged and left out; returns its names."""
    refused = []
    with connect(server, user) as imap:
        for folder in mailbox.folders.values():
            name = name_on(server, folder.path)
            if name is None or not _create(imap, name, folder.special):
                log("refused the folder " + "/".join(folder.path))
                refused.append("/".join(folder.path))
                continue
            items = [(" ".join(sorted(m.flags)).encode(), imap_date(m.date), m.raw) for m in folder.messages]
            for index, words in imap.append(name, items):
                what = folder.messages[index].name or f"message {index} of {name}"
                log(f"refused {what}: {words.strip()}")
                refused.append(what)
            if folder.subscribed:
                imap.command(b"SUBSCRIBE " + quote(utf7_encode(name)))
    return refused


def _create(imap, name, special=None):
    if name == "INBOX":
        return True
    use = b""
    if special and "CREATE-SPECIAL-USE" in imap.capabilities:
        use = b" (USE (%s))" % special.encode()
    try:
        imap.command(b"CREATE " + quote(utf7_encode(name)) + use)
    except Refused as e:
        return "exist" in str(e).lower()
    return True


def load_maildir(mailbox, server, user, line_ends="CRLF"):
    """Writes the files of a Dovecot that keeps Maildirs; the server may already run, the user must be new.
    line_ends="LF" stores messages the way mail transports write them, anything else as they are."""
    root = os.path.join(server.home(user), "Maildir")
    number = 0
    for folder in mailbox.folders.values():
        path = _maildir(root, folder.path, server.layout)
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(path, sub), exist_ok=True)
        with open(os.path.join(path, "dovecot-keywords"), "w") as f:
            f.writelines(f"{i} {k}\n" for i, k in enumerate(KEYWORDS))
        for m in folder.messages:
            number += 1
            raw = m.raw.replace(b"\r\n", b"\n") if line_ends == "LF" else m.raw
            letters = "".join(sorted(LETTERS[f] for f in m.flags if f in LETTERS))
            letters += "".join(chr(97 + i) for i, k in enumerate(KEYWORDS) if k in m.flags)
            file = os.path.join(path, "cur", f"{1000000000 + number}.M{number}P1.host,S={len(raw)}:2,{letters}")
            with open(file, "wb") as f:
                f.write(raw)
            os.utime(file, (m.date.timestamp(), m.date.timestamp()))
    with open(os.path.join(root, "subscriptions"), "w") as f:
        names = [name_on(server, folder.path) for folder in mailbox.folders.values() if folder.subscribed]
        f.writelines(utf7_encode(n.removeprefix(server.prefix)).decode() + "\n" for n in names)
    give_all(server.home(user))


def _maildir(root, path, layout):
    parts = [utf7_encode(p).decode() for p in path]
    if path == ("INBOX",):
        return root
    return os.path.join(root, *parts) if layout == "plain" else os.path.join(root, "." + ".".join(parts))
