# SPDX-License-Identifier: Apache-2.0
"""Cyrus and Courier, which cannot be installed beside Dovecot, run from the folder that
tools/install-packages.sh unpacked them into."""
import functools
import os
import subprocess

from server import ROOT


@functools.cache
def folder():
    script = os.path.join(ROOT, "tools", "install-packages.sh")
    path = subprocess.run([script, "where"], check=True, capture_output=True, text=True).stdout.strip()
    return path if os.path.exists(os.path.join(path, "complete")) else None


def path(*names):
    return os.path.join(folder(), *names)


def environment():
    lib = path("usr", "lib")
    arch = next(os.path.join(lib, d) for d in os.listdir(lib) if d.endswith("-linux-gnu"))
    return {**os.environ, "LD_LIBRARY_PATH": arch + ":" + lib, "SASL_PATH": os.path.join(arch, "sasl2"), "TZ": "UTC"}
