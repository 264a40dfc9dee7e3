# SPDX-License-Identifier: Apache-2.0
"""Verifying every byte of a copied mailbox, against what the two servers can serve at most. Both sides are read, so
MiB/s counts both."""
import limits
import mail
from passes import number_of
from programs import Mailferry
from rig import MIB, Rig
from tables import Table, ratio

# messages, about how large, patterns in memory
PROFILES = {"small": (30000, 4096, 500), "big": (400, 5 << 20, 40)}
CONNECTIONS = (1, 4)  # of the limits, to either side; mailferry's own default is 4


def verify(o, rig, user, mode, size):
    tls = mode == "tls"
    program = Mailferry()
    rig.run(program.words(rig, "alice", user, tls), read_source=True)
    words = program.words_verify(rig, "alice", user, tls, "content")
    o.commands.note(rig, "verify" if not tls else "verify, TLS", words)
    limits.warm(rig.there, user)
    table = Table(f"content, {mode}", {"MiB/s": lambda wall: 2 * size / MIB / wall})
    kinds = {f"FETCH, {n} connection{'s' if n > 1 else ''} to each": n for n in CONNECTIONS}
    both = [(rig.source, "alice"), (rig.there, user)]
    for _ in range(o.runs):
        table.add("mailferry verify", rig.run(words, read_source=True))
        for name, n in kinds.items():
            table.add(name, rig.time(lambda n=n: limits.fetch(both, tls, n)))
    table.show()
    shares = {name: ratio(table.rows[name], table.rows["mailferry verify"]) for name in kinds}
    best = min(shares, key=shares.get)  # the quickest
    print(f"\nmailferry verify reaches {shares[best]:.0%} of the best limit ({best}).", flush=True)


def measure(o, profiles):
    for name in profiles:
        count, size, patterns = PROFILES[name]
        count = max(1, int(count * o.scale))
        with Rig(o, ["alice"], [f"r{i}" for i in range(len(o.modes))]) as rig:
            letters = mail.Letters(o.seed, size, min(patterns, count))
            total = mail.fill(rig.source, "alice", letters, count, o.seed)
            limits.warm(rig.source, "alice")
            print(f"\n### {name}: {count:,} messages, {number_of(total)} at either side", flush=True)
            for mode in o.modes:
                verify(o, rig, next(rig.fresh), mode, total)
            print(rig.notes(), end="", flush=True)
