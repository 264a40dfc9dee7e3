#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mailferry gateway delivers to real servers: Postfix, OpenSMTPD, Dovecot by LMTP. What arrives is what was sent, with the trace
header before it; refusals and doubts end as the design says. All run privately, on loopback."""
import imaplib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

import product
import test_gateway
from dovecot import Dovecot, lmtp, targets
from server import HOST, Scratch, end_with_parent, free_ports

TARGETS = targets()
BODY = "From: s@sender.example\r\nDate: Tue, 1 Dec 2026 12:00:00 +0000\r\nSubject: {n}\r\nMessage-ID: <{n}@client.example>\r\n\r\nfirst\r\n.\r\n..\r\n" + "x" * 998 + "\r\nlast {n}\r\n"


def have_user(name):
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def wait_until(true, what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited for {what}")


def listens(port):
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


class Maildirs:
    """What a server delivered: the files below a folder."""

    def __init__(self, path):
        self.path = path

    def all(self):
        found = []
        for folder, _, names in os.walk(self.path):
            if os.path.basename(folder) in ("new", "cur"):
                for name in names:
                    with open(os.path.join(folder, name), "rb") as f:
                        found.append(f.read())
        return found


class Postfix:
    """Takes mail for example.org into maildirs; knows bob and carol. more: lines for main.cf."""

    def __init__(self, more=""):
        if os.geteuid() != 0 or not shutil.which("postfix") or not have_user("postfix"):
            raise unittest.SkipTest("needs an installed Postfix, and root")
        self.scratch = Scratch()
        self.port = free_ports(1)[0]
        owner = have_user("postfix")
        folders = {name: self.scratch.folder(name) for name in ("conf", "queue", "data", "mail")}
        os.chown(folders["data"], owner.pw_uid, owner.pw_gid)
        os.chown(folders["queue"], 0, 0)
        os.chown(folders["conf"], 0, 0)
        os.chown(folders["mail"], owner.pw_uid, owner.pw_gid)
        self.mail = Maildirs(folders["mail"])
        self.conf = folders["conf"]
        self.log = os.path.join(self.scratch.path, "log")
        with open(os.path.join(self.conf, "main.cf"), "w") as f:
            f.write(f"""compatibility_level = 3.6
queue_directory = {folders["queue"]}
data_directory = {folders["data"]}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = new.example.org
mydestination =
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = example.org
virtual_mailbox_base = {folders["mail"]}
virtual_mailbox_maps = inline:{{bob@example.org=bob/, carol@example.org=carol/}}
virtual_uid_maps = static:{owner.pw_uid}
virtual_gid_maps = static:{owner.pw_gid}
virtual_minimum_uid = 1
smtpd_reject_unlisted_recipient = yes
smtpd_tls_security_level = none
alias_maps =
alias_database =
maillog_file = {self.log}
maillog_file_prefixes = {self.scratch.path}
{more}
""")
        with open(os.path.join(self.conf, "master.cf"), "w") as f:
            f.write(f"""127.0.0.1:{self.port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
""")
        done = subprocess.run(["postfix", "-c", self.conf, "start"], capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(done.stdout + done.stderr + self.messages())
        wait_until(lambda: listens(self.port), "Postfix")

    def messages(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, errors="replace") as f:
            return f.read()[-3000:]

    def stop(self):
        subprocess.run(["postfix", "-c", self.conf, "stop"], capture_output=True)
        self.scratch.remove()


class OpenSmtpd:
    """In a mount space of its own, where its users and its spool exist."""

    def __init__(self):
        self.program = os.path.join(TARGETS, "usr/sbin/smtpd")
        if os.geteuid() != 0 or not os.path.exists(self.program):
            raise unittest.SkipTest("needs root, and tools/install-packages.sh targets")
        self.scratch = Scratch()
        self.port = free_ports(1)[0]
        path = self.scratch.path
        for name in ("spool", "lib/opensmtpd/empty", "run", "mail", "bin"):
            os.makedirs(os.path.join(path, name))
        for name in ("spool", "lib", "lib/opensmtpd", "lib/opensmtpd/empty", "run", "mail"):
            os.chown(os.path.join(path, name), 0, 0)
        os.chmod(os.path.join(path, "mail"), 0o777)
        self.mail = Maildirs(os.path.join(path, "mail"))
        for kind, extra in (("passwd", "opensmtpd:x:64001:64001::/var/lib/opensmtpd/empty:/bin/false\n"
                                       "opensmtpq:x:64002:64002::/var/lib/opensmtpd/empty:/bin/false\n"
                                       f"vmail:x:64003:64003::{path}/mail:/bin/false\n"),
                            ("group", "opensmtpd:x:64001:\nopensmtpq:x:64002:\nvmail:x:64003:\n")):
            with open("/etc/" + kind) as f, open(os.path.join(path, kind), "w") as to:
                to.write(f.read().rstrip("\n") + "\n" + extra)
            os.chmod(os.path.join(path, kind), 0o644)
        with open(os.path.join(path, "smtpd.conf"), "w") as f:
            f.write(f"""table users {{ "bob@example.org" = "vmail", "carol@example.org" = "vmail" }}
listen on 127.0.0.1 port {self.port} hostname new.example.org
action "keep" maildir "{path}/mail" virtual <users>
match from any for domain "example.org" action "keep"
""")
        script = "; ".join([
            "set -e",
            f"mount --bind {path}/passwd /etc/passwd", f"mount --bind {path}/group /etc/group",
            f"mkdir -p {path}/spool/smtpd", f"mount --bind {path}/spool /var/spool", f"mount --bind {path}/lib /var/lib",
            f"mount --bind {path}/run /run", f"mount --bind {TARGETS}/usr/libexec /usr/libexec",
            f"chmod 711 {path}/spool/smtpd",
            f"exec {self.program} -d -f {path}/smtpd.conf"])
        self.log = os.path.join(path, "log")
        with open(self.log, "wb") as out:
            self.child = subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script],
                                          stdout=out, stderr=out, stdin=subprocess.DEVNULL, preexec_fn=end_with_parent,
                                          start_new_session=True)
        try:
            wait_until(lambda: listens(self.port), "OpenSMTPD", 10)
        except AssertionError:
            said = self.messages()
            self.stop()
            raise AssertionError(said) from None

    def messages(self):
        return open(self.log, errors="replace").read()[-3000:]

    def stop(self):
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()
        self.scratch.remove()


def start_dovecot():
    port = free_ports(1)[0]
    extra = lmtp(port)
    if not extra:
        raise unittest.SkipTest("needs tools/install-packages.sh targets")
    dovecot = Dovecot(users=["bob@example.org", "carol@example.org"], password="secret", tls=False, extra=extra)
    dovecot.start()
    dovecot.lmtp = port
    wait_until(lambda: listens(port), "LMTP")
    return dovecot


class Swallower:
    """Stands before a server; keeps back what it says after the final dot, `times` times."""

    def __init__(self, port, times=1):
        self.to, self.left = port, times
        self.socket = socket.create_server((HOST, 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client = self.socket.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        server = socket.create_connection((HOST, self.to))
        state = {"dot": False}

        def upwards():
            tail = b""
            while data := client.recv(65536):
                tail = (tail + data)[-5:]
                if tail == b"\r\n.\r\n" and self.left > 0:
                    state["dot"] = True
                server.sendall(data)
            server.close()

        threading.Thread(target=upwards, daemon=True).start()
        try:
            while data := server.recv(65536):
                if state["dot"]:
                    self.left -= 1
                    break
                client.sendall(data)
        except OSError:
            pass
        client.shutdown(socket.SHUT_RDWR)


class Targets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()

    def gateway(self, new, old="smtp://127.0.0.1:9", more="", **keys):
        """Delivers there; more: of the old platform."""
        text = f"""
[platform old]
smtp = {old}
smtp_tls = none
{more}
[platform new]
smtp = {new}
smtp_tls = none
"""
        keys = {"domain_route": "example.org=new", "route_fault": "0s", "retry_min": "1s", **keys}
        gateway = test_gateway.Gateway(platforms=text, **keys)
        self.addCleanup(gateway.__exit__)
        return gateway

    def tallies(self, gateway):
        done = subprocess.run([product.PROGRAM, "audit", os.path.join(gateway.state, "journal")], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        line = next(l for l in done.stdout.splitlines() if "recipients =" in l)
        words = line.replace("+", " ").split("=")[1].split()
        return {" ".join(words[i + 1:j]): int(words[i]) for i, j in self.numbers(words)}

    @staticmethod
    def numbers(words):
        at = [i for i, word in enumerate(words) if word.isdigit()] + [len(words)]
        return zip(at, at[1:])

    def send(self, gateway, n, to):
        with gateway.client() as client:
            return client.sendmail("s@sender.example", to, BODY.format(n=n))

    def check_content(self, found, n):
        """Byte by byte behind the trace header, whatever the server put before it."""
        want = BODY.format(n=n).encode()
        found = found.replace(b"\r\n", b"\n")
        self.assertTrue(found.endswith(want.replace(b"\r\n", b"\n")), found[-1500:])
        self.assertIn(b"\nX-Mailferry-Trace: ", found)

    def deliver_some(self, server, scheme):
        gateway = self.gateway(f"{scheme}://127.0.0.1:{server.port}").start()
        for n in range(10):
            self.send(gateway, n, ["bob@example.org"])
        wait_until(lambda: len(server.mail.all()) == 10, lambda: server.messages())
        found = sorted(server.mail.all(), key=lambda m: int(m.split(b"\nSubject: ")[1].split()[0]))
        for n, one in enumerate(found):
            self.check_content(one, n)
        self.send(gateway, 99, ["bob@example.org", "nobody@example.org"])
        wait_until(lambda: len(server.mail.all()) == 11, "bob's part")
        time.sleep(1)
        self.assertEqual(gateway.stop(), 0, gateway.text())
        tallies = self.tallies(gateway)
        self.assertEqual(tallies["delivered"], 11, tallies)
        self.assertEqual(tallies["returned"], 1, tallies)
        self.assertEqual(tallies["in doubt"], 0, tallies)

    def test_postfix(self):
        server = Postfix()
        self.addCleanup(server.stop)
        self.deliver_some(server, "smtp")

    def test_opensmtpd(self):
        server = OpenSmtpd()
        self.addCleanup(server.stop)
        self.deliver_some(server, "smtp")

    def mailbox(self, dovecot, user):
        with imaplib.IMAP4(HOST, dovecot.port) as imap:
            imap.login(user, "secret")
            imap.select("INBOX", readonly=True)
            numbers = imap.search(None, "ALL")[1][0].split()
            return [imap.fetch(n, "(BODY.PEEK[])")[1][0][1] for n in numbers]

    def test_dovecot_lmtp(self):
        dovecot = start_dovecot()
        self.addCleanup(dovecot.stop)
        gateway = self.gateway(f"lmtp://127.0.0.1:{dovecot.lmtp}").start()
        self.send(gateway, 1, ["bob@example.org", "carol@example.org", "nobody@example.org"])
        for user in ("bob@example.org", "carol@example.org"):
            found = wait_until(lambda u=user: self.mailbox(dovecot, u), user)
            self.assertEqual(len(found), 1)
            self.check_content(found[0], 1)
        time.sleep(1)
        self.assertEqual(gateway.stop(), 0, gateway.text())
        tallies = self.tallies(gateway)
        self.assertEqual((tallies["delivered"], tallies["returned"]), (2, 1), tallies)

    def test_a_doubt_is_looked_up(self):
        """The answer to the dot is lost; the message is in the mailbox, and so it is not sent again."""
        dovecot = start_dovecot()
        self.addCleanup(dovecot.stop)
        front = Swallower(dovecot.lmtp)
        # Who is in the list of mailboxes and was not moved is at the old platform.
        gateway = self.gateway("smtp://127.0.0.1:9", f"lmtp://127.0.0.1:{front.port}",
                               f"url = imap://127.0.0.1:{dovecot.port}\nplaintext = yes\npassword_file = password")
        with open(os.path.join(gateway.folder, "password"), "w") as f:
            f.write("secret\n")
        with open(os.path.join(gateway.folder, "mailboxes.csv"), "w") as f:
            f.write("address\nbob@example.org\n")
        with open(gateway.config) as f:
            text = f.read().replace("[mailferry]", f"[mailferry]\nmailboxes = {gateway.folder}/mailboxes.csv")
        with open(gateway.config, "w") as f:
            f.write(text)
        gateway.start()
        self.send(gateway, 7, ["bob@example.org"])
        wait_until(lambda: self.tallies(gateway)["delivered"] == 1, "the look", 90)
        self.assertEqual(len(self.mailbox(dovecot, "bob@example.org")), 1)
        self.assertEqual(gateway.stop(), 0, gateway.text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
