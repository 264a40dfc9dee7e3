# SPDX-License-Identifier: Apache-2.0
"""Runs mailferry for the tests beside this file and reads what it says."""
import json
import os
import signal
import subprocess
import tempfile
import time
import unittest

import compare
from server import ROOT

PROGRAM = os.environ.get("MAILFERRY_PROGRAM") or os.path.join(ROOT, "build", "opt", "src", "cli", "mailferry")
NIGHTLY = "MAILFERRY_NIGHTLY" in os.environ


def need_program():
    if not os.path.exists(PROGRAM):
        raise unittest.SkipTest("the program is not built: " + os.path.relpath(PROGRAM, ROOT))


class Result:
    def __init__(self, status, out, err, peak_kib, seconds):
        self.status, self.out, self.err = status, out, err
        self.peak_kib, self.seconds = peak_kib, seconds

    @property
    def records(self):
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]

    def report(self):
        return compare.Report(self.out.splitlines())

    def __str__(self):
        return f"status {self.status} after {self.seconds:.1f} s\n--- stdout\n{self.out[-3000:]}\n--- stderr\n{self.err[-3000:]}"


def arguments(source, there, user, to_user, options, urls, give_password):
    from_url, to_url = urls or (source.url(user), there.url(to_user or user))
    words = [PROGRAM, "copy", "--from", from_url, "--to", to_url]
    if give_password and "--from-password-file" not in options:
        words += ["--from-password-file", source.password_file]
    if give_password:
        words += ["--to-password-file", there.password_file]
    return words + list(options)


NOWHERE = tempfile.TemporaryDirectory(prefix="mailferry-state-")  # for copies that do not get to a destination of ours


def state_of(there):
    """Where ledgers lie: with the destination, so that they go away with it."""
    return os.path.join(there.scratch.path if there else NOWHERE.name, "state")


def copy(source, there, user="alice", to_user=None, options=("--json",), urls=None, give_password=True,
         interrupt_when=None, kill_after=None, kill_when=None, environment=None):
    """Runs one copy to its end. interrupt_when(): asked all the time, the first True sends SIGINT; kill_when(): likewise,
    SIGKILL. kill_after: seconds until SIGKILL."""
    environment = {"XDG_STATE_HOME": state_of(there), **(environment or {})}
    words = arguments(source, there, user, to_user, options, urls, give_password)
    began = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                 env={**os.environ, **environment}, start_new_session=True)
        try:
            child.returncode, peak = _watch(child, interrupt_when, began + 600, kill_after and began + kill_after, kill_when)
        except BaseException:
            child.kill()
            child.wait()
            raise
        texts = []
        for f in (out, err):
            f.seek(0)
            texts.append(f.read().decode(errors="replace"))
    return Result(child.returncode, *texts, peak, time.monotonic() - began)


def _watch(child, interrupt_when, end, kill_at=None, kill_when=None):
    """(exit status, peak memory in KiB)"""
    peak = 0
    while True:
        peak = max(peak, _high_water(child.pid))
        if child.poll() is not None:
            return child.returncode, peak
        if interrupt_when and interrupt_when():
            child.send_signal(signal.SIGINT)
            interrupt_when = None
        if (kill_at and time.monotonic() > kill_at) or (kill_when and kill_when()):
            child.kill()
            kill_at = kill_when = None
        if time.monotonic() > end:
            child.send_signal(signal.SIGABRT)
            raise AssertionError("mailferry did not end in ten minutes")
        time.sleep(0.003)


def _high_water(pid):
    """Not getrusage: what a child had before exec, this Python's memory, would count."""
    try:
        with open(f"/proc/{pid}/status") as f:
            return next((int(line.split()[1]) for line in f if line.startswith("VmHWM")), 0)
    except OSError:
        return 0


def check(test, result, source, there, user="alice", to_user=None, note=""):
    """The copy ended well, what it says of itself is true, and the accounts are equal but for what it says."""
    report = result.report()
    total = report.total
    test.assertTrue(total, f"{note}: no total\n{result}")
    test.assertEqual(result.status, 1 if total["exceptions"] else 0, f"{note}\n{result}")
    comparison = compare.accounts(source, there, user, report, to_user)
    test.assertTrue(comparison.equal, "\n".join([note, *comparison.notes[:20], str(result)]))
    test.assertEqual(total["source"], total["present"] + total["copied"] + total["moved"] + total["excepted"] +
                     total["changed"], result)
    test.assertEqual(total["source"], comparison.counts["messages"], result)
    test.assertEqual(total["present"] + total["copied"] + total["moved"], comparison.held, result)
    return comparison
