#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs `mailferry copy` against the fake servers of dialogue files and holds it to what they say.

    run.py MAILFERRY FAKE-IMAP [--slow] [--keep] [--jobs N] [--seed N] [WORD...]

Each file of this folder whose name holds a WORD (default: all) is a test; a WORD may also be a file, or a folder of
files. Output is TAP. README.md has the notation. --keep leaves each test's folder, with all output, behind and says
where. --slow takes the slow files and every step of a crown or open sweep, where otherwise a sample must do, chosen by
--seed."""
import argparse
import concurrent.futures
import contextlib
import glob
import itertools
import os
import random
import re
import resource
import select
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
PASSWORD = "secret"
LIMIT, SLOW_LIMIT = 60, 900  # seconds for one run of the program
FEW, SAMPLE, MANY = 60, 40, 1000  # steps of a crown up to FEW are all tried, of more a sample
SHOWN = 200  # lines of a failed test
AT_ONCE = 8  # numbers of an open sweep
ENDED = "this rule never acted"
HEADINGS = ("run", "sweep", "change", "server", "connection", "on", "on:", "folder", "expect")
NEVER = [  # in no output, whatever happens
    (r"AddressSanitizer|LeakSanitizer|runtime error:", "a sanitizer's report"),
    (r"Assertion|core dumped", "an assertion"),
    (rf"\b{PASSWORD}\b", "the password"),
]


class Failure(Exception):
    pass


# --- files ------------------------------------------------------------------------------------------------

class Dialogue:
    """One file, or one variant of a file with sweeps: its runs, each a list of (name, value)."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)[:-len(".dlg")]
        self.runs, self.sweeps = [], []
        with open(path, encoding="utf-8", errors="surrogateescape") as f:
            self.lines = f.read().split("\n")
        here = None
        for number, line in enumerate(self.lines):
            line = line.strip()
            word = line.split(" ")[0]
            if not line or line.startswith("#"):
                continue
            if word in HEADINGS:
                here = [] if word == "run" else None
                if here is not None:
                    self.runs.append(here)
                if word == "sweep":
                    self.sweeps.append((number, *self.read_sweep(line)))
            elif here is not None:
                name, _, value = line.partition(":")
                here.append((name.strip(), value.strip()))
        if not self.runs or any(not one_of(run, "exit") for run in self.runs):
            raise Failure("a file needs a run, and a run an exit status")

    @staticmethod
    def read_sweep(line):
        """The name, and all values it takes, as one writes them; of "1.." the first number."""
        words = re.findall(r'"(?:[^"\\]|\\.)*"|\S+', line)[1:]
        numbers = re.fullmatch(r"(\d+)\.\.(\d*)", words[1])
        if numbers and not numbers[2]:
            return words[0], int(numbers[1])
        return words[0], [str(n) for n in range(int(numbers[1]), int(numbers[2]) + 1)] if numbers else words[1:]

    def variant(self, folder, values):
        """(title, dialogue) with these values for the sweeps."""
        chosen = list(zip(self.sweeps, values))
        lines = list(self.lines)
        for (number, name, _), value in chosen:
            lines[number] = f"sweep {name} {value}"
        place = tempfile.mkdtemp(prefix="variant-", dir=folder)
        path = os.path.join(place, os.path.basename(self.path))
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as f:
            f.write("\n".join(lines))
        variant = Dialogue(path)
        for (_, name, _), value in chosen:
            variant.runs = [[(n, v.replace("{%s}" % name, value.strip('"'))) for n, v in run] for run in variant.runs]
        return ", ".join(f"{name} = {value}" for (_, name, _), value in chosen), variant

    def combinations(self):
        """All ways to choose the sweeps' values; in place of one that is open, its first number."""
        return list(itertools.product(*([sweep[2]] if isinstance(sweep[2], int) else sweep[2] for sweep in self.sweeps)))


def all_of(run, name):
    return [value for n, value in run if n == name]


def one_of(run, name, otherwise=None):
    return (all_of(run, name) or [otherwise])[-1]


# --- servers ----------------------------------------------------------------------------------------------

class Fake:
    def __init__(self, program, path, name, cert):
        self.name = name
        self.process = subprocess.Popen([program, "--server", name, "--cert", cert[0], "--key", cert[1], "--control", path],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, errors="replace")

    def start(self):
        first = self.process.stdout.readline().split()
        if len(first) != 2 or first[0] != "PORT":
            raise Failure(f"fake-imap: {self.process.stderr.read().strip()}")
        self.port = first[1]

    def tell(self, command):
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().strip()
        except OSError as problem:
            answer = str(problem)
        if answer != "ok":
            raise Failure(f"server {self.name}, told \"{command}\": {answer or 'it ended'}")

    def verdict(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            out, err = self.process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            self.end()
            return f"the fake server {self.name} did not end"
        if self.process.returncode == 0:
            return ""
        return f"server {self.name}: {(out + err).strip() or self.process.returncode}"

    def end(self):
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()


def make_certificate(folder):
    paths = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=fake.example.org", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                    "-out", paths[0], "-keyout", paths[1]], check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return paths


# --- the program ------------------------------------------------------------------------------------------

class Result:
    """What one run of the program came to."""

    def __init__(self, late, status, memory, out, err):
        self.late, self.status, self.memory, self.out, self.err = late, status, memory, out, err

    def is_killed(self):
        return self.status == -signal.SIGKILL and not self.late

    def exit(self):
        return "killed" if self.is_killed() else str(self.status)

    def shown(self):
        return [f"  {name}| {line}" for name, text in (("out", self.out), ("err", self.err))
                for line in text.splitlines()[:30]]


def bytes_of(text):
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text)


def judge_words(run, result):
    """What is wrong with what was printed."""
    found = []
    for name, text in (("stdout", result.out), ("stderr", result.err)):
        found += [f"{name} lacks /{p}/" for p in all_of(run, name) if not re.search(p, text, re.M)]
        found += [f"{name} has /{p}/" for p in all_of(run, "not " + name) if re.search(p, text, re.M)]
    return found


def judge(run, result, wanted, sanitized):
    """What is wrong with one run of the program whatever it said, a sentence each."""
    found = [result.late] if result.late else []
    if result.exit() not in wanted and not result.late:
        found.append(f"exit status {result.exit()}, not {' or '.join(wanted)}")
    if result.status > 0 and not result.err.strip():
        found.append("not a word on stderr")
    if result.status > 1 and not result.late and len(re.findall("^mailferry: .{10}", result.err, re.M)) != 1:
        found.append("not one sentence that says why it stopped")
    for name, text in (("stdout", result.out), ("stderr", result.err)):
        found += [f"{name} holds {what}" for p, what in NEVER if re.search(p, text)]
    if one_of(run, "max-rss") and result.memory > bytes_of(one_of(run, "max-rss")) and not sanitized:
        found.append(f"used {result.memory >> 20} MiB of memory, more than {one_of(run, 'max-rss')}")
    return found


# --- once through a file ----------------------------------------------------------------------------------

class Play:
    """All runs of a dialogue, against servers and with a state folder of their own. kill: the step at which the run with
    a crown is killed; then that run is repeated until it is through, and once more, when it must find nothing to do."""

    def __init__(self, args, dialogue, folder, cert, kill=0):
        self.args, self.dialogue, self.folder, self.cert, self.kill = args, dialogue, folder, cert, kill
        self.state = os.path.join(folder, "state")
        self.trace = os.path.join(folder, "trace")
        self.executed = 0
        self.was_killed = False
        self.problems = []

    def fill(self, text):
        for name, value in (("from", self.fakes[0].port), ("to", self.fakes[1].port), ("cert", self.cert[0]),
                            ("folder", self.folder)):
            text = text.replace("{%s}" % name, value)
        return text

    def command_line(self, run):
        password = os.path.join(self.folder, "password")
        with open(password, "w", encoding="utf-8") as f:
            f.write(one_of(run, "password", PASSWORD) + "\n")
        options = shlex.split(self.fill(one_of(run, "options", "")))
        line = [self.args.mailferry, one_of(run, "verb", "copy")]
        for side in ("from", "to"):
            line += ["--" + side, self.fill(one_of(run, side, "imap://u@127.0.0.1:{%s}" % side))]
            if not any(option.startswith(f"--{side}-token-") for option in options):
                line += [f"--{side}-password-file", password]
        # a fault is shown at once unless the file is about retries
        return [*line, *([] if "--retries" in options else ["--retries", "0"]), *options]

    def environment(self, more):
        home = os.path.join(self.folder, "home")
        os.makedirs(home, exist_ok=True)
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("MAILFERRY_", "XDG_")) or name == "MAILFERRY_RUN_SEED"}
        return {**kept, "ASAN_OPTIONS": "exitcode=99", "UBSAN_OPTIONS": "halt_on_error=1", "LC_ALL": "C.UTF-8",
                "HOME": home, "XDG_STATE_HOME": self.state, **more}

    def execute(self, run, **more):
        """Runs the program; when it has ended, so have its connections."""
        self.executed += 1
        out, err = (os.path.join(self.folder, f"{self.executed}-{kind}") for kind in ("stdout", "stderr"))
        limit = SLOW_LIMIT if one_of(run, "slow") == "yes" else LIMIT
        with open(out, "wb") as o, open(err, "wb") as e:
            process = subprocess.Popen(self.command_line(run), stdin=subprocess.DEVNULL, stdout=o, stderr=e,
                                       env=self.environment(more), cwd=self.folder)
            self.tell(f"client {process.pid}")
            poll = select.poll()
            pidfd = os.pidfd_open(process.pid)
            poll.register(pidfd, select.POLLIN)
            late = not poll.poll(limit * 1000)
            os.close(pidfd)
            if late:
                process.kill()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        texts = [open(path, encoding="utf-8", errors="replace").read() for path in (out, err)]
        self.tell("client 0")
        self.tell("over")
        return Result(f"did not end within {limit} seconds" if late else None, process.returncode,
                      usage.ru_maxrss * 1024, *texts)

    def tell(self, command):
        for fake in self.fakes:
            fake.tell(command)

    def note(self, title, result, found):
        self.problems += [f"{title}: {p}" for p in found] + (result.shown() if found else [])

    def copy_state(self, name, back):
        saved = os.path.join(self.folder, "saved-" + name)
        source, target = (saved, self.state) if back else (self.state, saved)
        shutil.rmtree(target, ignore_errors=True)
        if os.path.isdir(source):
            shutil.copytree(source, target, symlinks=True)

    def let_pass(self, minutes):
        """What ledgers noted as moments becomes so much older."""
        for path in glob.glob(os.path.join(self.state, "mailferry", "ledger", "*.db")):
            with contextlib.closing(sqlite3.connect(path)) as db, db:
                db.execute("UPDATE fact SET value = value - ? WHERE name LIKE '%-since'", (minutes * 60 * 10**6,))

    def play_run(self, number, run):
        """One run as the file has it. In a play with a kill what it says does not count: what is left to do differs."""
        more = {}
        if one_of(run, "kill"):
            more["MAILFERRY_STEP_KILL"] = one_of(run, "kill")
        if one_of(run, "fail"):
            more["MAILFERRY_STEP_FAIL"] = one_of(run, "fail")
        if one_of(run, "crown") and not self.kill:
            more["MAILFERRY_STEP_TRACE"] = self.trace
        result = self.execute(run, **more)
        found = judge(run, result, one_of(run, "exit").split(), self.args.sanitized)
        self.note(f"run {number}", result, found + ([] if self.kill else judge_words(run, result)))
        self.tell(f"ended {number}")

    def play_crowned(self, number, run):
        wanted = one_of(run, "exit").split()
        result = self.execute(run, MAILFERRY_STEP_KILL=f":{self.kill}")
        self.was_killed = result.is_killed()
        self.note(f"run {number}, killed", result, judge(run, result, ["killed", *wanted], self.args.sanitized))
        result = self.execute(run)
        self.note(f"run {number}, after it was killed", result, judge(run, result, wanted, self.args.sanitized))
        self.tell(f"ended {number}")
        self.tell(f"run {number}")
        result = self.execute(run)
        wanted = ["0"] if one_of(run, "crown") == "yes" else one_of(run, "crown").split()
        found = [f"stdout lacks /{p}/" for p in all_of(run, "then") if not re.search(p, result.out, re.M)]
        self.note(f"run {number}, with nothing left to do", result,
                  judge(run, result, wanted, self.args.sanitized) + found)
        self.tell("quiet")

    def play_all(self):
        if self.kill:
            self.tell("lenient")
        for number, run in enumerate(self.dialogue.runs, 1):
            self.tell(f"run {number}")
            if one_of(run, "keep") == "no":
                shutil.rmtree(self.state, ignore_errors=True)
            if one_of(run, "restore"):
                self.copy_state(one_of(run, "restore"), back=True)
            if one_of(run, "later"):
                self.let_pass(int(one_of(run, "later")))
            if one_of(run, "crown") and self.kill:
                self.play_crowned(number, run)
            else:
                self.play_run(number, run)
            if one_of(run, "save"):
                self.copy_state(one_of(run, "save"), back=False)

    def play(self):
        """What is wrong, with the output that shows it; empty: nothing."""
        os.makedirs(self.folder, exist_ok=True)
        self.fakes = [Fake(self.args.fake, self.dialogue.path, name, self.cert) for name in ("from", "to")]
        try:
            for fake in self.fakes:
                fake.start()
            self.play_all()
            return self.problems + [v for v in [f.verdict() for f in self.fakes] if v]
        except (Failure, OSError, subprocess.SubprocessError) as problem:
            return self.problems + [str(problem)] + [v for v in [f.verdict() for f in self.fakes] if v]
        finally:
            for fake in self.fakes:
                fake.end()


# --- one test ---------------------------------------------------------------------------------------------

def play_together(args, plays):
    """Plays (title, play) at once, as many as are allowed in all; yields (title, play, problems) in order."""
    def one(play):
        with args.slots:
            problems = play.play()
        if not args.keep and not problems:
            shutil.rmtree(play.folder)
        return problems
    with concurrent.futures.ThreadPoolExecutor(args.plays) as pool:
        futures = [(title, play, pool.submit(one, play)) for title, play in plays]
        for title, play, future in futures:
            yield title, play, future.result()


def chosen_steps(args, name, n):
    if args.slow or n <= FEW:
        return list(range(1, n + 1))
    between = random.Random(f"{args.seed} {name}").sample(range(2, n), SAMPLE - 2)
    return [1, *sorted(between), n]


def play_crown(args, dialogue, folder, cert, trace):
    """Kills the run at one step after the other, of those that `trace` says it takes."""
    with open(trace, encoding="utf-8") as f:
        steps = f.read().splitlines()
    plays = [(f"killed at step {k} ({steps[k - 1]})", Play(args, dialogue, os.path.join(folder, f"kill-{k}"), cert, k))
             for k in chosen_steps(args, dialogue.name, len(steps))]
    problems, killed = [], 0
    for title, play, found in play_together(args, plays):
        problems += [f"{title}: {p}" for p in found]
        killed += play.was_killed
    if killed < (len(plays) + 1) // 2:  # how many steps a run takes may vary a little, not that much
        problems.append(f"of {len(plays)} runs only {killed} were killed")
    return problems


def play_variant(args, title, dialogue, folder, cert):
    play = Play(args, dialogue, folder, cert)
    with args.slots:
        problems = play.play()
    if not problems and any(one_of(run, "crown") for run in dialogue.runs):
        if not os.path.exists(play.trace):
            return ["the run with a crown passes no step to be killed at"]
        problems = play_crown(args, dialogue, folder, cert, play.trace)
    return [f"{title}: {p}" if title else p for p in problems]


def play_values(args, dialogue, folder, cert, values):
    title, variant = dialogue.variant(folder, values)
    return play_variant(args, title, variant, os.path.dirname(variant.path), cert)


def play_combination(args, pool, dialogue, folder, cert, values):
    """One choice of the sweeps' values. Where a sweep is open, some of its numbers at a time until the rule that has it
    acts no more."""
    if not values:
        return play_variant(args, "", dialogue, folder, cert)
    first = next((value for value in values if isinstance(value, int)), None)
    if first is None:
        return play_values(args, dialogue, folder, cert, values)

    problems, most = [], MANY if args.slow else FEW
    for begin in range(first, first + most, AT_ONCE):
        chosen = [[str(k) if isinstance(value, int) else value for value in values]
                  for k in range(begin, min(begin + AT_ONCE, first + most))]
        for number, found in enumerate(pool.map(lambda v: play_values(args, dialogue, folder, cert, v), chosen), begin):
            if number > first and any(ENDED in problem for problem in found):
                return problems
            problems += found
    return problems


def test(args, dialogue, top, cert):
    folder = os.path.join(top, dialogue.name)
    os.mkdir(folder)
    try:
        with concurrent.futures.ThreadPoolExecutor(args.plays) as pool, \
                concurrent.futures.ThreadPoolExecutor(args.plays) as inner:
            return sum(pool.map(lambda values: play_combination(args, inner, dialogue, folder, cert, values),
                                dialogue.combinations()), [])
    except (Failure, OSError, subprocess.SubprocessError) as problem:
        return [str(problem)]


def selected(args):
    words = [word for word in args.words if not os.path.exists(word)]
    places = [word for word in args.words if os.path.exists(word)] or [HERE]
    for place in places:
        for path in sorted(glob.glob(os.path.join(place, "*.dlg"))) if os.path.isdir(place) else [place]:
            if words and not any(word in os.path.basename(path) for word in words):
                continue
            try:
                dialogue = Dialogue(path)
            except (Failure, OSError) as problem:
                yield os.path.basename(path)[:-len(".dlg")], problem, False
                continue
            slow = any(one_of(run, "slow") == "yes" for run in dialogue.runs)
            yield dialogue.name, dialogue, slow and not args.slow


def arguments():
    parser = argparse.ArgumentParser(description="Plays dialogue files against mailferry copy.")
    parser.add_argument("mailferry", type=os.path.abspath)
    parser.add_argument("fake", type=os.path.abspath)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--slow", action="store_true", help="run the slow ones too, and all steps of each crown")
    parser.add_argument("--keep", action="store_true", help="keep all output")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1, help="chooses the steps of crowns with many")
    return parser.parse_intermixed_args()


def main():
    args = arguments()
    args.plays = 3 * args.jobs  # most of the time they wait
    args.slots = threading.BoundedSemaphore(args.plays)
    with open(args.mailferry, "rb") as f:
        args.sanitized = b"__asan_init" in f.read()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    top = tempfile.mkdtemp(prefix="dialogue-")
    cert = make_certificate(top)
    todo = list(selected(args))
    failed = 0
    print(f"1..{len(todo)}")
    with concurrent.futures.ThreadPoolExecutor(args.plays) as pool:
        results = [pool.submit(test, args, dialogue, top, cert) if isinstance(dialogue, Dialogue) and not skip else None
                   for _, dialogue, skip in todo]
        for number, ((name, dialogue, skip), result) in enumerate(zip(todo, results), 1):
            if skip:
                print(f"ok {number} - {name} # SKIP slow")
                continue
            problems = result.result() if result else [str(dialogue)]
            failed += bool(problems)
            print(f"{'not ok' if problems else 'ok'} {number} - {name}")
            lines = [line for p in problems for line in p.splitlines()]
            shown = lines if len(lines) <= SHOWN else [*lines[:SHOWN], f"and {len(lines) - SHOWN} more lines"]
            print("".join(f"# {line}\n" for line in shown), end="", flush=True)
    if args.keep:
        print(f"# all output is in {top}")
    else:
        shutil.rmtree(top)
    sys.exit(failed > 0)


main()
