# SPDX-License-Identifier: Apache-2.0
"""Memory: of one pass at work, by the size of its mailbox; and of mailboxes that wait, either because a time window is
closed and none has begun, or parked after a server has told each of them to come back in some hours."""
import os
import signal
import socket
import subprocess
import threading
import time

from fleet import configuration, names
from product import PROGRAM, _high_water
from rig import Rig, launch, memory
from server import HOST

FEW = 100  # mailboxes of the run that is subtracted: libraries, connections, and whatever does not grow
AT_ONCE = 10  # so that both runs have as many connections at the same time
CLOSED = "[window always]\nwhen = 00:00-24:00\nclosed = yes\n"
LATER = b" NO [UNAVAILABLE] try again in 6 hours\r\n"


def resident(pid):
    try:
        with open(f"/proc/{pid}/status") as f:
            return next((int(line.split()[1]) for line in f if line.startswith("VmRSS")), 0)
    except OSError:
        return 0


class Turning:
    """An IMAP server that lets nobody in and says when to come back."""

    def __init__(self):
        self.listener = socket.create_server((HOST, 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.password_file = None
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    @staticmethod
    def _serve(client):
        try:
            with client, client.makefile("rb") as lines:
                client.sendall(b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n")
                while words := lines.readline().split():
                    verb = words[1].upper()
                    if verb in (b"AUTHENTICATE", b"LOGIN"):
                        client.sendall(words[0] + LATER)
                    elif verb == b"LOGOUT":
                        client.sendall(b"* BYE\r\n" + words[0] + b" OK\r\n")
                        return
                    else:
                        client.sendall(b"* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\r\n" * (verb == b"CAPABILITY") +
                                       words[0] + b" OK\r\n")
        except OSError:
            pass

    def close(self):
        self.listener.close()


class Ends:
    """What configuration() wants to know of two servers."""

    def __init__(self, rig, server):
        self.scratch = rig.scratch
        self.source = self.there = server


def waiting(o, rig, name, count, ends, event, times, more="", options=()):
    """KiB (most, now) of a mailferry whose `count` mailboxes wait: it has told `event` so many times. And the seconds
    until then."""
    config = configuration(ends, name, names("s", count), names("r", count), more)
    words = [os.path.abspath(PROGRAM), "copy", "--config", config, "--json", *options]
    o.commands.note(rig, f"waiting mailboxes: {name.rstrip('0123456789')}", words)
    began = time.monotonic()
    # its events go to a file: a pipe that is read too slowly would hold it up
    out_path = os.path.join(rig.scratch.path, name + ".out")
    with open(out_path, "wb") as out, open(out_path + ".err", "wb") as err:
        child = launch(words, False, stdout=out, stderr=err)
        try:
            reached(child, out_path, event, times)
            took = time.monotonic() - began
            time.sleep(1.5)  # the last connections are closed meanwhile
            most, now = memory(child.pid), memory(child.pid, resident)
            child.send_signal(signal.SIGINT)
            child.wait(120)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
    return most, now, took


def reached(child, path, event, times):
    wanted = f'"event":"{event}"'.encode()
    seen, rest = 0, b""
    with open(path, "rb") as f:
        end = time.monotonic() + 900
        while seen < times:
            if child.poll() is not None or time.monotonic() > end:
                with open(path + ".err", errors="replace") as err:
                    raise RuntimeError(f"{seen} of {times} mailboxes waited: {err.read()[-1000:]}")
            lines = (rest + f.read()).split(b"\n")
            rest = lines.pop()
            seen += sum(wanted in line for line in lines)
            time.sleep(0.02)


def show(title, few, many, count):
    """A line for what waits: the difference between many and few is what each costs."""
    each = [(m - f) * 1024 / (count - FEW) for m, f in zip(many[:2], few[:2])]
    print(f"| {title} | {few[0] / 1024:.1f} | {many[0] / 1024:.1f} | {many[1] / 1024:.1f} | {each[0]:,.0f} | {each[1]:,.0f} | "
          f"{many[2]:.1f} |", flush=True)


def measure_waiting(o, count):
    turning = Turning()
    with Rig(o, ["alice"], ["r"]) as rig:
        turning.password_file = rig.source.password_file
        ends = Ends(rig, turning)
        print(f"\n### {count:,} mailboxes that wait\n\n| | MiB with {FEW} | MiB at most | MiB then | bytes a mailbox, at most | "
              f"… then | s until all wait |\n" + "|---" * 7 + "|")
        kinds = (("closed", "none has begun, a window is closed", "waiting", lambda n: 1, CLOSED, ()),
                 ("parked", "each was told to come back later", "mailbox-parked", lambda n: n, "",
                  ("--at-once", str(AT_ONCE))))
        for name, title, event, times, more, options in kinds:
            rig.settle()
            few, many = (waiting(o, rig, f"{name}{n}", n, ends, event, times(n), more, options) for n in (FEW, count))
            show(title, few, many, count)
        print(rig.notes(), end="", flush=True)
    turning.close()


def show_peaks(peaks):
    """Of the passes that were measured before."""
    print("\n### A pass at work\n\n| messages | mode | pass | peak MiB |\n|---|---|---|---|")
    for (count, mode, what), peak in sorted(peaks.items()):
        print(f"| {count:,} | {mode} | {what} | {peak / 1024:.1f} |")
