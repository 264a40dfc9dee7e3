# SPDX-License-Identifier: Apache-2.0
"""What all private mail servers of the tests share: a scratch folder, a free port, certificates of a CA of
our own, a process that ends with us.

The servers never run as root: started by root they become the user `mail`, started by anybody else they
stay that user. So there is one way to run them, and it needs no rights.
"""
import atexit
import ctypes
import getpass
import grp
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOST = "127.0.0.1"
PASSWORD = "kr\u00e4he-7 \"quoted\\slash"  # a test should meet what passwords may hold
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def service_user():
    """(name, group) that servers run as."""
    if os.getuid() == 0:
        return "mail", "mail"
    return getpass.getuser(), grp.getgrgid(os.getgid()).gr_name


class Scratch:
    """A folder the servers' user owns, removed at the end however the test ends."""

    def __init__(self, where=None):
        self.path = tempfile.mkdtemp(prefix="mailferry-test-", dir=where)
        os.chmod(self.path, 0o755)
        give(self.path)
        self.owner = os.getpid()
        atexit.register(self.remove)

    def remove(self):
        if os.getpid() == self.owner:
            shutil.rmtree(self.path, ignore_errors=True)

    def folder(self, *names):
        path = os.path.join(self.path, *names)
        os.makedirs(path, exist_ok=True)
        give(path)
        return path

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.path, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        give(path)
        return path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


def give(path):
    if os.getuid() == 0:
        user, group = service_user()
        shutil.chown(path, user, group)


def give_all(path):
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", ":".join(service_user()), path], check=True)


def end_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def spawn(command, **more):
    """A child as the servers' user that ends when this process ends, even by kill -9."""
    if os.getuid() == 0:
        more.update(user="mail", group="mail", extra_groups=[])
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(command, preexec_fn=end_with_parent, start_new_session=True, **more)


class Fork:
    """The same for a function of ours: serve() runs in a child of this process."""

    def __init__(self, serve, out):
        self.pid = os.fork()
        self.returncode = None
        if self.pid:
            return
        try:
            os.setsid()
            if os.getuid() == 0:
                uid, gid = service_ids()
                os.setgroups([])
                os.setgid(gid)
                os.setuid(uid)
            end_with_parent()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
            serve()
        finally:
            os._exit(1)

    def poll(self):
        if self.returncode is None and os.waitpid(self.pid, os.WNOHANG)[0]:
            self.returncode = 0
        return self.returncode

    def wait(self, timeout=None):
        end = time.monotonic() + (timeout or 1e9)
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("fork", timeout)
            time.sleep(0.005)

    def terminate(self):
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)


def run(command, **more):
    child = spawn(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    out = child.communicate()[0]
    if child.returncode:
        raise RuntimeError(f"{command[0]} ended with {child.returncode}: {out.decode(errors='replace')}")
    return out


def free_ports(count):
    """Ports nobody listens on, below those the kernel hands to clients."""
    taken = []
    choose = random.SystemRandom()
    while len(taken) < count:
        port = choose.randrange(12000, 32000)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((HOST, port))
            except OSError:
                continue
        if port not in taken:
            taken.append(port)
    return taken


class Authority:
    """A test CA; certificate(names) makes a server's certificate."""

    def __init__(self, folder, name="mailferry test CA"):
        self.folder = folder
        self.file = os.path.join(folder, "ca.pem")
        self._key = os.path.join(folder, "ca.key")
        self._new_key(self._key)
        self._openssl("req", "-x509", "-new", "-key", self._key, "-days", "30", "-subj", "/CN=" + name,
                      "-out", self.file)

    def certificate(self, names=("DNS:localhost", "IP:127.0.0.1"), days=30, subject="test server"):
        """(certificate file, key file)"""
        stem = tempfile.mktemp(prefix="server-", dir=self.folder)
        self._new_key(stem + ".key")
        with open(stem + ".ext", "w") as f:
            f.write("subjectAltName=" + ",".join(names) + "\n")
        self._openssl("req", "-new", "-key", stem + ".key", "-subj", "/CN=" + subject, "-out", stem + ".csr")
        self._openssl("x509", "-req", "-in", stem + ".csr", "-CA", self.file, "-CAkey", self._key,
                      "-CAcreateserial", "-days", str(days), "-extfile", stem + ".ext", "-out", stem + ".pem")
        for end in (".pem", ".key"):
            os.chmod(stem + end, 0o600)
            give(stem + end)
        return stem + ".pem", stem + ".key"

    def _new_key(self, path):
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)

    @staticmethod
    def _openssl(*words):
        subprocess.run(["openssl", *words], check=True, stdin=subprocess.DEVNULL, capture_output=True)


class Server:
    """One running server. As a context manager it starts and stops.

    users       names with a mailbox, all with the same password
    port        IMAP, with STARTTLS unless tls=False
    tls_port    IMAPS
    names       of the certificate, authority: who signs it (default: a new CA of its own)
    """
    name = "?"
    separator, prefix = "/", ""
    tls_port = None

    def __init__(self, users=("alice",), password=PASSWORD, where=None, tls=True, names=None, authority=None):
        self.users = list(users)
        self.password = password
        self.tls = tls
        self.scratch = Scratch(where)
        self.password_file = os.path.join(self.scratch.path, "password")
        with open(self.password_file, "w", encoding="utf-8") as f:
            f.write(password + "\n")
        self.ca_file = None
        if tls:
            self.authority = authority or Authority(self.scratch.folder("ca"))
            self.ca_file = self.authority.file
            self.certificate, self.key = self.authority.certificate(*([names] if names else []))
        self.child = None

    # what a kind of server says of itself
    def configure(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def after_start(self):
        pass

    def start(self):
        for attempt in range(5):  # another program may take the port between looking and listening
            self.port, self.tls_port = free_ports(2)
            self.configure()
            self.log = os.path.join(self.scratch.path, "out")
            with open(self.log, "ab") as out:
                self.child = self.launch(out)
            if self._wait_until_it_listens():
                self.after_start()
                return self
            self.stop()
        raise RuntimeError(f"{self.name} does not start:\n{self.messages()}")

    def launch(self, out):
        """The running server: a Popen, or what has its methods."""
        return spawn(self.command(), stdout=out, stderr=out)

    def _wait_until_it_listens(self):
        end = time.monotonic() + 10
        while time.monotonic() < end and self.child.poll() is None:
            try:
                with socket.create_connection((HOST, self.port), timeout=5) as s:
                    s.settimeout(5)
                    return s.recv(1) == b"*"
            except OSError:
                time.sleep(0.01)
        return False

    def stop(self, gently=False):
        """Ends the server and its children. Gently: they may take their time (Dovecot a second)."""
        if self.child is None:
            return
        self.child.terminate()
        try:
            self.child.wait(10 if gently else 0.1)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()
        self.child = None

    def messages(self, last=4000):
        """The last of what the server wrote into its logs."""
        out = ""
        for name in ("out", "log"):
            path = os.path.join(self.scratch.path, name)
            if os.path.exists(path):
                with open(path, errors="replace") as f:
                    out += f.read()[-last:]
        return out

    def url(self, user=None, tls=False, host=None):
        scheme, port = ("imaps", self.tls_port) if tls else ("imap", self.port)
        return f"{scheme}://{user or self.users[0]}@{host or HOST}:{port}"

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        self.scratch.remove()


def exit_on_signals():
    """Turns SIGTERM and SIGHUP into an ordinary exit, so that scratch folders go away."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))


def service_ids():
    user, group = service_user()
    return pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid
