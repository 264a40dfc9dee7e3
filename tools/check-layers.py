#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Layers: a folder of src/ includes only itself and folders before it in meson.build's list; headers that open
files, sockets, clocks or random numbers stay in os/, run/ and net/, so that a simulation can stand in for
them."""
import re
import sys

import csource

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)

# which folders may include a system header; what is not named here is harmless
FILES = {"os", "run", "net"}
SYSTEM = {
    "fcntl.h": FILES, "unistd.h": FILES | {"cli"}, "dirent.h": FILES, "sys/stat.h": FILES, "sys/file.h": FILES, "sys/mman.h": FILES,
    "sys/uio.h": FILES, "sys/ioctl.h": FILES | {"cli"}, "termios.h": {"os", "cli"}, "ftw.h": FILES, "glob.h": {"os"},
    "sys/socket.h": FILES, "sys/un.h": {"os", "net"}, "netinet/in.h": {"run", "net"}, "netinet/tcp.h": {"net"},
    "arpa/inet.h": {"base", "run", "net"}, "netdb.h": {"run", "net"}, "poll.h": FILES, "sys/epoll.h": {"run"}, "sys/select.h": {"run"},
    "time.h": {"os", "run", "net"}, "sys/time.h": {"os", "run"}, "sys/random.h": {"os", "run"}, "openssl/rand.h": {"run"},
    "signal.h": {"os", "run", "net", "gateway", "cli"}, "sys/wait.h": FILES, "spawn.h": FILES, "pthread.h": {"run"}, "threads.h": {"os", "run"},
    "ucontext.h": {"run"}, "uv.h": {"run", "net"}, "sqlite3.h": {"state", "gateway"}, "syslog.h": {"os"}, "openssl/ssl.h": {"net"}, "zlib.h": {"net"},
}


def problems_of(path, text, order):
    folder = path.split("/")[1]
    for kind, name in INCLUDE.findall(text):
        first = name.split("/")[0]
        if kind == '"' and first in order and order.index(first) > order.index(folder):
            yield f"{path}: includes {name}, a layer above {folder}/"
        elif kind == '"' and first not in order and not (name == "lib/check.h" or csource.is_test(path)):
            yield f'{path}: includes "{name}": name it from src/, as "folder/file.h"'
        elif kind == "<" and folder not in SYSTEM.get(name, {folder}) and not csource.is_test(path):
            yield f"{path}: includes <{name}>, which belongs to {', '.join(sorted(SYSTEM[name]))}"


def main():
    top = csource.root(*sys.argv[1:])
    order, problems, paths = csource.folders(top), [], csource.sources(top)
    for path in paths:
        if path.split("/")[1] not in order:
            problems.append(f"{path}: {path.split('/')[1]}/ is not in meson.build's list of folders")
        elif path != "src/base/banned.h":
            problems += problems_of(path, csource.read(top, path), order)
    csource.finish("check-layers", problems, len(paths))


main()
