#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demonstration behind ./demo."""
import argparse
import os
import re
import signal
import subprocess
import sys
import textwrap
import time

import compare
import mailbox
from demo_gateway import Gateway, Trouble
from dovecot import Dovecot, lmtp
from imapclient import quote, utf7_encode
from scene import Hand, Post
from server import Authority, Scratch, exit_on_signals, free_ports

USER, OTHERS, LAST = "alice", ["anna", "ben", "chen"], "dora"
KILL = "ledger-committed:30"  # somewhere in the middle: all folders together make a hundred commits or so


class Failed(Exception):
    pass


def say(text):
    print("\n" + textwrap.fill(text, 96) + "\n", flush=True)


def quoted(word):
    return "'" + word + "'" if re.search(r"[ <>]", word) and not word.startswith("[") else word


def trimmed(text, first, last):
    lines = text.splitlines()
    if len(lines) <= first + last + 1:
        return lines
    return lines[:first] + ["  …"] + lines[len(lines) - last:]


class Demo:
    def __init__(self, options, scratch, source, there):
        self.program, self.scratch, self.source, self.there = options.program, scratch, source, there
        self.state = scratch.folder("state")
        self.many = scratch.folder("migration")
        self.mailbox = mailbox.make(options.seed, 200 if options.short else 2000)
        self.others = {u: mailbox.make(options.seed + i, 40 if options.short else 300, hard=False)
                       for i, u in enumerate([*OTHERS, LAST], 1)}
        for box in self.others.values() if options.short else ():
            box.folders = dict(list(box.folders.items())[:8])
        self.post = Post(options.seed)
        self.told = False

    # --- commands ---

    def run(self, *words, shown=None, status=0, keep=None, environment=None, folder=None):
        """Runs mailferry as one would type it. keep: so many of the first and of the last lines are shown."""
        settings = [f"{k}={v}" for k, v in (environment or {}).items()]
        print("$ " + " ".join([*settings, "mailferry", *map(quoted, shown or words)]).replace(self.scratch.path, "…"), flush=True)
        result = subprocess.run([os.path.abspath(self.program), *words], stdin=subprocess.DEVNULL, cwd=folder,
                                env={**os.environ, **(environment or {})},
                                stdout=subprocess.PIPE if keep else None, text=True)
        if keep:
            print("\n".join(trimmed(result.stdout, *keep)).replace(self.scratch.path, "…"), flush=True)
        if result.returncode != status:
            raise Failed(f"mailferry {words[0]} ended with status {result.returncode}")

    def alice(self, verb, *more, **how):
        """A command about the first mailbox; its accounts are shown once."""
        accounts = ["--from", self.source.url(USER, tls=True), "--to", self.there.url(USER, tls=True),
                    "--from-password-file", self.source.password_file, "--to-password-file", self.there.password_file,
                    "--ca-file", self.source.ca_file, "--state", self.state]
        self.run(verb, *accounts, *more, shown=[verb, "[as above]", *more] if self.told else None, **how)
        self.told = True

    def compare(self, user, messages=None):
        comparison = compare.accounts(self.source, self.there, user)
        comparison.show()
        if not comparison.equal:
            raise Failed("the two mailboxes differ")
        if messages and comparison.counts["messages"] != messages:
            raise Failed(f"{comparison.counts['messages']} messages were compared, {messages} were made")

    def count_there(self):
        total = 0
        with mailbox.connect(self.there, USER) as imap:
            for name, _, attributes in imap.list():
                if "\\noselect" not in {a.lower() for a in attributes}:
                    answer = imap.command(b"STATUS " + quote(utf7_encode(name)) + b" (MESSAGES)")
                    total += int(re.search(rb"MESSAGES (\d+)", answer[0][-1]).group(1))
        return total

    # --- the steps ---

    def fill(self):
        for user, box in ((USER, self.mailbox), *self.others.items()):
            refused = mailbox.load(box, self.source, user)
            assert not refused, refused
        say(f"The old server now has a mailbox as fifteen years leave it: {self.mailbox.count()} messages in "
            f"{len(self.mailbox.folders)} folders, {self.mailbox.size() / 2**20:.0f} MiB, with names in many scripts, twins, "
            f"messages without Message-ID, and a folder of {len(self.mailbox.folders[('Hard cases',)].messages)} messages "
            f"that break mail programs (seed {self.mailbox.seed}).")

    def first_pass(self):
        say("First a dry run: it shows which folder becomes which, and changes nothing.")
        self.alice("copy", "--dry-run")
        say("Now the copy, over verified TLS on both sides; and in the middle of it the program is killed, as by kill -9, "
            "behind one of its commits to the ledger.")
        self.alice("copy", environment={"MAILFERRY_STEP_KILL": KILL}, status=-signal.SIGKILL, keep=(0, 6))
        there, made = self.count_there(), self.mailbox.count()
        print(f"Killed. The new server has {there} of {made} messages.")
        if not 0 < there < made:
            raise Failed("that was not in the middle")
        say("The same command again. What the ledger knows is left alone; what was sent before the end and is not in the "
            "ledger is found at the destination; only the rest is copied. The closing table counts every message.")
        self.alice("copy", keep=(0, 4))
        say("A comparison by a program that shares no code with mailferry: every message's bytes (SHA-256), flags, "
            "keywords, date and order, and every folder's special use and subscription. Nothing is missing or there twice.")
        self.compare(USER, made)

    def later_passes(self):
        say("Once more: there is nothing to do, and one listing of each side is all that it takes.")
        began = time.monotonic()
        self.alice("copy")
        print(f"That took {time.monotonic() - began:.2f} seconds.")

        say("The users go on working at the old server for a day: ten new messages and a new folder, flags, messages moved "
            "to another folder and deleted, a folder renamed.")
        self.work()
        say("The delta pass does the same at the new server. What was moved there is moved, not sent again; deletions are "
            "repeated because we say so (else they are only noted).")
        self.alice("copy", "--deletes", "mirror", keep=(0, 24))
        self.compare(USER)

    def work(self):
        hand = Hand(self.source, USER)
        inbox = hand.uids("INBOX")
        hand.add("INBOX", self.post.letters(10))
        hand.flag("INBOX", inbox[:5], "+\\Flagged")
        hand.flag("INBOX", inbox[5:8], "+Work")
        hand.make("Projects")
        hand.move("INBOX", inbox[10:16], "Projects")
        hand.remove("Junk", hand.uids("Junk")[:3])
        hand.rename("Test", "Tests of last year")

    def verify(self):
        say("Last, mailferry verify holds both sides against the ledger; with --level content it reads every message "
            "from both sides.")
        self.alice("verify", "--level", "content", keep=(11, 4))

    def wave(self):
        say("Many mailboxes are in a configuration, which mailferry init writes, commented, to be edited.")
        conf = os.path.join(self.many, "mailferry.conf")
        self.run("init", "--dir", self.many, keep=(1, 0))
        self.edit(conf, {"state": ["state"], "ca_file": [self.source.ca_file], "login": ["{local}", "{local}"],
                         "url": [self.source.url("x", tls=True).replace("x@", ""),
                                 self.there.url("x", tls=True).replace("x@", "")],
                         "password_file": [self.source.password_file, self.there.password_file]})
        with open(os.path.join(self.many, "mailboxes.csv"), "a", encoding="utf-8") as f:
            f.writelines(f"{user}@example.org,,,pilot\n" for user in OTHERS)
            f.write(f"{LAST}@example.org,,,second\n")
        self.run("copy", "--wave", "pilot", folder=self.many)
        print()
        self.run("status", "--wave", "pilot", "--all", folder=self.many)
        print()
        self.run("verify", "--wave", "pilot", folder=self.many, keep=(0, 1))
        for user in OTHERS:
            self.compare(user, self.others[user].count())

    def gateway(self):
        say("And new mail? The domain's MX points to mailferry gateway, which delivers each message to where its recipient is at "
            "that moment: here by LMTP to either server.")
        gateway = Gateway(self, [f"{user}@example.org" for user in (*OTHERS, LAST)])
        gateway.start()
        say("Those of the wave are copied and verified: their mail goes to the new server from here on. A client begins to send "
            "twenty messages a second, to all four. Dora's still go to the old server, and her mailbox is copied meanwhile.")
        gateway.command("route", "set", "new", "--wave", "pilot", "--reason", "verified today")
        gateway.begin_sending()
        self.run("copy", "--wave", "second", folder=self.many, keep=(1, 1))
        gateway.wait_for_mail_to(LAST)
        say("Now she moves, and what came for her at the old server meanwhile is brought over by a last pass.")
        gateway.command("route", "set", "new", f"{LAST}@example.org")
        gateway.wait_for_mail_to(LAST)
        gateway.end_sending()
        self.run("copy", "--wave", "second", folder=self.many, keep=(1, 1))
        say("Nothing waits; this is the way that one of the last messages went; and the journal is held against itself.")
        gateway.command("queue", "list")
        gateway.command("trace", gateway.last_for(LAST))
        gateway.stop()
        self.run("audit", "state/journal", folder=self.many)
        print()
        gateway.check()

    def edit(self, path, values):
        """Gives keys their values, in the order of the file, and shows them."""
        with open(path, encoding="utf-8") as f:
            lines = f.read().splitlines()
        print("$ edit mailferry.conf mailboxes.csv")
        for i, line in enumerate(lines):
            key = re.match(r"#?(\w+) = ", line)
            if re.match(r"\[(mailferry|platform .*)\]", line):
                print("  " + line)
            elif key and values.get(key[1]):
                lines[i] = f"{key[1]} = {values[key[1]].pop(0)}"
                print("  " + lines[i].replace(self.scratch.path, "…"))
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")


def takes_mail(port):
    """Settings of Dovecot; its users are called by what stands before the @."""
    settings = lmtp(port, more="auth_username_format = %Ln")
    if not settings:
        raise SystemExit("demo: tools/install-packages.sh targets was not run")
    return settings


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--program", required=True)
    p.add_argument("--short", action="store_true")
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args()
    exit_on_signals()
    began = time.monotonic()
    with Scratch() as scratch:
        common = dict(users=[USER, *OTHERS, LAST], authority=Authority(scratch.folder("ca")), where=scratch.path)
        say("Two private Dovecot servers start on this machine: the old one keeps all folders below INBOX with dots "
            "between the names, in Maildirs; the new one has slashes, no prefix and another storage format.")
        old, new = free_ports(2)
        with Dovecot(layout="inbox", format="maildir", extra=takes_mail(old), **common) as source, \
                Dovecot(layout="plain", format="sdbox", extra=takes_mail(new), **common) as there:
            source.lmtp, there.lmtp = old, new
            demo = Demo(o, scratch, source, there)
            try:
                for step in (demo.fill, demo.first_pass, demo.later_passes, demo.verify, demo.wave, demo.gateway):
                    step()
            except (Failed, Trouble) as e:
                print(f"demo: {e}", file=sys.stderr)
                return 1
    say(f"Done in {time.monotonic() - began:.0f} seconds; the servers are stopped and their files removed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
