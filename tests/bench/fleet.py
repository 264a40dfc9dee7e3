# SPDX-License-Identifier: Apache-2.0
"""Many mailboxes: mailferry with a configuration, and the rivals in the loop that people write, one mailbox after another
and four at a time (xargs -P)."""
import os

import limits
import mail
from passes import LETTER, number_of
from product import PROGRAM
from programs import Doveadm, Stateful, mbsync_file
from rig import MIB, Rig
from server import HOST
from tables import Table


def configuration(rig, name, sources, users, more=""):
    """mailferry.conf and its list, for mailboxes from the one server to the other. The file."""
    folder = os.path.join(rig.scratch.path, name)
    os.makedirs(folder)
    with open(os.path.join(folder, "list.csv"), "w") as f:
        f.write("address,old_login,new_login\n")
        f.writelines(f"{to}@bench.example.org,{user},{to}\n" for user, to in zip(sources, users))
    path = os.path.join(folder, "mailferry.conf")
    with open(path, "w") as f:
        f.write(f"[mailferry]\nmailboxes = list.csv\nstate = state\n{more}")
        for platform, server in (("old", rig.source), ("new", rig.there)):
            f.write(f"[platform {platform}]\nurl = imap://{HOST}:{server.port}\n"
                    f"password_file = {server.password_file}\n")
    return path


class Variant:
    """name      in the table
    tool     those of one tool can go on with each other's copies
    service, allowed, settling: as a Program's"""
    service, allowed, settling = True, (0,), 0
    first = True  # whether it makes first passes

    def prepare(self, rig, tag, count):
        """Before the first pass that fills the users tag-0000 and so on."""

    def words(self, rig, tag):
        raise NotImplementedError


class Many(Variant):
    tool = "mailferry"
    service = False

    def __init__(self, *more):
        self.name, self.more = " ".join(["mailferry", *more]), more

    def prepare(self, rig, tag, count):
        configuration(rig, tag, names("s", count), names(tag, count))

    def words(self, rig, tag):
        path = os.path.join(rig.scratch.path, tag, "mailferry.conf")
        return [os.path.abspath(PROGRAM), "copy", "--config", path, "--quiet", *self.more]


class Loop(Variant):
    """A command for each mailbox; {} stands for its number."""
    # xargs itself says 123 when one of its commands did not say 0, as doveadm does that wants to be run again;
    # that nothing is missing is looked up afterwards
    allowed = (0, 123)

    def __init__(self, jobs):
        self.jobs = jobs
        self.name = f"{self.tool}, {'one after another' if jobs == 1 else f'{jobs} at a time'}"

    def words(self, rig, tag):
        return ["xargs", "-a", os.path.join(rig.scratch.path, "numbers"), "-P", str(self.jobs), "-I{}", *self.each(rig, tag)]


class DoveadmLoop(Loop):
    tool = "doveadm backup"

    def each(self, rig, tag):
        return Doveadm().words(rig, "s-{}", tag + "-{}", False)


class StatefulLoop(Loop):
    """Its state is printed by a pass and given to the next: a shell must carry it. It goes on with doveadm's copies."""
    tool = "doveadm backup"
    first = False
    settling = 1

    def __init__(self, jobs):
        super().__init__(jobs)
        self.name = self.name.replace("backup", "backup -s")

    def prepare(self, rig, tag, count):
        rig.scratch.folder("states")
        for user in names(tag, count):
            rig.scratch.write(f"states/{user}", "\n", 0o600)

    def each(self, rig, tag):
        words = Stateful().words(rig, "s-{}", tag + "-{}", False)
        words[words.index("-s") + 1] = "$STATE"
        file = os.path.join(rig.scratch.path, "states", tag + "-{}")
        return ["sh", "-c", f"read -r STATE < {file}; exec " + " ".join(f'"{w}"' for w in words) + f" > {file}"]


class MbsyncLoop(Loop):
    tool = "mbsync"
    allowed = (0,)

    def prepare(self, rig, tag, count):
        for user, to_user in zip(names("s", count), names(tag, count)):
            mbsync_file(rig, user, to_user, False, True)

    def each(self, rig, tag):
        return ["mbsync", "-q", "-c", os.path.join(rig.scratch.path, "mbsync", tag + "-{}.rc"), "all"]


VARIANTS = [Many(), Many("--processes", "2"), DoveadmLoop(1), DoveadmLoop(4), StatefulLoop(4), MbsyncLoop(1), MbsyncLoop(4)]


def names(tag, count):
    return [f"{tag}-{i:04}" for i in range(count)]


class Fleet:
    def __init__(self, o, variants, rig, count, messages):
        self.o, self.variants, self.rig, self.count, self.messages = o, variants, rig, count, messages
        self.copies = {}  # tool → the tag of the users it has filled last
        self.tags = iter(all_tags(o, variants))
        rig.scratch.write("numbers", "".join(f"{i:04}\n" for i in range(count)))

    def fill(self):
        letters, size = mail.Letters(self.o.seed, LETTER), 0
        for i, user in enumerate(names("s", self.count)):
            size += mail.fill(self.rig.source, user, letters, self.messages, self.o.seed, i * self.messages)
            limits.warm(self.rig.source, user)
        return size

    def run(self, variant, tag, read_source=False):
        words = variant.words(self.rig, tag)
        self.o.commands.note(self.rig, f"many mailboxes: {variant.name}", words)
        return self.rig.run(words, variant.service, variant.allowed, read_source)

    def first(self, variant):
        tag = next(self.tags)
        variant.prepare(self.rig, tag, self.count)
        run = self.run(variant, tag, read_source=True)
        self.check(variant, tag)
        self.copies[variant.tool] = tag
        return run

    def check(self, variant, tag):
        held = sum(mail.held(self.rig.there, user) for user in names(tag, self.count))
        if held != self.count * self.messages:
            raise RuntimeError(f"{variant.name}: {held} messages in place of {self.count * self.messages}\n" +
                               (self.rig.output + self.rig.errors)[-2000:].decode(errors="replace"))

    def firsts(self, size):
        table = Table("first pass", {"msg/s": lambda wall: self.count * self.messages / wall,
                                     "MiB/s": lambda wall: size / MIB / wall}, "mailferry")
        makers = [v for v in self.variants if v.first]
        for v in makers:
            table.rows[v.name] = []
        for i in range(self.o.runs):
            for v in makers[i % len(makers):] + makers[:i % len(makers)]:
                table.add(v.name, self.first(v))
        table.show()

    def prepare(self):
        for v in self.variants:
            if v.first and v.tool not in self.copies:
                self.first(next(w for w in reversed(self.variants) if w.first and w.tool == v.tool))
        for v in self.variants:
            if not v.first:
                v.prepare(self.rig, self.copies[v.tool], self.count)
            for _ in range(v.settling):
                self.run(v, self.copies[v.tool])

    def no_ops(self):
        table = Table("nothing to do", {"mailboxes/s": lambda wall: self.count / wall}, "mailferry", self.count)
        for v in self.variants:
            table.rows[v.name] = []
        for i in range(self.o.runs):
            for v in self.variants[i % len(self.variants):] + self.variants[:i % len(self.variants)]:
                table.add(v.name, self.run(v, self.copies[v.tool]))
        table.show()
        for v in self.variants:
            self.check(v, self.copies[v.tool])


def all_tags(o, variants):
    """Of users to fill: a first pass, and one to prepare, of each."""
    return [f"r{i}" for i in range((o.runs + 1) * len(variants))]


def measure(o, programs, fleets):
    tools = {p.name.split()[0] for p in programs}
    variants = [v for v in VARIANTS if v.tool.split()[0] in tools]
    for count, messages, only_no_op in fleets:
        users = [name for tag in all_tags(o, variants) for name in names(tag, count)]
        with Rig(o, names("s", count), users) as rig:
            fleet = Fleet(o, variants, rig, count, messages)
            size = fleet.fill()
            print(f"\n### {count:,} mailboxes of {messages:,} messages, {number_of(size)} in all, plain", flush=True)
            if not only_no_op:
                fleet.firsts(size)
            fleet.prepare()
            fleet.no_ops()
            print(rig.notes(), end="", flush=True)
