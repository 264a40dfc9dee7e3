#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times copies of one mailbox from a private Dovecot (Maildir) to another (sdbox): mailferry, and beside it, in turn in
the same run, doveadm (which writes the destination's files itself) and mbsync; and what the servers can do at most.
Writes Markdown.

    tests/bench/bench.py                                  all, three runs: about half an hour and 60 GB of disk
    tests/bench/bench.py --profiles mixed --modes plain --runs 5
    tests/bench/bench.py --profiles small --programs mailferry --no-limits --scale 0.1

Every run copies into a fresh user, and nothing is deleted before the end: on some file systems creating files soon
after deleting many is several times slower. The source is in the page cache. Before each run the machine must be
quiet; if it does not become so, the table says that. Programs that are not installed are left out, with a note.
"""
import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "servers"))

import compare  # noqa: E402
import limits  # noqa: E402
import mailbox  # noqa: E402
from dovecot import Dovecot  # noqa: E402
from messages import Writer  # noqa: E402
from product import PROGRAM, _high_water  # noqa: E402
from server import HOST, Authority, Scratch, exit_on_signals, spawn  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20


# --- the mailboxes ---

def mixed(scale):
    return mailbox.make(seed=1, count=int(2000 * scale))


def uniform(count, size, distinct):
    """Messages of about one size in three folders; `distinct` bounds what is held in memory."""
    chance = random.Random(1)
    writer = Writer(chance)
    raws = [writer.message(int(size * chance.uniform(0.7, 1.3)), 1500000000 + i, writer.message_id())
            for i in range(min(count, distinct))]
    box = mailbox.Mailbox(1)
    for i in range(count):
        path = chance.choices([("INBOX",), ("Archive", "2014"), ("Lists", "dev")], (50, 30, 20))[0]
        message = mailbox.Message(raws[i % len(raws)], mailbox.some_flags(chance), mailbox.some_date(chance), "")
        box.folder(path).messages.append(message)
    return box


PROFILES = {
    "mixed": ("2,000 messages of all sizes, with the hard cases", mixed),
    "small": ("30,000 messages of about 4 KB", lambda scale: uniform(int(30000 * scale), 4096, 30000)),
    "big": ("400 messages of about 5 MB", lambda scale: uniform(int(400 * scale), 5 << 20, 40)),
}


# --- the programs: each gives the command for one copy ---

def mailferry(b, user, tls):
    words = [os.path.abspath(PROGRAM), "copy", "--quiet",
             "--from", b.source.url("alice", tls=tls), "--to", b.there.url(user, tls=tls),
             "--from-password-file", b.source.password_file, "--to-password-file", b.there.password_file]
    return words + (["--ca-file", b.source.ca_file] if tls else [])


def doveadm(b, user, tls):
    options = {"imapc_host": HOST, "imapc_port": b.source.tls_port if tls else b.source.port, "imapc_user": "alice",
               "imapc_password": b.source.password, "imapc_features": "rfc822.size fetch-headers", "mail_prefetch_count": 20,
               "ssl_client_ca_file": b.source.ca_file, "imapc_ssl": "imaps" if tls else "no"}
    words = ["doveadm", "-c", b.there.config]
    for name, value in options.items():
        words += ["-o", f"{name}={value}"]
    return words + ["backup", "-R", "-u", user, "imapc:"]


def mbsync(b, user, tls):
    state = b.scratch.folder("mbsync", user)

    def store(name, server, login):
        return (f"IMAPStore {name}\nHost {HOST}\nPort {server.tls_port if tls else server.port}\nUser {login}\n"
                f"Pass {server.password}\nAuthMechs LOGIN\nSSLType {'IMAPS' if tls else 'None'}\n"
                f"CertificateFile {server.ca_file}\n\n")

    text = (store("far", b.source, "alice") + store("near", b.there, user) + "Channel all\nFar :far:\nNear :near:\nPatterns *\n"
            f"Sync Pull\nCreate Near\nRemove None\nExpunge None\nCopyArrivalDate yes\nSyncState {state}/\n")
    return ["mbsync", "-q", "-c", b.scratch.write(f"mbsync/{user}.rc", text, 0o600), "all"]


PROGRAMS = {"mailferry": mailferry, "doveadm": doveadm, "mbsync": mbsync}


def missing(name):
    if name == "mailferry":
        return None if os.path.exists(PROGRAM) else f"{PROGRAM} is not built"
    return None if shutil.which(name) else f"{name} is not installed"


# --- measuring ---

def cpu_of_session(server):
    """Processor seconds of a server: its living processes, and those its master has seen end."""
    total = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == server.child.pid:
            total += sum(map(int, fields[11:15]))
    return total / TICKS


def busy_share(seconds=0.5):
    def read():
        with open("/proc/stat") as f:
            return list(map(int, f.readline().split()[1:9]))
    before = read()
    time.sleep(seconds)
    delta = [b - a for a, b in zip(before, read())]
    return 1 - delta[3] / max(1, sum(delta))


class Bench:
    def __init__(self, options):
        self.options = options
        self.scratch = Scratch(options.work)
        authority = Authority(self.scratch.folder("ca"))
        names = ["IP:127.0.0.1", "DNS:127.0.0.1"]  # mbsync looks for an address among the names
        common = dict(authority=authority, names=names, where=self.scratch.path, password="secret", fsync="optimized")
        self.source = Dovecot(format="maildir", users=["alice"], **common)
        self.there = Dovecot(format="sdbox", users=[f"run{i}" for i in range(2000)], **common)
        self.fresh = iter(self.there.users)
        self.noisy = 0

    def fill(self, make):
        self.box = make(self.options.scale)
        mailbox.load_maildir(self.box, self.source, "alice")
        limits.fetch(self.source, "alice", False)  # Dovecot writes its indexes

    def settle(self):
        subprocess.run(["sync"], check=True)
        for folder, _, files in os.walk(self.source.home("alice")):
            for name in files:
                with open(os.path.join(folder, name), "rb") as f:
                    while f.read(MIB):
                        pass
        end = time.monotonic() + self.options.patience
        while busy_share() > 0.06:
            if time.monotonic() > end:
                self.noisy += 1
                return

    def run(self, program, tls):
        """(seconds, own processor seconds, servers' processor seconds, peak MiB)"""
        user = next(self.fresh)
        words = PROGRAMS[program](self, user, tls)
        self.settle()
        servers = cpu_of_session(self.source) + cpu_of_session(self.there)
        began = time.monotonic()
        with open(os.path.join(self.scratch.path, "out"), "wb") as out:
            start = spawn if program != "mailferry" else subprocess.Popen  # doveadm needs the server's own user
            child = start(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            peak, got = 0, (0,)
            while not got[0]:
                peak = max(peak, _high_water(child.pid))
                got = os.wait4(child.pid, os.WNOHANG)
                if not got[0]:
                    time.sleep(0.002)
        took = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(got[1])
        servers = cpu_of_session(self.source) + cpu_of_session(self.there) - servers
        # mailferry says 1 when Dovecot alters a hard case; doveadm 2 when it wants to be run again
        if child.returncode not in (0, 1 if program == "mailferry" else 2):
            with open(os.path.join(self.scratch.path, "out"), errors="replace") as out:
                raise RuntimeError(f"{program} ended with {child.returncode}: {out.read()[-1000:]}")
        return took, got[2].ru_utime + got[2].ru_stime, servers, peak / 1024, user

    def limit(self, what, tls):
        self.settle()
        if what == "FETCH, 1 connection":
            return limits.fetch(self.source, "alice", tls)
        connections, group = LIMITS[what]
        messages = [m for f in self.box.folders.values() for m in f.messages if m.raw]
        return limits.append(self.there, next(self.fresh), tls, messages, connections, group)


LIMITS = {"FETCH, 1 connection": None, "APPEND LITERAL+, 1 connection": (1, 1), "MULTIAPPEND 20, 1 connection": (1, 20),
          "MULTIAPPEND 200, 1 connection": (1, 200), "APPEND LITERAL+, 4 connections": (4, 1),
          "MULTIAPPEND 20, 4 connections": (4, 20), "MULTIAPPEND 200, 4 connections": (4, 200)}


# --- the tables ---

def table(bench, mode, programs):
    tls = mode == "tls"
    runs = {p: [] for p in programs}
    for _ in range(bench.options.runs):
        for p in programs:  # in turn: what changes on the machine meets all of them
            runs[p].append(bench.run(p, tls))
    if "mailferry" in runs:
        comparison = compare.accounts(bench.source, bench.there, "alice", to_user=runs["mailferry"][0][4])
        verdict = "equal" if comparison.equal else "**not equal**: " + ", ".join(comparison.differences)
        print(f"\nmailferry's first copy, compared: {verdict}")
    rivals = [statistics.median(r[0] for r in rs) for p, rs in runs.items() if p != "mailferry"]
    count, size = bench.box.count(), bench.box.size() / MIB
    print(f"\n| {mode} | runs | wall s | all runs | msg/s | MiB/s | own CPU s | servers' CPU s | peak MiB | "
          "best rival's time ÷ this |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for p, rs in runs.items():
        wall, own, servers, peak = (statistics.median(r[i] for r in rs) for i in range(4))
        ratio = f"{min(rivals) / wall:.2f}" if rivals else "–"
        row = [p, len(rs), f"**{wall:.2f}**", " ".join(f"{r[0]:.2f}" for r in rs), f"{count / wall:,.0f}",
               f"{size / wall:.0f}", f"{own:.2f}", f"{servers:.2f}", f"{peak:.0f}", ratio]
        print("| " + " | ".join(map(str, row)) + " |", flush=True)


def limit_table(bench, mode):
    count, size = bench.box.count(), bench.box.size() / MIB
    print(f"\n| servers' own limits, {mode} | wall s | msg/s | MiB/s |\n|---|---|---|---|")
    for what in LIMITS:
        wall = statistics.median(bench.limit(what, mode == "tls") for _ in range(min(2, bench.options.runs)))
        print(f"| {what} | {wall:.2f} | {count / wall:,.0f} | {size / wall:.0f} |", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--profiles", default="mixed,small,big")
    p.add_argument("--programs", default="mailferry,doveadm,mbsync")
    p.add_argument("--modes", default="plain,tls")
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--scale", type=float, default=1.0, help="a fraction of the messages")
    p.add_argument("--no-limits", action="store_true")
    p.add_argument("--work", help="a folder on the disk to measure")
    p.add_argument("--patience", type=float, default=60, help="seconds to wait for a quiet machine before each run")
    o = p.parse_args()
    exit_on_signals()
    programs = []
    for name in o.programs.split(","):
        why = missing(name)
        programs += [] if why else [name]
        if why:
            print(f"Left out: {why}.\n")
    for profile in o.profiles.split(","):
        what, make = PROFILES[profile]
        bench = Bench(o)
        with bench.scratch, bench.source, bench.there:
            bench.fill(make)
            print(f"## {profile}: {what}\n\n{bench.box.count():,} messages, {bench.box.size() / MIB:,.0f} MiB, "
                  f"{len(bench.box.folders)} folders; {os.cpu_count()} processors, load {os.getloadavg()[0]:.2f}", flush=True)
            for mode in o.modes.split(","):
                table(bench, mode, programs)
                if not o.no_limits:
                    limit_table(bench, mode)
            if bench.noisy:
                print(f"\nNot quiet before {bench.noisy} of the runs.")
            print()


if __name__ == "__main__":
    main()
