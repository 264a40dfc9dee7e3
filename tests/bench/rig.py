# SPDX-License-Identifier: Apache-2.0
"""Two private servers, and programs that are run and measured between them.

Every first copy goes into a fresh user, and nothing is deleted before the end: on some file systems creating files
soon after deleting many is several times slower. Before each run the machine must be quiet; runs before which it did not
become so are counted."""
import collections
import os
import shlex
import signal
import subprocess
import threading
import time

from dovecot import Dovecot
from product import PROGRAM, _high_water
from server import Authority, Scratch, end_with_parent, spawn

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20
QUIET = 0.06   # the share of the processors that others may use
LONGEST = 7200  # seconds; a program that takes longer hangs

# seconds on the wall; processor seconds of the program and of both servers; KiB of memory of the program and its children
Run = collections.namedtuple("Run", "wall own servers peak status")


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


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return list(map(int, f.read().split()))
    except OSError:
        return []


def family(pid):
    """A process, its children and theirs."""
    return [pid] + [p for child in children_of(pid) for p in family(child)]


def memory(pid, of=_high_water):
    """KiB of a process and its children at this moment. What libraries they share counts in each of them."""
    return sum(map(of, family(pid)))


class Watch(threading.Thread):
    """Looks at a process's memory until told to end, and ends what hangs."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak, self.ended = pid, 0, threading.Event()

    def run(self):
        began, pause = time.monotonic(), 0.001
        while not self.ended.wait(pause):
            self.peak = max(self.peak, memory(self.pid))
            age = time.monotonic() - began
            pause = 0.002 if age < 1 else 0.01
            if age > LONGEST:
                os.killpg(self.pid, signal.SIGKILL)


def launch(words, service, **more):
    """service: as the servers' own user (doveadm needs that)."""
    if service:
        return spawn(words, **more)
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, preexec_fn=end_with_parent, start_new_session=True, **more)


class Rig:
    """A Dovecot with Maildirs (source) and one with sdbox (there). sources, fresh: their users. options: of bench.py."""

    def __init__(self, options, sources, fresh):
        self.options = options
        self.scratch = Scratch(options.work)
        self.sources = sources
        names = ["IP:127.0.0.1", "DNS:127.0.0.1"]  # mbsync looks for an address among the names
        common = dict(authority=Authority(self.scratch.folder("ca")), names=names, where=self.scratch.path,
                      password="secret", fsync="optimized")
        self.source = Dovecot(format="maildir", users=sources, **common)
        self.there = Dovecot(format="sdbox", users=fresh, **common)
        self.fresh = iter(fresh)
        self.noisy = self.wanting = 0
        self.output = b""  # of the last program, and what it complained of
        self.errors = b""

    def __enter__(self):
        self.scratch.__enter__()
        self.source.__enter__()
        self.there.__enter__()
        return self

    def __exit__(self, *why):
        self.there.__exit__(*why)
        self.source.__exit__(*why)
        self.scratch.__exit__(*why)

    def settle(self, read_source=False):
        """Waits for a quiet machine. read_source: the messages are in the page cache then."""
        subprocess.run(["sync"], check=True)
        for folder, _, files in os.walk(self.source.mail) if read_source else ():
            for name in files:
                with open(os.path.join(folder, name), "rb") as f:
                    while f.read(MIB):
                        pass
        end = time.monotonic() + self.options.patience
        while not self.options.patience or busy_share() > QUIET:
            if time.monotonic() >= end:
                self.noisy += 1
                return

    def servers_cpu(self):
        return cpu_of_session(self.source) + cpu_of_session(self.there)

    def run(self, words, service=False, allowed=(0,), read_source=False, environment=None):
        """Runs a program to its end."""
        self.settle(read_source)
        path = os.path.join(self.scratch.path, "out")
        before = self.servers_cpu()
        with open(path, "wb") as out, open(path + ".err", "wb") as err:
            began = time.monotonic()
            child = launch(words, service, stdout=out, stderr=err, env={**os.environ, **(environment or {})})
            watch = Watch(child.pid)
            watch.start()
            try:
                _, status, used = os.wait4(child.pid, 0)
            except BaseException:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                raise
            took = time.monotonic() - began
        watch.ended.set()
        watch.join()
        child.returncode = os.waitstatus_to_exitcode(status)
        with open(path, "rb") as out, open(path + ".err", "rb") as err:
            self.output, self.errors = out.read(), err.read()
        if child.returncode not in allowed:
            raise RuntimeError(f"{self.shown(words)}\nended with {child.returncode}:\n"
                               f"{(self.output + self.errors)[-2000:].decode(errors='replace')}")
        self.wanting += child.returncode != 0
        return Run(took, used.ru_utime + used.ru_stime, self.servers_cpu() - before, watch.peak, child.returncode)

    def time(self, work):
        """The same for something that measures itself and returns seconds."""
        self.settle()
        before = self.servers_cpu()
        return Run(work(), 0, self.servers_cpu() - before, 0, 0)

    def shown(self, words):
        """A command for readers: without this machine's folders and this run's ports."""
        text = " ".join(shlex.quote(w) for w in words)
        for what, name in ((PROGRAM, "mailferry"), (os.path.abspath(PROGRAM), "mailferry"),
                           (self.source.scratch.path, "OLD"), (self.there.scratch.path, "NEW"), (self.scratch.path, "DIR"),
                           *((f"{port}", name) for server, name in ((self.source, "OLD"), (self.there, "NEW"))
                             for port in (server.port, server.tls_port))):
            text = text.replace(what, name)
        return text

    def notes(self):
        """What has to be said of the runs since this was asked last."""
        found = []
        if self.noisy:
            found.append(f"the machine was not quiet before {self.noisy} runs" if self.options.patience else
                         "nobody waited for a quiet machine")
        if self.wanting:
            found.append(f"{self.wanting} runs ended with a status that is not 0")
        self.noisy = self.wanting = 0
        return "".join(f"\n{note[0].upper()}{note[1:]}.\n" for note in found)

