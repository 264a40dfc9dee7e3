# SPDX-License-Identifier: Apache-2.0
"""Real messages from the folder $MAILFERRY_CORPUS: its files that are mail, by their folder there. Test input only:
no test prints an excerpt of one."""
import os
import random as random_module
import re

import mailbox
from server import ROOT

FOLDER = os.path.abspath(os.environ.get("MAILFERRY_CORPUS", os.path.join(ROOT, "..", "shared", "corpus")))
NOT_MAIL = {"pst", "tnef"}
NOT_MAIL_NAMES = re.compile(r"(?i)^(source\.txt|readme.*|licen[cs]e.*|copying.*|sha256sums|\.gitattributes|"
                            r".*\.(changes|license|ya?ml|json|xml|list|bin|pem|key|html?|gz|zip))$")
MBOX_FROM = re.compile(rb"(?m)(?:\A|(?<=\n\n)|(?<=\r\n\r\n))(?=From [^\r\n]+\d{4}\r?\n)")


def exists():
    return os.path.isdir(FOLDER)


def files():
    for folder, subs, names in os.walk(FOLDER):
        subs[:] = sorted(s for s in subs if s not in NOT_MAIL)
        for name in sorted(names):
            if not NOT_MAIL_NAMES.match(name):
                yield os.path.join(folder, name)


def messages():
    """[(topmost folder, file, bytes)]; an mbox is taken apart at its From lines."""
    found = []
    for path in files():
        with open(path, "rb") as f:
            raw = f.read()
        short = os.path.relpath(path, FOLDER)
        parts = [raw]
        if path.endswith(".mbox"):
            parts = [p for p in MBOX_FROM.split(raw) if p]
        found += [(short.split(os.sep)[0], short, part) for part in parts]
    return found


def make(line_ends, found, seed=1):
    """A mailbox of messages() or a part of them. "CRLF": each line ended as IMAP wants it; "found": the bytes as
    they are."""
    random = random_module.Random(seed)
    box = mailbox.Mailbox(seed)
    for top, short, raw in found:
        if line_ends == "CRLF":
            raw = re.sub(rb"\r?\n", b"\r\n", raw)
        folder = box.folder(("Corpus", top))
        folder.messages.append(mailbox.Message(raw, mailbox.some_flags(random), mailbox.some_date(random), short))
    return box
