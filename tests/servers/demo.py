#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demonstration behind ./demo."""
import argparse
import subprocess
import sys
import textwrap
import time

import compare
import mailbox
from dovecot import Dovecot
from server import Authority, Scratch, exit_on_signals

USER = "alice"


def say(text):
    print("\n" + textwrap.fill(text, 96) + "\n", flush=True)


def run(program, source, there, scratch, *more):
    command = [program, "copy", "--from", source.url(USER, tls=True), "--to", there.url(USER, tls=True),
               "--from-password-file", source.password_file, "--to-password-file", there.password_file,
               "--ca-file", source.ca_file, *more]
    shown = " ".join(command).replace(scratch.path, "…")
    print("$ " + shown.replace(program, "mailferry", 1), flush=True)
    return subprocess.run(command, stdin=subprocess.DEVNULL).returncode


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--program", required=True)
    p.add_argument("--short", action="store_true")
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args()
    exit_on_signals()
    began = time.monotonic()
    with Scratch() as scratch:
        authority = Authority(scratch.folder("ca"))
        say("Two private Dovecot servers start on this machine: the old one keeps all folders below INBOX with dots "
            "between the names, in Maildirs; the new one has slashes, no prefix and another storage format.")
        with Dovecot(layout="inbox", format="maildir", sent="Sent", authority=authority, where=scratch.path) as source, \
                Dovecot(layout="plain", format="sdbox", authority=authority, where=scratch.path) as there:
            return show(o, scratch, source, there, began)


def show(o, scratch, source, there, began):
    box = mailbox.make(o.seed, 200 if o.short else 2000)
    refused = mailbox.load(box, source, USER)
    say(f"The old server now has a mailbox as fifteen years leave it: {box.count()} messages in {len(box.folders)} folders, "
        f"{box.size() / 2**20:.0f} MiB, with names in many scripts, twins, messages without Message-ID, and a folder of "
        f"{len(box.folders[('Hard cases',)].messages)} messages that break mail programs (seed {o.seed}).")
    assert not refused, refused

    say("First a dry run: it shows which folder becomes which, and changes nothing.")
    code = run(o.program, source, there, scratch, "--dry-run")
    if code:
        return failed(f"the dry run ended with status {code}")

    say("Now the copy, over verified TLS on both sides. Its closing table counts every message: source = copied + "
        "excepted + changed meanwhile.")
    code = run(o.program, source, there, scratch)
    if code:
        return failed(f"the copy ended with status {code}")

    say("Last a comparison by a program that shares no code with mailferry: every message's bytes (SHA-256), flags, "
        "keywords, date and order, and every folder's special use and subscription.")
    comparison = compare.accounts(source, there, USER)
    comparison.show()
    if not comparison.equal:
        return failed("the two mailboxes differ")
    if comparison.counts["messages"] != box.count():
        return failed(f"{comparison.counts['messages']} messages were compared, {box.count()} were made")
    say(f"Done in {time.monotonic() - began:.0f} seconds; the servers are stopped and their files removed.")
    return 0


def failed(why):
    print("demo: " + why, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
