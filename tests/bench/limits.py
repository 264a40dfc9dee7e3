# SPDX-License-Identifier: Apache-2.0
"""How fast the servers themselves are: everything pipelined, nothing parsed, messages from memory. A copy cannot be
faster than the slower side, nor much faster than their sum on a machine they share."""
import multiprocessing
import threading
import time

import mailbox
from imapclient import Imap, quote, utf7_encode
from server import HOST


def connect(server, user, tls):
    if tls:
        return Imap(HOST, server.tls_port, user, server.password, tls="imaps", ca_file=server.ca_file)
    return Imap(HOST, server.port, user, server.password)


def drain(imap):
    """Reads until the server has said goodbye. Returns the number of tagged OKs."""
    room, tail, good = bytearray(1 << 20), b"", 0
    while True:
        n = imap.socket.recv_into(room)
        if not n:
            return good
        seen = tail + bytes(room[:n])
        good += seen.count(b"\r\nz OK ")
        tail = seen[-6:]


def fetch(server, user, tls):
    """Seconds to hand out all messages to one connection."""
    imap = connect(server, user, tls)
    names = [quote(utf7_encode(n)) for n, _, at in imap.list() if "\\Noselect" not in at]
    began = time.monotonic()
    imap.socket.sendall(b"".join(
        b"z EXAMINE %s\r\nz UID FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])\r\n" % n for n in names) + b"z LOGOUT\r\n")
    good = drain(imap)
    took = time.monotonic() - began
    if good < 2 * len(names):
        raise RuntimeError(f"{good} of {2 * len(names)} commands went well")
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
    for c in children:
        c.start()
    for _ in children:
        ready.acquire()
    began = time.monotonic()
    go.set()
    answers = [result.get() for _ in children]
    took = time.monotonic() - began
    for c in children:
        c.join()
    for good, sent in answers:
        if good < sent:
            raise RuntimeError(f"{good} of {sent} APPENDs went well")
    return took
