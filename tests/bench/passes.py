# SPDX-License-Identifier: Apache-2.0
"""First copies, passes with nothing to do, and passes after a day's changes, of one mailbox."""
import statistics

import compare
import limits
import mail
from rig import MIB, Rig
from tables import Table

LETTER = 4096


class Passes:
    """All of one size. What each program has copied is kept for its later passes, and for those of its variants."""

    def __init__(self, o, programs, count, mode, rig, size):
        self.o, self.programs, self.count, self.mode, self.rig, self.size = o, programs, count, mode, rig, size
        self.copies = {p.name: [] for p in programs if not p.after_first}  # users, by who made them
        self.user = {}                                                     # program → the user it goes on with

    def run(self, program, to_user, what, read_source=False):
        words = program.words(self.rig, "alice", to_user, self.mode == "tls")
        self.o.commands.note(self.rig, program.name if self.mode == "plain" else f"{program.name}, TLS", words)
        run = self.rig.run(words, program.service, program.allowed, read_source)
        program.ended(self.rig, to_user)
        if program.ours:
            key = (self.count, self.mode, what)
            self.o.peaks[key] = max(self.o.peaks.get(key, 0), run.peak)
        return run

    def turn(self, which, i):
        """The programs in another order each time: what one leaves in a cache does not always serve the same."""
        which = list(which)
        return which[i % len(which):] + which[:i % len(which)] if which else []

    def first(self):
        table = Table("first copy", {"msg/s": lambda wall: self.count / wall, "MiB/s": lambda wall: self.size / MIB / wall},
                      "mailferry")
        for p in self.programs:
            if not p.after_first:
                table.rows[p.name] = []
        for i in range(self.o.runs):
            for p in self.turn((p for p in self.programs if not p.after_first), i):
                to_user = next(self.rig.fresh)
                table.add(p.name, self.run(p, to_user, "first copy", read_source=True))
                self.copies[p.name].append(to_user)
        table.show()

    def later_ones(self, what):
        return [p for p in self.programs if what in p.later]

    def prepare(self):
        """Each program and variant gets a copy of its own."""
        for p in self.programs:
            maker = next(m for m in self.programs if m.name == (p.after_first or p.name))
            if not self.copies[maker.name]:
                self.copies[maker.name].append(next(self.rig.fresh))
                self.run(maker, self.copies[maker.name][0], "first copy")
            self.user[p.name] = self.copies[maker.name].pop()
            for _ in range(p.settling):
                self.run(p, self.user[p.name], "no-op")

    def later(self, changes):
        nothing = Table("nothing to do", base="mailferry")
        delta = Table("delta", base="mailferry --deletes mirror")
        made = []
        for table, what in ((nothing, "no-op"), (delta, "delta")):
            for p in self.later_ones(what):
                table.rows[p.name] = []
        for i in range(self.o.runs):
            for p in self.turn(self.later_ones("no-op"), i):
                nothing.add(p.name, self.run(p, self.user[p.name], "no-op"))
            made.append(changes.make(self.rig.source, "alice"))
            for p in self.turn(self.later_ones("delta"), i):
                delta.add(p.name, self.run(p, self.user[p.name], "delta"))
        nothing.show()
        self.mark_incomplete(delta, sum(m[2] for m in made))
        new, flagged, deleted = (statistics.median(m[k] for m in made) for k in range(3))
        print(f"\nChanges before each delta: {new:,.0f} new messages, {flagged:,.0f} flagged, {deleted:,.0f} deleted.")
        delta.show()

    def mark_incomplete(self, table, deleted):
        """Who has not done the work cannot be compared."""
        self.left = mail.held(self.rig.source, "alice")
        self.held = {p.name: mail.held(self.rig.there, self.user[p.name]) for p in self.later_ones("delta")}
        for p in self.later_ones("delta"):
            if self.held[p.name] != self.left + p.keeps * deleted:
                table.marks[p.name] = " (**incomplete**)"

    def check(self):
        """What the passes have led to."""
        print(f"\nMessages after the last delta: source {self.left:,}; " +
              "; ".join(f"{name} {count:,}" for name, count in self.held.items()) + ".")
        mirror = "mailferry --deletes mirror"
        if self.o.compare and mirror in self.user:
            comparison = compare.accounts(self.rig.source, self.rig.there, "alice", to_user=self.user[mirror])
            verdict = "equal" if comparison.equal else "**not equal**: " + ", ".join(comparison.differences)
            print(f"\n{mirror}, compared message by message with the source: {verdict}.")


def measure(o, programs, sizes):
    for count in sizes:
        makers = sum(not p.after_first for p in programs)
        users = len(o.modes) * (makers * o.runs + len(programs))
        with Rig(o, ["alice"], [f"r{i}" for i in range(users)]) as rig:
            letters = mail.Letters(o.seed, LETTER)
            size = mail.fill(rig.source, "alice", letters, count, o.seed)
            limits.warm(rig.source, "alice")
            changes = mail.Changes(letters, o.seed, count)
            for mode in o.modes:
                print(f"\n### A mailbox of {count:,} messages, {number_of(size)}, {mode}", flush=True)
                one = Passes(o, programs, count, mode, rig, size)
                one.first()
                one.prepare()
                one.later(changes)
                one.check()
                print(rig.notes(), end="", flush=True)


def number_of(size):
    return f"{size / MIB:,.0f} MiB" if size >= 10 * MIB else f"{size / MIB:.1f} MiB"
