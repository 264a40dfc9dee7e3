#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The gateway as a service: the unit in examples/systemd, and the configuration that goes with it, which a gateway starts with."""
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest

import product
from server import ROOT
from test_gateway import certificate
from test_gateway_control import free_port

UNIT = os.path.join(ROOT, "examples", "systemd", "mailferry-gateway.service")
CONF = os.path.join(ROOT, "examples", "gateway.conf")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


class Unit(unittest.TestCase):
    def setUp(self):
        self.text = read(UNIT)

    def test_systemd_takes_it(self):
        analyze = shutil.which("systemd-analyze")
        if not analyze:
            self.skipTest("there is no systemd-analyze")
        with tempfile.TemporaryDirectory(prefix="mailferry-unit-") as folder:
            path = os.path.join(folder, "mailferry-gateway.service")
            # A program that is there; who it runs as and what is documented need not be.
            text = self.text.replace("/usr/local/bin/mailferry", "/bin/true").replace("User=mailferry", "User=root")
            text = re.sub(r"^(Documentation|Group)=.*\n", "", text, flags=re.M)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            done = subprocess.run([analyze, "verify", "--man=no", path], capture_output=True, text=True)
            said = "\n".join(line for line in (done.stdout + done.stderr).splitlines() if "mailferry-gateway" in line)
            self.assertEqual((done.returncode, said), (0, ""), done.stderr)
            with open(path, "a", encoding="utf-8") as f:
                f.write("[Service]\nNoSuchSetting=yes\n")
            done = subprocess.run([analyze, "verify", "--man=no", path], capture_output=True, text=True)
            self.assertIn("NoSuchSetting", done.stderr)  # it would have said so

    def test_it_fits_the_program(self):
        keys = dict(re.findall(r"^([A-Za-z]+)=(.*)$", self.text, re.M))
        self.assertEqual((keys["Type"], keys["KillMode"]), ("notify", "mixed"))
        conf = read(CONF)
        self.assertIn("state = /var/lib/" + keys["StateDirectory"] + "\n", conf)
        self.assertIn("events = /var/log/" + keys["LogsDirectory"] + "/", conf)
        self.assertEqual(keys["WorkingDirectory"], "/etc/mailferry")


class Example(unittest.TestCase):
    def test_a_gateway_starts_with_it(self):
        """Ports, names and folders are of this test, all else is as it stands there."""
        product.need_program()
        text = read(CONF)
        with tempfile.TemporaryDirectory(prefix="mailferry-example-") as folder:
            os.chmod(folder, 0o755)
            cert, key = certificate(folder, "mx.example.org")
            logs = os.path.join(folder, "log")
            os.mkdir(logs)
            os.chmod(logs, 0o777)
            for old, new in (("/var/lib/mailferry", f"{folder}/state"), ("/var/log/mailferry", logs),
                             ("/etc/mailferry/mx.pem", cert), ("/etc/mailferry/mx.key", key),
                             ("listen = 0.0.0.0:25 [::]:25", f"listen = 127.0.0.1:{free_port()}"),
                             ("127.0.0.1:9125", f"127.0.0.1:{free_port()}"), ("#recipients_file", "recipients_file"),
                             ("#trusted", "trusted")):
                self.assertIn(old, text)
                text = text.replace(old, new)
            if os.geteuid() == 0:
                text += "user = nobody\n"
            for name, content in (("mailferry.conf", text), ("old.secret", "x\n"), ("new.secret", "x\n"),
                                  ("mailboxes.csv", "address,wave\nanna@example.org,pilot\n"),
                                  ("recipients.txt", "ben@example.net new\n")):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                    f.write(content)
            with open(os.path.join(folder, "said"), "wb") as said:
                child = subprocess.Popen([product.PROGRAM, "gateway", "--config", os.path.join(folder, "mailferry.conf")],
                                         stdin=subprocess.DEVNULL, stdout=said, stderr=said)
            try:
                end = time.monotonic() + 60
                while "takes mail on" not in (words := read(os.path.join(folder, "said"))):
                    self.assertIsNone(child.poll(), words)
                    self.assertLess(time.monotonic(), end, words)
                    time.sleep(0.05)
            finally:
                child.terminate()
                status = child.wait(60)
            self.assertEqual(status, 0)


class Root(unittest.TestCase):
    """Begun as root beside copies that root makes, whose state folder is root's."""

    def setUp(self):
        product.need_program()
        if os.geteuid() != 0:
            self.skipTest("needs root")
        temporary = tempfile.TemporaryDirectory(prefix="mailferry-root-")
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name
        self.port = free_port()
        with open(os.path.join(self.folder, "mailferry.conf"), "w", encoding="utf-8") as f:
            f.write("[mailferry]\nstate = state\n[platform old]\nsmtp = smtp://127.0.0.1:9\n[platform new]\nsmtp = smtp://127.0.0.1:9\n"
                    f"[gateway]\nhostname = mx.example.org\ndomain = example.org\nlisten = 127.0.0.1:{self.port}\nuser = nobody\n"
                    "keep_free = none\n")
        os.mkdir(os.path.join(self.folder, "state"), 0o700)

    def start(self):
        return subprocess.Popen([product.PROGRAM, "gateway"], cwd=self.folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def test_a_state_folder_of_root(self):
        os.chmod(self.folder, 0o711)
        child = self.start()
        said = []
        while not any("takes mail on" in line for line in said):
            said.append(child.stderr.readline())
            self.assertTrue(said[-1], said)
        child.terminate()
        self.assertEqual(child.wait(60), 0)
        child.stderr.close()
        state = os.stat(os.path.join(self.folder, "state"))
        self.assertEqual((state.st_uid, state.st_mode & 0o777), (0, 0o711))
        self.assertNotEqual(os.stat(os.path.join(self.folder, "state/journal")).st_uid, 0)

    def test_a_way_that_is_closed(self):
        os.chmod(self.folder, 0o700)
        child = self.start()
        self.assertIn("chmod o+x", child.communicate(timeout=60)[1])
        self.assertEqual(child.returncode, 2)


if __name__ == "__main__":
    unittest.main()
