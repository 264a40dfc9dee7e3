# SPDX-License-Identifier: Apache-2.0
"""The gateway and Postfix in turn, with their usual durability, queues on the same disk: smtp-source, the gateway, smtp-sink.
Accepted: until the sender has its last 250; delivered: until the sink has counted the last message. Processor time is that of
all processes of a gateway, from the first message until it rests. smtp-load sends what smtp-source cannot."""
import collections
import json
import os
import pwd
import re
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time

from product import PROGRAM
from rig import TICKS, busy_share, family, memory
from memory import resident
from server import HOST, ROOT, Authority, Scratch, end_with_parent, free_ports
from tables import number

# messages/s accepted and delivered, ms of processor time a message, of a gateway
Flow = collections.namedtuple("Flow", "accepted delivered cpu")
BUILD = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(PROGRAM))))
LOAD = os.path.join(BUILD, "tests", "smtp-load")
SPEED = os.path.join(BUILD, "tests", "test-queue-speed")
COUNTS = {4096: {1: 2000, 20: 6000, 100: 6000}, 65536: {1: 500, 20: 2000, 100: 2000}}
NOBODY = "nobody"


def need(*programs):
    missing = [p for p in programs if not shutil.which(p, path=os.environ.get("PATH", "") + ":/usr/sbin")]
    if missing:
        raise RuntimeError(f"{missing[0]} is not installed")
    if os.geteuid() != 0:
        raise RuntimeError("Postfix and the sink change users: needs root")


def wait_for_greeting(port, within=20):
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            with socket.create_connection((HOST, port), timeout=5) as s:
                if s.recv(3) == b"220":
                    s.sendall(b"QUIT\r\n")
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"nobody greets on port {port}")


class Sink:
    """smtp-sink; `count` and `last` (a moment) say what it has taken since reset()."""

    def __init__(self):
        self.port = free_ports(1)[0]
        self.child = subprocess.Popen(["smtp-sink", "-c", "-u", NOBODY, f"{HOST}:{self.port}", "1024"], stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, preexec_fn=end_with_parent)
        self.count, self.last = 0, 0.0
        threading.Thread(target=self._read, daemon=True).start()
        wait_for_greeting(self.port)

    def _read(self):
        rest = b""
        while data := os.read(self.child.stdout.fileno(), 65536):
            rest = (rest + data)[-400:]
            if found := re.findall(rb"mesg=(\d+)", rest):
                self.count, self.last = int(found[-1]), time.monotonic()

    def stop(self):
        self.child.kill()
        self.child.wait()


class Program:
    """A gateway that relays everything to the sink."""

    def __init__(self, scratch, sink, authority):
        self.folder = scratch.folder(self.name)
        os.chown(self.folder, 0, 0)
        os.chmod(self.folder, 0o755)
        self.port = free_ports(1)[0]
        self.cert, self.key = (shutil.copy(path, os.path.join(self.folder, name))
                               for path, name in zip(authority.certificate(), ("cert.pem", "key.pem")))
        os.chmod(self.cert, 0o644)
        os.chmod(self.key, 0o644)
        self.configure(sink)
        self.start()
        wait_for_greeting(self.port)

    def cpu(self):
        """Seconds: of its living processes, and of those that they saw end."""
        total = 0
        for pid in self.processes():
            try:
                with open(f"/proc/{pid}/stat") as f:
                    total += sum(map(int, f.read().rsplit(")", 1)[1].split()[11:15]))
            except OSError:
                continue
        return total / TICKS

    def rest(self):
        """Waits until it does nothing more about the last messages."""
        before, end = self.cpu(), time.monotonic() + 10
        while time.monotonic() < end:
            time.sleep(0.3)
            now = self.cpu()
            if now - before < 0.02:
                return
            before = now


class Mailferry(Program):
    name = "mailferry"

    def configure(self, sink):
        with open(os.path.join(self.folder, "mailferry.conf"), "w") as f:
            f.write(f"""[mailferry]
state = {self.folder}/state
[platform old]
smtp = smtp://{HOST}:{sink.port}
smtp_tls = none
[platform new]
smtp = smtp://{HOST}:{sink.port}
smtp_tls = none
[gateway]
hostname = gateway.lab.example
listen = {HOST}:{self.port}
domain = example.net
domain_route = example.net=new
sessions = 10000
sessions_per_address = 10000
keep_free = 100M
user = {NOBODY}
cert_file = {self.cert}
key_file = {self.key}
""")

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.child = subprocess.Popen([PROGRAM, "gateway", "--config", os.path.join(self.folder, "mailferry.conf")],
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=end_with_parent,
                                          start_new_session=True)

    def processes(self):
        return family(self.child.pid)

    def parts(self):
        """Seconds of each of its processes, by name."""
        found = {}
        for pid in self.processes():
            with open(f"/proc/{pid}/cmdline") as f:
                words = f.read().split("\0")
            name = words[words.index("--part") + 1] if "--part" in words else "keeper"
            with open(f"/proc/{pid}/stat") as f:
                found[name] = found.get(name, 0) + sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13])) / TICKS
        return found

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()


class Postfix(Program):
    name = "Postfix"

    def configure(self, sink):
        for part in ("etc", "queue", "data"):
            os.makedirs(os.path.join(self.folder, part))
        os.chown(os.path.join(self.folder, "data"), pwd.getpwnam("postfix").pw_uid, -1)
        with open(os.path.join(self.folder, "etc", "main.cf"), "w") as f:
            f.write(f"""compatibility_level = 3.6
queue_directory = {self.folder}/queue
data_directory = {self.folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = {HOST}
inet_protocols = ipv4
myhostname = gateway.lab.example
mydestination =
alias_maps =
local_recipient_maps =
mynetworks = 127.0.0.0/8
relayhost = [{HOST}]:{sink.port}
smtpd_relay_restrictions = permit_mynetworks, reject
message_size_limit = 52428800
maillog_file = {self.folder}/log
maillog_file_prefixes = {self.folder}
smtpd_client_connection_count_limit = 0
smtp_tls_security_level = none
smtpd_tls_security_level = may
smtpd_tls_cert_file = {self.cert}
smtpd_tls_key_file = {self.key}
""")
        with open("/usr/share/postfix/master.cf.dist") as f, open(os.path.join(self.folder, "etc", "master.cf"), "w") as to:
            for line in f:
                words = line.split()
                if len(words) >= 8 and not line.startswith(("#", " ")):
                    if words[0] == "smtp" and words[1] == "inet":
                        words[0] = f"{HOST}:{self.port}"
                    words[4] = "n"  # no chroot: it is private
                    to.write(" ".join(words) + "\n")
                else:
                    to.write(line)

    def start(self):
        done = subprocess.run(["postfix", "-c", os.path.join(self.folder, "etc"), "start"], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        with open(os.path.join(self.folder, "queue", "pid", "master.pid")) as f:
            self.master = int(f.read())

    def processes(self):
        return family(self.master)

    def stop(self):
        subprocess.run(["postfix", "-c", os.path.join(self.folder, "etc"), "stop"], capture_output=True)


# --- sending ---

def source(port, size, sessions, count, kept):
    """Seconds that smtp-source takes."""
    words = ["smtp-source", "-N", "-s", str(sessions), "-l", str(size), "-m", str(count), "-f", "from@example.org", "-t", "to@example.net",
             *(["-d"] if kept else []), f"{HOST}:{port}"]
    began = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"smtp-source ended with {done.returncode}: {done.stderr[-500:]}")
    return time.monotonic() - began


def load(*words):
    done = subprocess.run([LOAD, *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"smtp-load ended with {done.returncode}: {done.stderr[-500:]}")
    return json.loads(done.stdout)


class Scene:
    """Programs and their sinks, alive until the end."""

    def __init__(self, o):
        self.o = o
        self.scratch = Scratch(o.work)
        self.authority = Authority(self.scratch.folder("ca"))
        self.sinks, self.programs = {}, {}
        self.noisy = 0

    def __enter__(self):
        for kind in (Mailferry, Postfix):
            sink = self.sinks[kind.name] = Sink()
            self.programs[kind.name] = kind(self.scratch, sink, self.authority)
        return self

    def __exit__(self, *_):
        for program in self.programs.values():
            program.stop()
        for sink in self.sinks.values():
            sink.stop()
        self.scratch.remove()

    def settle(self):
        subprocess.run(["sync"], check=True)
        end = time.monotonic() + self.o.patience
        while not self.o.patience or busy_share() > 0.06:
            if time.monotonic() >= end:
                self.noisy += 1
                return

    def flow(self, name, count, send):
        """send(port): seconds."""
        program, sink = self.programs[name], self.sinks[name]
        self.settle()
        before, base, began = program.cpu(), sink.count, time.monotonic()
        took = send(program.port)
        while sink.count < base + count:
            if time.monotonic() > began + 300:
                raise RuntimeError(f"{name}: {sink.count - base} of {count} messages arrived")
            time.sleep(0.01)
        arrived = sink.last - began
        program.rest()
        return Flow(count / took, count / arrived, 1000 * (program.cpu() - before) / count)

    def note(self):
        if self.noisy:
            print(f"\nThe machine was not quiet before {self.noisy} runs." if self.o.patience else
                  "\nNobody waited for a quiet machine.", flush=True)
        self.noisy = 0


def middle(flows):
    return Flow(*(statistics.median(f[i] for f in flows) for i in range(3)))


def row(title, flows):
    ours, theirs = middle(flows["mailferry"]), middle(flows["Postfix"])
    ratio = statistics.median(a.accepted / b.accepted for a, b in zip(flows["mailferry"], flows["Postfix"]))
    cells = [title, number(ours.accepted), number(theirs.accepted), f"**{number(ratio)}**", number(ours.delivered),
             number(theirs.delivered), number(ours.cpu), number(theirs.cpu)]
    print("| " + " | ".join(cells) + " |", flush=True)


def measure_flows(scene, o, how):
    """how: yields (title, count, send)."""
    print("\n| " + " | ".join(["", "accepted/s", "Postfix", "times", "delivered/s", "Postfix", "CPU ms/message", "Postfix"]) + " |\n" +
          "|---" * 8 + "|", flush=True)
    for title, count, send in how:
        flows = {name: [] for name in scene.programs}
        for i in range(o.runs):
            names = list(scene.programs)
            for name in names[i % 2:] + names[:i % 2]:
                flows[name].append(scene.flow(name, count, send))
        row(title, flows)


def kinds(o):
    for size in o.mail_sizes:
        for sessions in o.sessions:
            count = max(sessions, int(COUNTS[size][sessions] * o.mail_scale))
            for kept in (False, True):
                how = "kept" if kept else "one message each"
                yield (f"{size >> 10} KB, {sessions} connection{'s' * (sessions > 1)}, {how}", count,
                       lambda port, a=(size, sessions, count, kept): source(port, *a))


def tls_kinds(o):
    size = 4096
    for sessions in o.sessions:
        count = max(sessions, int(COUNTS[size][sessions] * o.mail_scale))
        for mode, kept in (("plain", "keep"), ("tls", "keep"), ("tls", "anew")):
            if kept == "anew" and sessions == 1:
                continue
            how = "kept" if kept == "keep" else "one message each"
            yield (f"{size >> 10} KB, {sessions} connection{'s' * (sessions > 1)}, {'STARTTLS' if mode == 'tls' else mode}, {how}", count,
                   lambda port, a=(sessions, count, size, mode, kept, 0): load(port, *a)["seconds"])


# --- what else there is to know ---

def alone(o, scene):
    """smtp-source straight to smtp-sink."""
    sink, cells = next(iter(scene.sinks.values())), []
    for sessions in o.sessions:
        count = max(sessions, int(COUNTS[4096][sessions] * o.mail_scale))
        for kept in (False, True):
            scene.settle()
            cells.append(number(statistics.median(count / source(sink.port, 4096, sessions, count, kept) for _ in range(o.runs))))
    print("\nsmtp-source and smtp-sink alone, 4 KB, messages/s (one message a connection, connections kept): " + ", ".join(
        f"{n}: {cells[2 * i]}, {cells[2 * i + 1]}" for i, n in enumerate(o.sessions)) + ".", flush=True)


def commits(o, scene, seconds):
    """What the disk does of writes of 5 KB, each with fdatasync(), in place, into a file of zeros."""
    path, zeros = os.path.join(scene.scratch.path, "commits"), b"\0" * (1 << 20)
    scene.settle()
    with open(path, "wb") as f:
        for _ in range(64):
            f.write(zeros)
        f.flush()
        os.fsync(f.fileno())
        data, at, n = os.urandom(5120), 0, 0
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            os.pwrite(f.fileno(), data, at)
            os.fdatasync(f.fileno())
            at, n = (at + len(data)) % (60 << 20), n + 1
        took = time.monotonic() - began
    os.unlink(path)
    print(f"\nCommits alone (5 KB, fdatasync, one at a time): {number(n / took)}/s.", flush=True)


def latency(o, scene):
    """A paced sender."""
    count = max(100, int(10000 * o.mail_scale))
    print("\n| 1,000 messages/s offered, 20 connections kept, 4 KB | 250 after, p50 ms | p99 ms | at most | sent/s |\n" + "|---" * 5 + "|")
    for mode in ("plain", "tls"):
        for name, program in scene.programs.items():
            rate = 1000 if name == "mailferry" else 300  # Postfix' share of what it can do is larger even so
            scene.settle()
            base = scene.sinks[name].count
            share = max(100, count * rate // 1000)
            said = load(program.port, 20, share, 4096, mode, "keep", rate)
            print(f"| {name}, {mode}{'' if rate == 1000 else f', {rate} offered'} | {said['p50_us'] / 1000:.2f} | "
                  f"{said['p99_us'] / 1000:.2f} | {said['most_us'] / 1000:.1f} | {number(said['messages'] / said['seconds'])} |", flush=True)
            end = time.monotonic() + 120
            while scene.sinks[name].count < base + share and time.monotonic() < end:
                time.sleep(0.05)


def idle(o, scene):
    program = scene.programs["mailferry"]
    print("\n| idle sessions, STARTTLS | MiB before | MiB with them | KiB a session |\n" + "|---" * 4 + "|")
    before = memory(program.child.pid, resident)
    with subprocess.Popen([LOAD, str(program.port), str(o.idle_sessions), "idle", "tls"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        said = json.loads(child.stdout.readline())
        now = memory(program.child.pid, resident)
        child.stdin.close()
        child.wait()
    print(f"| {said['sessions']:,} | {before / 1024:.1f} | {now / 1024:.1f} | {(now - before) / said['sessions']:.1f} |", flush=True)


def recovery(o):
    legs = int(1000000 * o.mail_scale)
    done = subprocess.run([SPEED], capture_output=True, text=True, env={**os.environ, "MAILFERRY_QUEUE_LEGS": str(legs),
                                                                       "MAILFERRY_QUEUE_MESSAGES": "1000"})
    if done.returncode:
        raise RuntimeError(done.stdout[-1000:] + done.stderr[-1000:])
    print("\nRecovery (test-queue-speed):\n\n```\n" + "".join(l + "\n" for l in done.stdout.splitlines() if l.startswith("#")) + "```", flush=True)


def measure(o):
    need("postfix", "smtp-source", "smtp-sink")
    for path in (LOAD, SPEED):
        if not os.path.exists(path):
            raise RuntimeError(f"{os.path.relpath(path, ROOT)} is not built")
    with Scene(o) as scene:
        print("\n### Plain, by smtp-source", flush=True)
        measure_flows(scene, o, kinds(o))
        print("\n### Plain and STARTTLS, by smtp-load", flush=True)
        measure_flows(scene, o, tls_kinds(o))
        print("\n### Limits, latency, memory", flush=True)
        alone(o, scene)
        commits(o, scene, 0.2 if o.quick else 3)
        latency(o, scene)
        idle(o, scene)
        recovery(o)
        scene.note()
