# SPDX-License-Identifier: Apache-2.0
"""Markdown tables of runs. Of each column the median; ratios are those of runs that belong together (the first of one
program and the first of the other, and so on), and then their median."""
import statistics


def number(x):
    """Three digits, or all before the point."""
    return f"{x:,.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}" if x >= 1 else f"{x:.3f}"


def median(runs, field):
    return statistics.median(getattr(r, field) for r in runs)


def ratio(runs, base):
    """How many times as long as base's."""
    return statistics.median(r.wall / b.wall for r, b in zip(runs, base))


class Table:
    """extra: {title: function of a median wall time} for columns of its own.
    base: the name of the row that ratios are to; None: no ratios.
    mailboxes: peak memory is also told for each of so many."""

    def __init__(self, title, extra=None, base=None, mailboxes=0):
        self.title, self.extra, self.base, self.mailboxes = title, extra or {}, base, mailboxes
        self.rows = {}  # name → runs
        self.marks = {}  # name → what stands behind it

    def add(self, name, run):
        self.rows.setdefault(name, []).append(run)

    def show(self):
        head = [self.title, "runs", "wall s", "least – most", *self.extra, "own CPU s", "servers' CPU s", "peak MiB"]
        head += ["KiB a mailbox"] if self.mailboxes else []
        if self.base in self.rows:
            head.append(f"times {self.base}")
        print("\n| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
        for name, runs in self.rows.items():
            print("| " + " | ".join(self._row(name, runs)) + " |", flush=True)

    def _row(self, name, runs):
        wall = median(runs, "wall")
        walls = [r.wall for r in runs]
        peak = median(runs, "peak")
        row = [name + self.marks.get(name, ""), str(len(runs)), number(wall), f"{number(min(walls))} – {number(max(walls))}",
               *(number(of(wall)) for of in self.extra.values()),
               number(median(runs, "own")) if peak else "–", number(median(runs, "servers")),
               number(peak / 1024) if peak else "–"]
        row += [number(peak / self.mailboxes)] if self.mailboxes else []
        if self.base in self.rows:
            row.append(number(ratio(runs, self.rows[self.base])))
        return row


class Commands:
    """One example of each command that was measured, for whoever wants to repeat it."""

    def __init__(self):
        self.shown = {}

    def note(self, rig, name, words):
        if name not in self.shown:
            self.shown[name] = rig.shown(words)

    def show(self):
        print("\n## Commands\n\n```")
        for name, text in self.shown.items():
            print(f"# {name}\n{text}")
        print("```")
