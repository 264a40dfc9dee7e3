#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mailferry gateway when something fails in one of its processes: the others go on, and nothing fails in silence."""
import os
import re
import signal
import socket
import subprocess
import time
import unittest

import product
from server import free_ports
from test_gateway import Gateway, send


def wait_until(true, what, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"waited for {what}")
        time.sleep(0.05)


class TestFailures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()

    def test_accept_that_fails_once(self):
        """In each process: no edge and no control socket stays deaf."""
        with Gateway(edges="1") as g:
            g.start(MAILFERRY_STEP_FAIL="accept:1")
            send(g.client(), 1)
            wait_until(lambda: re.search(r"edge 1 could not accept connections 1 times", g.text()), "the alarm")
            done = subprocess.run([product.PROGRAM, "queue", "list", "--config", g.config], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(g.stop(), 0, g.text())
            self.assertEqual(g.audit(), (1, 1, 0))


    def test_nobody_reads_what_it_says(self):
        with Gateway() as g:
            out, into = os.pipe()
            os.set_blocking(into, False)
            os.write(into, b"x" * (1 << 20))  # as much as fits
            os.set_blocking(into, True)
            said = os.path.join(g.folder, "stderr")
            os.symlink(f"/proc/{os.getpid()}/fd/{into}", said)
            g.start()
            c = g.client()
            send(c, 1)
            c.quit()
            os.read(out, 1 << 20)
            self.reload(g)
            self.assertEqual(g.stop(), 0)
            os.set_blocking(out, False)
            self.assertIn(b"lines were dropped", os.read(out, 1 << 20))
            self.assertEqual(g.audit(), (1, 1, 0))
            os.close(out)
            os.close(into)

    def reload(self, g):
        g.child.send_signal(signal.SIGHUP)
        g.wait_for("RELOADING=1")
        g.wait_for("READY=1")

    def test_reloads_that_fail(self):
        """Whatever is wrong with a new configuration, nothing of it is in force, and what was there before goes on."""
        with Gateway(max_message="100K", edges="1") as g, socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            g.start()
            c = g.client()
            send(c, 1)
            edges = g.edges()
            was = dict(g.keys)
            more = free_ports(1)[0]
            # an address that somebody else has, twice; between and before others
            for _ in range(2):
                g.keys.update(listen=f"127.0.0.1:{more} 127.0.0.1:{g.port} 127.0.0.1:{taken.getsockname()[1]}", max_message="50K",
                              domain_route="example.org=hold")
                g.write()
                self.reload(g)
            self.assertEqual(len(re.findall("the gateway goes on as it was", g.text())), 2, g.text())
            self.assertEqual(g.edges(), edges)
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", more), timeout=5)
            self.assertEqual(g.client().esmtp_features["size"], str(100 << 10))
            send(c, 2, size=90000)
            send(g.client(), 3)
            # a certificate that is none, and a bundle of authorities that couriers cannot read
            with open(os.path.join(g.folder, "nothing.pem"), "w") as f:
                f.write("nonsense\n")
            os.chmod(f.name, 0o644)
            for key, section in (("cert_file", "gateway"), ("ca_file", "mailferry")):
                g.keys = {**was, "max_message": "50K"}
                g.write()
                with open(g.config) as conf:
                    text = conf.read()
                text = text.replace("smtp_tls = none", "smtp_tls = verified").replace(f"[{section}]\n", f"[{section}]\n{key} = {f.name}\n", 1)
                with open(g.config, "w") as conf:
                    conf.write(text)
                self.reload(g)
                self.assertEqual(g.client().esmtp_features["size"], str(100 << 10), key)
            self.assertEqual(len(re.findall("the gateway goes on as it was", g.text())), 4, g.text())
            send(c, 4, size=90000)
            # and one that is fine, which also takes another address
            g.keys = {**was, "max_message": "50K", "listen": f"127.0.0.1:{more} 127.0.0.1:{g.port}"}
            g.write()
            self.reload(g)
            # the former edges hear of it a moment later
            wait_until(lambda: g.client().esmtp_features["size"] == str(50 << 10), "the new edges")
            g.port = more
            self.assertEqual(g.client().esmtp_features["size"], str(50 << 10))
            send(c, 5, size=90000)  # this session was promised 100 K
            c.quit()
            self.assertEqual(g.stop(), 0, g.text())
            self.assertEqual(g.audit(), (5, 5, 0))

    def test_addresses_in_any_spelling(self):
        with Gateway() as g:
            g.keys["listen"] = f"[0:0:0::1]:{g.port} 127.0.0.1:{g.port}"
            g.write()
            g.start()
            for _ in range(2):
                self.reload(g)
            self.assertNotIn("goes on as it was", g.text())
            with socket.create_connection(("::1", g.port), timeout=10) as s:
                self.assertTrue(s.recv(100).startswith(b"220 "))
            self.assertEqual(g.stop(), 0, g.text())


if __name__ == "__main__":
    unittest.main()
