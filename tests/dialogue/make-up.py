#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes up dialogues: some runs, between them whatever a source may do to its mailbox, some of the runs killed at some
command; at the end two runs that are left alone, after which the destination must hold what the source holds, and the
last of which must have had nothing to do.

    make-up.py FOLDER [--seed N] [--count N]

writes made-up-N.dlg for N from the seed on; the same N is the same dialogue. run.py plays them: run.py … FOLDER"""
import argparse
import os
import random

FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "$Work", "Later"]
TWIN = 'text "Subject: twin\\r\\n\\r\\nsame\\r\\n" date "02-Jan-2020 00:00:00 +0000"'
SOURCES = ["", "-QRESYNC", "-CONDSTORE -QRESYNC", "+OBJECTID"]
DESTINATIONS = ["", "-QRESYNC", "-CONDSTORE -QRESYNC", "-MOVE", "-MULTIAPPEND", "-MULTIAPPEND -MOVE"]
OPTIONS = "--deletes mirror --delete-limit 100"


class Mailbox:
    """The source: which UIDs are in which folder. Its methods do something at random and return the line that says it,
    or None when there is nothing to do it to."""

    def __init__(self, chance):
        self.chance = chance
        self.folders, self.next = {}, {}
        self.uidvalidity, self.names = 100, 0
        self.fixed = set()  # folders whose UIDs and names stay as they are until the next run
        self.flagged = set()

    def flags(self):
        return "(" + " ".join(sorted(self.chance.sample(FLAGS, self.chance.randint(0, 3)))) + ")"

    def any_folder(self):
        return self.chance.choice(sorted(self.folders))

    def any_message(self):
        folder = self.any_folder()
        return folder, self.chance.choice(sorted(self.folders[folder])) if self.folders[folder] else None

    def new_uidvalidity(self):
        self.uidvalidity += 1
        return self.uidvalidity

    def take(self, folder, n):
        """The next UIDs of the folder."""
        first = self.next[folder]
        self.folders[folder] |= set(range(first, first + n))
        self.next[folder] += n
        return f"{first}..{first + n - 1}"

    def found(self, name):
        """Lines that describe a folder."""
        self.folders[name], self.next[name] = set(), 1
        lines = [f'folder "{name}" uidvalidity {self.new_uidvalidity()}']
        for _ in range(self.chance.randint(0, 2)):
            what = TWIN if self.chance.random() < 0.3 else f"size {self.chance.choice([150, 300, 512])}"
            lines.append(f"    message {self.take(name, self.chance.randint(1, 5))} flags {self.flags()} {what}")
        return lines

    # --- changes ---

    def add(self):
        folder = self.any_folder()
        size = self.chance.choice([150, 300, 512]) + len(folder)
        return f'add "{folder}" message {self.take(folder, self.chance.randint(1, 3))} size {size} flags {self.flags()}'

    def add_twin(self):
        folder = self.any_folder()
        return f'add "{folder}" message {self.take(folder, 1)} {TWIN}'

    def remove(self):
        folder, uid = self.any_message()
        self.folders[folder].discard(uid)
        return uid and f'remove "{folder}" {uid}'

    def change_flags(self):
        folder, uid = self.any_message()
        if not uid or folder in self.fixed:
            return None
        self.flagged.add(folder)
        return f'flags "{folder}" {uid} {self.flags()}'

    def bring(self, verb):
        folder, uid = self.any_message()
        other = self.any_folder()
        if not uid or other == folder:
            return None
        self.take(other, 1)
        if verb == "move":
            self.folders[folder].discard(uid)
        return f'{verb} "{folder}" {uid} to "{other}"'

    def move(self):
        return self.bring("move")

    def copy(self):
        return self.bring("copy")

    def create(self):
        self.names += 1
        name = f"New {self.names}"
        self.folders[name], self.next[name] = set(), 1
        return f'create "{name}" uidvalidity {self.new_uidvalidity()}'

    def rename(self):
        folder = self.any_folder()
        if folder == "INBOX" or folder in self.fixed:
            return None
        self.names += 1
        name = f"Other {self.names}"
        self.folders[name], self.next[name] = self.folders.pop(folder), self.next.pop(folder)
        self.fixed.add(name)
        return f'rename "{folder}" "{name}"'

    def renumber(self):
        folder = self.any_folder()
        if folder in self.flagged:  # a copy whose flags changed at the same moment is only known by its bytes
            return None
        first = self.chance.choice([1, 50])
        self.next[folder] = first + len(self.folders[folder])
        self.folders[folder] = set(range(first, self.next[folder]))
        self.fixed.add(folder)
        return f'uidvalidity "{folder}" {self.new_uidvalidity()} renumber from {first}'

    def changes(self):
        kinds = [self.add, self.add, self.add, self.add_twin, self.remove, self.change_flags, self.change_flags,
                 self.move, self.move, self.copy, self.create, self.rename, self.renumber]
        self.fixed, self.flagged = set(), set()
        lines = [self.chance.choice(kinds)() for _ in range(self.chance.randint(1, 6))]
        return [line for line in lines if line]


def make(seed):
    chance = random.Random(seed)
    source = Mailbox(chance)
    described = [line for name in ["INBOX", "A", "B/C"][:chance.randint(1, 3)] for line in source.found(name)]
    options = OPTIONS + chance.choice(["", " --connections 1"])
    head, rules = [f"# Made up, {seed}."], []
    runs = chance.randint(2, 5)
    for run in range(1, runs + 1):
        killed = chance.random() < 0.5
        head += ["run", f"    options: {options}", f"    exit: 0 1{' killed' if killed else ''}"]
        if killed:
            rules += [f"    on command run {run} nth {chance.randint(2, 30)}: *", "        kill",
                      "        " + chance.choice(["default", "close"])]
        changes = source.changes()
        head += ["change from", *("    " + line for line in changes)] if changes else []
    for then in ([], ["    stdout: copied 0"]):
        head += ["run", f"    options: {options}", "    exit: 0", *then]
    rules += [f"    expect after run {runs + 2}: no command APPEND * | UID STORE * | UID MOVE * | UID EXPUNGE * | "
              "CREATE * | RENAME *"]
    rules += [f'    expect "{name}" copies from "{name}"' for name in sorted(source.folders)]
    return "\n".join([*head, "", "server from", f"    capability: {chance.choice(SOURCES) or '+ID'}",
                      *("    " + line for line in described), "", "server to",
                      f"    capability: {chance.choice(DESTINATIONS) or '+ID'}", *rules, ""])


def main():
    parser = argparse.ArgumentParser(description="Makes up dialogues.")
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    args = parser.parse_args()
    os.makedirs(args.folder, exist_ok=True)
    for seed in range(args.seed, args.seed + args.count):
        with open(os.path.join(args.folder, f"made-up-{seed}.dlg"), "w", encoding="utf-8") as f:
            f.write(make(seed))


main()
