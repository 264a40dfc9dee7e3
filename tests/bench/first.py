# SPDX-License-Identifier: Apache-2.0
"""First copies of mailboxes of different kinds, and what the servers can do at most."""
import random
import statistics

import compare
import limits
import mailbox
from messages import Writer
from rig import MIB, Rig
from tables import Table

LIMITS = {"APPEND LITERAL+, 1 connection": (1, 1), "MULTIAPPEND 20, 1 connection": (1, 20),
          "MULTIAPPEND 200, 1 connection": (1, 200), "APPEND LITERAL+, 4 connections": (4, 1),
          "MULTIAPPEND 20, 4 connections": (4, 20), "MULTIAPPEND 200, 4 connections": (4, 200)}


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


def copies(o, rig, box, mode, programs):
    tls = mode == "tls"
    table = Table(f"first copy, {mode}", {"msg/s": lambda wall: box.count() / wall,
                                          "MiB/s": lambda wall: box.size() / MIB / wall}, "mailferry")
    last = None
    for _ in range(o.runs):
        for p in programs:  # in turn: what changes on the machine meets all of them
            to_user = next(rig.fresh)
            words = p.words(rig, "alice", to_user, tls, expunge=False)
            # mailferry says 1 when Dovecot alters a hard case
            table.add(p.name, rig.run(words, p.service, (0, 1) if p.ours else p.allowed, read_source=True))
            last = to_user if p.ours else last
    table.show()
    if last and o.compare:
        comparison = compare.accounts(rig.source, rig.there, "alice", to_user=last)
        verdict = "equal" if comparison.equal else "**not equal**: " + ", ".join(comparison.differences)
        print(f"\nmailferry's last copy, compared message by message: {verdict}.", flush=True)


def limit_table(o, rig, box, mode):
    tls = mode == "tls"
    count, size = box.count(), box.size() / MIB
    messages = [m for f in box.folders.values() for m in f.messages if m.raw]
    print(f"\n| servers' own limits, {mode} | wall s | msg/s | MiB/s |\n|---|---|---|---|")
    kinds = {"FETCH, 1 connection": lambda: limits.fetch([(rig.source, "alice")], tls)}
    for what, (connections, group) in LIMITS.items():
        kinds[what] = lambda c=connections, g=group: limits.append(rig.there, next(rig.fresh), tls, messages, c, g)
    for what, work in kinds.items():
        wall = statistics.median(rig.time(work).wall for _ in range(min(2, o.runs)))
        print(f"| {what} | {wall:.2f} | {count / wall:,.0f} | {size / wall:.0f} |", flush=True)


def measure(o, programs):
    programs = [p for p in programs if not p.after_first]
    for profile in o.profiles:
        what, make = PROFILES[profile]
        box = make(o.scale)
        users = len(o.modes) * (len(programs) * o.runs + len(LIMITS) * 2)
        with Rig(o, ["alice"], [f"r{i}" for i in range(users)]) as rig:
            mailbox.load_maildir(box, rig.source, "alice")
            limits.warm(rig.source, "alice")
            print(f"\n### {profile}: {what}\n\n{box.count():,} messages, {box.size() / MIB:,.0f} MiB, "
                  f"{len(box.folders)} folders.", flush=True)
            for mode in o.modes:
                copies(o, rig, box, mode, programs)
                if o.limits:
                    limit_table(o, rig, box, mode)
            print(rig.notes(), end="", flush=True)
