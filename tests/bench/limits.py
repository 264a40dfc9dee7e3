# SPDX-License-Identifier: Apache-2.0
"""How fast the servers themselves are: everything pipelined, nothing parsed, messages from memory. A copy cannot be
faster than the slower side, nor much faster than their sum on a machine they share."""
import multiprocessing
import re
import threading
import time

import mailbox
from imapclient import Imap, quote, utf7_encode
from server import HOST

OK = b"\r\nz OK "
KEPT = len(OK) - 1  # of what was read before: an answer may lie across


def connect(server, user, tls):
    if tls:
        return Imap(HOST, server.tls_port, user, server.password, tls="imaps", ca_file=server.ca_file)
    return Imap(HOST, server.port, user, server.password)


def drain(imap):
    """Reads until the server has said goodbye. Returns the number of tagged OKs."""
    room, good = bytearray(KEPT + (1 << 20)), 0
    view = memoryview(room)[KEPT:]
    while n := imap.socket.recv_into(view):
        good += room.count(OK, 0, KEPT + n)
        room[:KEPT] = room[n:KEPT + n]
    return good


class Reader:
    """One connection that is given its share of each folder's messages: the part-th of `parts` equal ones."""

    def __init__(self, server, user, tls, part=0, parts=1):
        self.imap = connect(server, user, tls)
        commands = []
        for name, _, attributes in self.imap.list():
            if "\\Noselect" not in attributes:
                name = quote(utf7_encode(name))
                first, last = self._share(name, part, parts)
                if first <= last:
                    commands += [b"EXAMINE " + name,
                                 b"FETCH %d:%d (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])" % (first, last)]
        self.count = len(commands)
        self.words = b"".join(b"z %s\r\n" % c for c in [*commands, b"LOGOUT"])

    def _share(self, name, part, parts):
        exists = next(int(m.group(1)) for r in self.imap.command(b"EXAMINE " + name)
                      if (m := re.match(rb"\* (\d+) EXISTS", r[0])))
        return part * exists // parts + 1, (part + 1) * exists // parts

    def read(self):
        """All of it, to nowhere."""
        self.imap.socket.sendall(self.words)
        good = drain(self.imap)
        if good < self.count:
            raise RuntimeError(f"{good} of {self.count} commands went well")


def warm(server, user):
    """Afterwards the server has its indexes, and the messages are in the page cache."""
    Reader(server, user, False).read()


def together(children, ready, go, result):
    """Starts the processes, lets them begin when each has said it is ready. (seconds until the last has answered,
    the answers)"""
    for c in children:
        c.start()
    for c in children:
        while not ready.acquire(timeout=1):
            if any(c.exitcode for c in children):
                raise RuntimeError("a connection of the limit was lost")
    began = time.monotonic()
    go.set()
    answers = [result.get(timeout=3600) for _ in children]
    took = time.monotonic() - began
    for c in children:
        c.join()
    return took, answers


def _reader(server, user, tls, part, parts, ready, go, result):
    reader = Reader(server, user, tls, part, parts)
    ready.release()
    go.wait()
    try:
        reader.read()
        result.put(None)
    except (RuntimeError, OSError) as e:
        result.put(str(e))


def fetch(accounts, tls, connections=1):
    """Seconds to hand out all messages of all accounts (server, user) at the same time, each to so many connections."""
    ready, go, result = multiprocessing.Semaphore(0), multiprocessing.Event(), multiprocessing.Queue()
    children = [multiprocessing.Process(target=_reader, args=(server, user, tls, i, connections, ready, go, result))
                for server, user in accounts for i in range(connections)]
    took, answers = together(children, ready, go, result)
    if any(answers):
        raise RuntimeError(next(filter(None, answers)))
    return took


def _sender(server, user, tls, folder, messages, group, ready, go, result):
    imap = connect(server, user, tls)
    name = quote(folder)
    imap.command(b"CREATE " + name)
    ready.release()
    go.wait()
    good = []
    reader = threading.Thread(target=lambda: good.append(drain(imap)))
    reader.start()
    for i in range(0, len(messages), group):
        words = [b"z APPEND " + name]
        for m in messages[i:i + group]:
            words.append(b' (%s) "%s" {%d+}\r\n' % (" ".join(m.flags).encode(), mailbox.imap_date(m.date), len(m.raw)))
            words.append(m.raw)
        imap.socket.sendall(b"".join(words) + b"\r\n")
    imap.socket.sendall(b"z LOGOUT\r\n")
    reader.join()
    result.put((good[0], -(-len(messages) // group)))


def append(server, user, tls, messages, connections, group):
    """Seconds to take all messages: a folder for each connection, `group` messages in each APPEND."""
    ready, go, result = multiprocessing.Semaphore(0), multiprocessing.Event(), multiprocessing.Queue()
    children = [multiprocessing.Process(target=_sender, args=(server, user, tls, b"limit%d" % i, messages[i::connections],
                                                              group, ready, go, result)) for i in range(connections)]
    took, answers = together(children, ready, go, result)
    for good, sent in answers:
        if good < sent:
            raise RuntimeError(f"{good} of {sent} APPENDs went well")
    return took
