#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures mailferry between private Dovecots (Maildir to sdbox), beside its rivals in the same run: doveadm (which writes the
destination's files itself) and mbsync; and against what the servers can do at most. Writes Markdown.

    tests/bench/bench.py --quick                 all of it, tiny: does it work?
    tests/bench/bench.py                         all of it
    tests/bench/bench.py --parts passes --sizes 30000 --runs 5
    tests/bench/bench.py --parts first --profiles small --programs mailferry --no-limits --scale 0.1

Parts:
    first     first copies of mailboxes of different kinds, and what the servers take and give at most
    passes    first copies, passes with nothing to do, and passes after a day's changes (1 % new, 1 % flagged, 0.5 %
              deleted) of one mailbox of each of --sizes
    fleet     the mailboxes of --fleet: first passes, and passes with nothing to do; rivals in a loop
    verify    mailferry verify --level content against the servers' limit
    memory    of passes (of the largest of --sizes, if `passes` is not asked for) and of mailboxes that wait
    gateway   mail from smtp-source through the gateway to smtp-sink, in turn with Postfix; needs root

The same --seed makes the same mail and the same changes. The source is in the page cache. Before each run the machine must
be quiet; if it does not become so, that is told. Programs that are not installed are left out, with a note
(tools/install-packages.sh bench)."""
import argparse
import datetime
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "servers"))

import content  # noqa: E402
import first  # noqa: E402
import fleet  # noqa: E402
import gateway  # noqa: E402
import memory  # noqa: E402
import passes  # noqa: E402
import programs  # noqa: E402
from product import PROGRAM  # noqa: E402
from server import ROOT, exit_on_signals  # noqa: E402
from tables import Commands  # noqa: E402

PARTS = ("first", "passes", "fleet", "verify", "memory", "gateway")
# what --quick sets, unless it is given
QUICK = {"runs": 2, "sizes": [400], "fleets": [(4, 30, False), (8, 6, True)], "idle": 400, "scale": 0.01, "patience": 0,
         "profiles": ["mixed"], "modes": ["plain"], "mail_sizes": [4096], "sessions": [1, 20], "mail_scale": 0.02, "idle_sessions": 50}
USUAL = {"runs": 3, "sizes": [2000, 30000, 200000], "fleets": [(200, 500, False), (1000, 10, True)], "idle": 10000,
         "scale": 1.0, "patience": 60, "profiles": list(first.PROFILES), "modes": ["plain", "tls"], "mail_sizes": [4096, 65536],
         "sessions": [1, 20, 100], "mail_scale": 1.0, "idle_sessions": 5000}


def words(text):
    return text.split(",")


def numbers(text):
    return [int(n) for n in text.split(",")]


def fleets(text):
    found = []
    for one in text.split(","):
        m = re.fullmatch(r"(\d+)x(\d+)(:noop)?", one)
        if not m:
            raise argparse.ArgumentTypeError(f"{one} is not MAILBOXESxMESSAGES")
        found.append((int(m.group(1)), int(m.group(2)), bool(m.group(3))))
    return found


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="tiny sizes, two runs, no waiting: to see that it works")
    p.add_argument("--parts", type=words, default=list(PARTS))
    p.add_argument("--programs", type=words, default=["mailferry", "doveadm", "mbsync"])
    p.add_argument("--runs", type=int)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--modes", type=words, help="plain, tls (of first, passes and verify)")
    p.add_argument("--sizes", type=numbers, help="messages of the mailboxes of `passes`")
    p.add_argument("--fleet", type=fleets, dest="fleets", metavar="LIST",
                   help="such as 200x500,1000x10:noop; noop: first passes are not measured")
    p.add_argument("--idle", type=int, help="mailboxes that wait")
    p.add_argument("--profiles", type=words, help="of first (mixed, small, big)")
    p.add_argument("--verify", type=words, default=list(content.PROFILES), help="profiles of verify (small, big)")
    p.add_argument("--scale", type=float, help="a fraction of the messages of first and verify")
    p.add_argument("--mail-sizes", type=numbers, help="bytes, of gateway (4096, 65536)")
    p.add_argument("--sessions", type=numbers, help="connections, of gateway (1, 20, 100)")
    p.add_argument("--mail-scale", type=float, help="a fraction of the messages of gateway")
    p.add_argument("--idle-sessions", type=int, help="of gateway")
    p.add_argument("--no-limits", action="store_false", dest="limits", help="not the servers' own, in first")
    p.add_argument("--no-compare", action="store_false", dest="compare", help="do not compare copies with the source")
    p.add_argument("--work", help="a folder on the disk to measure")
    p.add_argument("--patience", type=float, help="seconds to wait for a quiet machine before each run")
    o = p.parse_args()
    for name, value in (QUICK if o.quick else USUAL).items():
        if getattr(o, name) is None:
            setattr(o, name, value)
    for given, known in ((o.parts, PARTS), (o.modes, ("plain", "tls")), (o.profiles, first.PROFILES),
                         (o.mail_sizes, gateway.COUNTS), (o.sessions, gateway.COUNTS[4096]), (o.verify, content.PROFILES), (o.programs, ("mailferry", "doveadm", "mbsync"))):
        if set(given) - set(known):
            p.error(f"{sorted(set(given) - set(known))[0]} is not one of {', '.join(known)}")
    if o.idle <= memory.FEW:
        p.error(f"--idle: more than {memory.FEW}")
    o.commands = Commands()
    o.peaks = {}  # (messages, mode, pass) → KiB, of ours
    return o


# --- the machine ---

def said(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError:
        return "not installed"
    return (done.stdout or done.stderr).strip().splitlines()[0]


def line_of(path, key, between=":"):
    try:
        with open(path) as f:
            return next((line.split(between, 1)[1].strip().strip('"') for line in f if line.startswith(key)), "?")
    except OSError:
        return "?"


def file_system(folder):
    """Its type, of the longest mount point that holds the folder."""
    folder, best = os.path.realpath(folder), ("", "?")
    with open("/proc/mounts") as f:
        for _, where, kind, *_ in (line.split() for line in f):
            if os.path.commonpath((folder, where)) == where and len(where) >= len(best[0]):
                best = where, kind
    return best[1]


def head(o):
    mib = int(line_of("/proc/meminfo", "MemTotal").split()[0]) >> 10
    print(f"{datetime.date.today()}. {os.cpu_count()} processors ({line_of('/proc/cpuinfo', 'model name')}), {mib:,} MiB of "
          f"memory, {file_system(o.work or '/tmp')}, {line_of('/etc/os-release', 'PRETTY_NAME', '=')}, Linux {os.uname().release}; load "
          f"{os.getloadavg()[0]:.2f} at the beginning.\n\n"
          f"{said(PROGRAM, '--version')} (tree at {said('git', '-C', ROOT, 'rev-parse', '--short', 'HEAD')}), Dovecot "
          f"{said('dovecot', '--version')}, {said('mbsync', '--version')}. "
          f"Seed {o.seed}; medians of {o.runs} runs.", flush=True)


def run_part(o, part, chosen):
    if part == "first":
        first.measure(o, chosen)
    if part == "passes":
        passes.measure(o, chosen, o.sizes)
    if part == "fleet":
        fleet.measure(o, chosen, o.fleets)
    if part == "verify":
        content.measure(o, o.verify)
    if part == "memory":
        if not o.peaks:
            passes.measure(o, [p for p in chosen if p.ours], [max(o.sizes)])
        memory.show_peaks(o.peaks)
        memory.measure_waiting(o, o.idle)
    if part == "gateway":
        gateway.measure(o)


TITLES = {"first": "First copies", "passes": "Later passes", "fleet": "Many mailboxes", "verify": "Verifying content",
          "memory": "Memory", "gateway": "The gateway"}


def main():
    o = options()
    exit_on_signals()
    chosen, reasons = programs.chosen(o.programs)
    if not os.path.exists(PROGRAM):
        sys.exit(f"{PROGRAM} is not built; MAILFERRY_PROGRAM can name another")
    head(o)
    for why in reasons:
        print(f"\nLeft out: {why}.")
    for part in filter(o.parts.__contains__, PARTS):
        began = time.monotonic()
        print(f"\n## {TITLES[part]}", flush=True)
        run_part(o, part, chosen)
        print(f"{part}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    o.commands.show()


if __name__ == "__main__":
    main()
