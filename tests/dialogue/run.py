#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs `mailferry copy` against the fake servers of dialogue files and holds it to what they say.

    run.py MAILFERRY FAKE-IMAP [--slow] [--keep] [--jobs N] [WORD...]

Each file of this folder whose name holds a WORD (default: all) is a test; output is TAP. README.md has the
notation. --keep leaves each test's folder, with all output, behind and says where."""
import argparse
import concurrent.futures
import glob
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PASSWORD = "secret"
LIMIT, SLOW_LIMIT = 60, 900  # seconds for one run of the program
HEADINGS = ("run", "server", "connection", "on", "on:", "folder", "expect")
NEVER = [  # in no output, whatever happens
    (r"AddressSanitizer|LeakSanitizer|runtime error:", "a sanitizer's report"),
    (r"Assertion|core dumped", "an assertion"),
    (rf"\b{PASSWORD}\b", "the password"),
]


class Failure(Exception):
    pass


# --- files ------------------------------------------------------------------------------------------------

def read_runs(path):
    """The run sections, each a list of (name, value)."""
    runs, here = [], None
    with open(path, encoding="utf-8", errors="surrogateescape") as f:
        for line in f:
            line = line.strip()
            word = line.split(" ")[0]
            if not line or line.startswith("#"):
                continue
            if word in HEADINGS:
                here = [] if word == "run" else None
                if here is not None:
                    runs.append(here)
            elif here is not None:
                name, _, value = line.partition(":")
                here.append((name.strip(), value.strip()))
    return runs


def all_of(run, name):
    return [value for n, value in run if n == name]


def one_of(run, name, otherwise=None):
    return (all_of(run, name) or [otherwise])[-1]


# --- servers ----------------------------------------------------------------------------------------------

class Fake:
    def __init__(self, program, path, name, cert):
        self.name = name
        self.process = subprocess.Popen([program, "--server", name, "--cert", cert[0], "--key", cert[1], path],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, errors="replace")
        first = self.process.stdout.readline().split()
        if len(first) != 2 or first[0] != "PORT":
            raise Failure(f"fake-imap: {self.process.stderr.read().strip()}")
        self.port = first[1]

    def verdict(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            out, err = self.process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return f"the fake server {self.name} did not end"
        if self.process.returncode == 0:
            return ""
        return f"server {self.name}: {(out + err).strip() or self.process.returncode}"


def make_certificate(folder):
    paths = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=fake.example.org", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                    "-out", paths[0], "-keyout", paths[1]], check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return paths


# --- the program ------------------------------------------------------------------------------------------

def command_line(args, run, ports, folder, cert):
    password = os.path.join(folder, "password")
    with open(password, "w", encoding="utf-8") as f:
        f.write(one_of(run, "password", PASSWORD) + "\n")

    def fill(text):
        return text.replace("{from}", ports["from"]).replace("{to}", ports["to"]).replace("{cert}", cert[0])
    options = fill(one_of(run, "options", "")).split()  # a fault is shown at once unless the file is about retries
    return [args.mailferry, "copy", "--from", fill(one_of(run, "from", "imap://u@127.0.0.1:{from}")),
            "--to", fill(one_of(run, "to", "imap://u@127.0.0.1:{to}")),
            "--from-password-file", password, "--to-password-file", password,
            *([] if "--retries" in options else ["--retries", "0"]), *options]


def measure(process):
    """Waits for a program; its status and peak memory."""
    pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss * 1024


def execute(args, run, ports, folder, cert, number):
    environment = {**os.environ, "ASAN_OPTIONS": "exitcode=99", "UBSAN_OPTIONS": "halt_on_error=1", "LC_ALL": "C.UTF-8"}
    out, err = (os.path.join(folder, f"{number}-{kind}") for kind in ("stdout", "stderr"))
    with open(out, "wb") as o, open(err, "wb") as e:
        process = subprocess.Popen(command_line(args, run, ports, folder, cert), stdin=subprocess.DEVNULL, stdout=o,
                                   stderr=e, env=environment, cwd=folder)
        poll = select.poll()
        pidfd = os.pidfd_open(process.pid)
        poll.register(pidfd, select.POLLIN)
        limit = SLOW_LIMIT if one_of(run, "slow") == "yes" else LIMIT
        late = not poll.poll(limit * 1000)
        os.close(pidfd)
        if late:
            process.kill()
        status, memory = measure(process)
    texts = [open(path, encoding="utf-8", errors="replace").read() for path in (out, err)]
    return (f"did not end within {limit} seconds" if late else None), status, memory, *texts


def bytes_of(text):
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text)


def judge(run, late, status, memory, out, err, sanitized):
    """What is wrong with one run of the program, a sentence each."""
    found = [late] if late else []
    wanted = one_of(run, "exit", "").split()
    if str(status) not in wanted and not late:
        found.append(f"exit status {status}, not {' or '.join(wanted)}")
    if status and not err.strip():
        found.append("not a word on stderr")
    if status > 1 and not late and len(re.findall("^mailferry: .{10}", err, re.M)) != 1:
        found.append("not one sentence that says why it stopped")
    for name, text in (("stdout", out), ("stderr", err)):
        found += [f"{name} lacks /{p}/" for p in all_of(run, name) if not re.search(p, text, re.M)]
        found += [f"{name} has /{p}/" for p in all_of(run, "not " + name) if re.search(p, text, re.M)]
        found += [f"{name} holds {what}" for p, what in NEVER if re.search(p, text)]
    if one_of(run, "max-rss") and memory > bytes_of(one_of(run, "max-rss")) and not sanitized:
        found.append(f"used {memory >> 20} MiB of memory, more than {one_of(run, 'max-rss')}")
    return found


# --- one test ---------------------------------------------------------------------------------------------

def play(args, path, folder, cert):
    """What is wrong, with the output that shows it; empty: nothing."""
    runs = read_runs(path)
    problems = []
    if not runs or any(not one_of(run, "exit") for run in runs):
        return ["a file needs a run, and a run an exit status"]
    fakes = [Fake(args.fake, path, name, cert) for name in ("from", "to")]
    ports = {f.name: f.port for f in fakes}
    for number, run in enumerate(runs, 1):
        result = execute(args, run, ports, folder, cert, number)
        found = judge(run, *result, args.sanitized)
        problems += [f"run {number}: {p}" for p in found]
        texts = result[3:]
        problems += [f"  {name}| {line}" for name, text in zip(("out", "err"), texts) if found
                     for line in text.splitlines()[:30]]
    verdicts = [f.verdict() for f in fakes]
    return problems + [v for v in verdicts if v]


def test(args, path, top, cert):
    name = os.path.splitext(os.path.basename(path))[0]
    folder = os.path.join(top, name)
    os.mkdir(folder)
    try:
        return name, play(args, path, folder, cert)
    except (Failure, OSError, subprocess.SubprocessError) as problem:
        return name, [str(problem)]


def selected(args):
    paths = sorted(glob.glob(os.path.join(HERE, "*.dlg")))
    for path in paths:
        name = os.path.basename(path)
        if args.words and not any(word in name for word in args.words):
            continue
        slow = any(one_of(run, "slow") == "yes" for run in read_runs(path))
        yield path, slow and not args.slow


def arguments():
    parser = argparse.ArgumentParser(description="Plays dialogue files against mailferry copy.")
    parser.add_argument("mailferry", type=os.path.abspath)
    parser.add_argument("fake", type=os.path.abspath)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--slow", action="store_true", help="run the slow ones too")
    parser.add_argument("--keep", action="store_true", help="keep all output")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_intermixed_args()


def main():
    args = arguments()
    with open(args.mailferry, "rb") as f:
        args.sanitized = b"__asan_init" in f.read()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    top = tempfile.mkdtemp(prefix="dialogue-")
    cert = make_certificate(top)
    todo = list(selected(args))
    failed = 0
    print(f"1..{len(todo)}")
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        results = [None if skip else pool.submit(test, args, path, top, cert) for path, skip in todo]
        for number, ((path, _), result) in enumerate(zip(todo, results), 1):
            if not result:
                print(f"ok {number} - {os.path.basename(path)[:-4]} # SKIP slow")
                continue
            name, problems = result.result()
            failed += bool(problems)
            print(f"{'not ok' if problems else 'ok'} {number} - {name}")
            print("".join(f"# {line}\n" for p in problems for line in p.splitlines()), end="", flush=True)
    if args.keep:
        print(f"# all output is in {top}")
    else:
        shutil.rmtree(top)
    sys.exit(failed > 0)


main()
