#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mailferry gateway when its machine has no more: disks that are full or fail (R1, R2, R5), descriptors (R7), a slow disk's like; and
clocks that jump (C1). Whatever is answered 250 is there afterwards, nothing is returned for it, and it goes on by itself. Kills in all of
that, short writes (R6) and the journal's own failures: src/journal/test-crash.c; allocation ends the process (R8), which is a kill."""
import os
import pwd
import re
import shutil
import smtplib
import subprocess
import tempfile
import time
import unittest

import journalbook
import product
from gatewayraw import HOST, Raw, Target, gateway, journal, wait_until

CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
static volatile int64_t *offset;
__attribute__((constructor)) static void begin(void)
{
	int fd = open(getenv("TEST_CLOCK"), O_RDONLY);
	void *p = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		offset = p;
	close(fd);
}
int clock_gettime(clockid_t clock, struct timespec *t)
{
	static int (*real)(clockid_t, struct timespec *);
	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	int r = real(clock, t);
	if (r == 0 && clock == CLOCK_REALTIME && offset)
		t->tv_sec += *offset;
	return r;
}
"""
YEARS = 10 * 366 * 86400


class Small:
    """A file system of its own for the state, of so many bytes (or files)."""

    def __init__(self, test, options):
        self.path = tempfile.mkdtemp(prefix="mailferry-small-")
        test.addCleanup(shutil.rmtree, self.path, True)
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", options + ",mode=755", "mailferry", self.path],
                                               capture_output=True).returncode:
            raise unittest.SkipTest("needs root, and to mount")
        test.addCleanup(subprocess.run, ["umount", "-l", self.path], capture_output=True)

    def fill(self):
        """Until nothing more goes in, not a byte."""
        fd = os.open(os.path.join(self.path, "filler"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            for size in (1 << 20, 4096, 1):
                try:
                    while os.write(fd, b"x" * size):
                        pass
                except OSError:
                    pass
        finally:
            os.close(fd)

    def free(self):
        os.unlink(os.path.join(self.path, "filler"))


class Limits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()

    def target(self, *args):
        target = Target(*args)
        self.addCleanup(target.close)
        return target

    def send(self, made, n, size=2000, to="bob@example.org"):
        """The reply's code after the dot, or of what was refused before."""
        try:
            with smtplib.SMTP(HOST, made.port, "client.example", timeout=60) as c:
                c.sendmail("s@sender.example", [to], f"Subject: {n}\r\nMessage-ID: <{n}@client.example>\r\n\r\n" + ("x" * 70 + "\r\n") * (size // 72))
            return 250
        except smtplib.SMTPRecipientsRefused as e:
            return e.recipients[to][0]
        except smtplib.SMTPResponseException as e:
            return e.smtp_code
        except (OSError, smtplib.SMTPException):
            return 0

    def settled(self, made, target, accepted, more=()):
        """All that was accepted came, once; what else came may have been accepted unheard."""
        def came():
            return {int(re.search(rb"\nSubject: (\d+)", content)[1]) for _, content in target.taken}

        wait_until(lambda: came() >= set(accepted), lambda: f"{set(accepted) - came()} did not come\n{made.text()}", 60)
        self.assertEqual(made.stop(), 0, made.text())
        found = journal(made)
        self.assertEqual(len(target.taken), len(came()))
        self.assertEqual((len(found.ending(journalbook.IS_RETURNED)), len(found.ending(journalbook.HELD))), (0, 0))
        return found

    # --- R1, R2: no room

    def full(self, options, fill, free, **keys):
        small, target = Small(self, options), self.target()
        made = gateway(self, target.url(), keep_free="1M", **keys)
        made.state = os.path.join(small.path, "state")
        made.write()
        made.start()
        accepted = [n for n in range(3) if self.send(made, n) == 250]
        self.assertEqual(accepted, [0, 1, 2])
        fill(small)
        codes = []
        for n in range(10, 400):
            codes.append(self.send(made, n, 60000))
            if codes[-1] == 250:
                accepted.append(n)
            elif len(codes) > 30 and codes[-10:] == [452] * 10:
                break
        self.assertLessEqual(set(codes), {250, 451, 452}, made.text())
        self.assertEqual(codes[-1], 452, codes)
        free(small)

        def again():
            code = self.send(made, 1000)
            if code == 250:
                accepted.append(1000)
            return code == 250

        wait_until(again, lambda: f"it goes on by itself\n{made.text()}")
        self.settled(made, target, accepted)

    def test_r1_a_disk_that_is_full(self):
        self.full("size=40m", Small.fill, Small.free)

    def test_r2_no_more_files(self):
        def fill(small):
            self.names = []
            try:
                for n in range(100000):
                    self.names.append(os.path.join(small.path, f"f{n}"))
                    os.close(os.open(self.names[-1], os.O_CREAT | os.O_WRONLY))
            except OSError:
                self.names.pop()

        self.full("size=200m,nr_inodes=60", fill, lambda small: [os.unlink(name) for name in self.names])

    def failing(self, kinds):
        """An operation fails once: at every one of them. It goes on, or ends and is begun again: nothing is lost."""
        for kind, at in kinds:
            with self.subTest(f"{kind}:{at}"):
                target = self.target()
                made = gateway(self, target.url())
                made.start()
                accepted = [n for n in range(2) if self.send(made, n) == 250]
                made.stop()
                made.start(ready=False, MAILFERRY_STEP_FAIL=f"{kind}:{at}")
                for n in range(10, 30):
                    end = time.monotonic() + 20
                    while True:
                        if made.child.poll() is not None:
                            self.assertNotEqual(made.wait(), 0, made.text())
                            self.assertGreaterEqual(made.child.returncode, 0, made.text())  # by itself, and not by a signal
                            made.start()
                        code = self.send(made, n)
                        if code:
                            break
                        self.assertLess(time.monotonic(), end, made.text())
                        time.sleep(0.05)
                    self.assertIn(code, (250, 451, 452))
                    if code == 250:
                        accepted.append(n)
                self.assertGreater(len(accepted), 15)
                self.settled(made, target, accepted)

    def test_r1_each_write_that_finds_no_room(self):
        step = 1 if product.NIGHTLY else 4
        self.failing([("write", at) for at in range(1, 18, step)] + [("fill", at) for at in (1, 2)])

    def test_r5_each_sync_that_fails_once(self):
        step = 1 if product.NIGHTLY else 4
        self.failing([("sync", at) for at in range(1, 18, step)] + [("rename", 1), ("open", 2)])

    # --- R7: descriptors

    def bound(self, pid, most):
        """As the user of these processes: root need not have the right. Empty: as before."""
        user = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
        with open(f"/proc/{pid}/limits") as f:
            hard = f.read().split("Max open files")[1].split()[1]
        subprocess.run(["prlimit", f"--pid={pid}", f"--nofile={most or hard}:{hard}"], check=True, **user)

    def cpu(self, pid):
        with open(f"/proc/{pid}/stat") as f:
            words = f.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def test_r7_an_edge_without_descriptors(self):
        target = self.target()
        made = gateway(self, target.url(), edges=1, sessions_per_address=1000).start()
        edge, = made.edges()
        self.bound(edge, len(os.listdir(f"/proc/{edge}/fd")) + 5)
        there = [Raw(made.port) for _ in range(5)]
        waiting = [Raw(made.port, hello=False) for _ in range(10)]
        time.sleep(0.5)
        before = self.cpu(edge)
        time.sleep(2)
        self.assertLess(self.cpu(edge) - before, 0.5)  # it does not spin
        accepted = []
        for n, one in enumerate(there):  # who is there goes on
            one.begin()
            one.say(f"Subject: {n}\r\n\r\n.\r\n".encode())
            one.expect(250)
            accepted.append(n)
            one.ask(b"QUIT", 221)
            one.close()
        for one in waiting[:5]:  # who waited comes in
            one.expect(220)
        for one in waiting:
            one.close()
        self.settled(made, target, accepted)

    def test_r7_a_keeper_and_a_courier_without_descriptors(self):
        target = self.target()
        made = gateway(self, target.url()).start()
        accepted = [n for n in range(3) if self.send(made, n) == 250]
        pids = [made.child.pid, *made.parts("courier")]
        for pid in pids:
            self.bound(pid, max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd")) + 1)
        codes = []
        for n in range(10, 40):  # some segments' worth
            codes.append(self.send(made, n, 400000))
            if codes[-1] == 250:
                accepted.append(n)
        self.assertLessEqual(set(codes), {250, 451, 452}, made.text())
        before = self.cpu(pids[0])
        time.sleep(1)
        self.assertLess(self.cpu(pids[0]) - before, 0.7)
        for pid in pids:
            self.bound(pid, "")
        wait_until(lambda: self.send(made, 1000) == 250, "it goes on by itself")
        self.settled(made, target, [*accepted, 1000])

    # --- C1: clocks

    def clock(self):
        """(environment, set(seconds)): the wall clock of all its processes is that much ahead."""
        if not shutil.which("cc"):
            self.skipTest("needs a compiler")
        folder = tempfile.mkdtemp(prefix="mailferry-clock-")
        self.addCleanup(shutil.rmtree, folder, True)
        os.chmod(folder, 0o755)
        source, library, at = (os.path.join(folder, name) for name in ("clock.c", "clock.so", "at"))
        with open(source, "w") as f:
            f.write(CLOCK)
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)

        def put(seconds):
            with open(at, "r+b" if os.path.exists(at) else "wb") as f:
                f.write(seconds.to_bytes(8, "little", signed=True))

        put(0)
        os.chmod(at, 0o644)
        if "libasan" in subprocess.run(["ldd", product.PROGRAM], capture_output=True, text=True).stdout:
            self.skipTest("not with this program: the sanitizer has to come first")
        return {"LD_PRELOAD": library, "TEST_CLOCK": at}, put

    def test_c1_clocks_that_jump(self):
        """Mail that waits is neither returned nor forgotten, whatever the wall clock says; numbers do not repeat."""
        environment, put = self.clock()
        for jump in (3600, -3600, YEARS, -YEARS):
            for restart in (False, True):
                with self.subTest(jump, restart=restart):
                    put(0)
                    target, old = self.target({"MAIL": [b"451 4.3.0 later\r\n"] * 3}), self.target()
                    made = gateway(self, target.url(), old.url(), queue_life="2d").start(**environment)
                    accepted = [n for n in range(3) if self.send(made, n) == 250]
                    wait_until(lambda t=target: t.visits.get("MAIL"), "an attempt")
                    if restart:
                        made.stop()
                    put(jump)
                    if restart:
                        made.start(**environment)
                    accepted += [n for n in range(3, 6) if self.send(made, n) == 250]
                    self.assertEqual(len(accepted), 6)
                    found = self.settled(made, target, accepted)
                    self.assertEqual(sorted(found.messages), [1, 2, 3, 4, 5, 6])
                    self.assertEqual(old.taken, [])

    def test_c1_a_clock_that_swings(self):
        environment, put = self.clock()
        target = self.target({"MAIL": [b"451 4.3.0 later\r\n"] * 10})
        made = gateway(self, target.url(), queue_life="2d").start(**environment)
        accepted = []
        for n in range(40):
            put((0, 86400 * 40, -86400 * 40, 1800)[n % 4])
            if self.send(made, n) == 250:
                accepted.append(n)
            time.sleep(0.05)
        put(0)
        self.assertEqual(len(accepted), 40)
        self.settled(made, target, accepted)


if __name__ == "__main__":
    unittest.main(verbosity=2)
