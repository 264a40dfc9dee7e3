# SPDX-License-Identifier: Apache-2.0
"""Reads a gateway's journal from its files, by docs/design/journal.md and the tags of src/journal/records.c alone: a test's own
view of what was accepted and what became of it."""
import glob
import hashlib
import os
import struct

ACCEPT, ROUTES, LEG, ATTEMPT, INTENT, RESULT, HOLD, RELEASE, DOUBT, RETURNED, SUPPRESSED, NOTE = 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14
BODY, END = 1, 17
OPEN, IN_DOUBT, HELD, DELIVERED, IS_RETURNED = 1, 3, 4, 5, 6


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """tag → values"""
    found, at = {}, 0
    while at < len(data):
        tag = data[at]
        length, at = varint(data, at + 1)
        found.setdefault(tag, []).append(data[at:at + length])
        at += length
    return found


class Fields:
    def __init__(self, data):
        self.all = fields(data)

    def number(self, tag):
        return varint(self.all[tag][0], 0)[0] if tag in self.all else 0

    def text(self, tag):
        return self.all[tag][0].decode("utf-8", "surrogateescape") if tag in self.all else ""

    def list(self, tag):
        return [Fields(one) for one in self.all.get(tag, ())]


def records(folder):
    """(sequence, type, payload) in order, with the chain held against each segment's header."""
    with open(os.path.join(folder, "journal.id"), "rb") as f:
        chain = hashlib.sha256(b"mailferry journal v1" + f.read().strip()).digest()
    files = sorted(glob.glob(os.path.join(folder, "*.seg")))
    heads = []
    for path in files:
        with open(path, "rb") as f:
            heads.append(f.read(128))
    firsts = [struct.unpack_from("<Q", head, 32)[0] for head in heads] + [None]
    n = firsts[0] or 1
    if n > 1:  # the first ones were given back
        chain = heads[0][64:96]
    for path, head, limit in zip(files, heads, firsts[1:]):
        if head[64:96] != chain:
            raise AssertionError(f"{path} does not follow what is before it")
        with open(path, "rb") as f:
            data = f.read()
        at = 4096
        while n != limit and at + 64 <= len(data):
            length, kind = struct.unpack_from("<IH", data, at + 4)
            if kind in (0, END) or struct.unpack_from("<Q", data, at + 16)[0] != n:
                break
            payload = data[at + 64:at + 64 + length]
            if at + 64 + length > len(data) or (kind != BODY and hashlib.sha256(payload).digest() != data[at + 32:at + 64]):
                if limit is None:
                    break  # torn: the last batch of one that was killed
                raise AssertionError(f"{path}: record {n} is not what was written")
            yield n, kind, payload
            chain = hashlib.sha256(chain + data[at:at + 64]).digest()
            at, n = at + 64 + (length + 7) // 8 * 8, n + 1


class Message:
    def __init__(self, record):
        self.number = record.number(1)
        self.peer, self.peer_port = record.text(3), record.number(4)
        self.helo, self.tls = record.text(5), record.text(7)
        self.front, self.front_kind = record.text(9), record.number(11)
        self.sender = record.text(12)
        self.trace = record.all.get(21, [b""])[0]
        self.digest = record.all.get(19, [b""])[0]
        self.size = record.number(18)
        self.message_id = record.text(22)
        self.dsn_for = record.number(25)
        self.recipients = [one.text(1) for one in record.list(26)]


class Journal:
    """messages: number → Message; legs: (message, recipient, copy) → [its fates in turn]; flagged: how often
    such a leg was sent again with a mark that it may be a duplicate."""

    def __init__(self, folder):
        self.messages, self.legs, self.flagged, self.targets = {}, {}, {}, {}
        self.suppressed, self.notes, self.attempts = [], [], {}
        for _, kind, payload in records(folder):
            if kind != BODY:
                self.take(kind, Fields(payload))

    def take(self, kind, record):
        if kind == ACCEPT:
            message = Message(record)
            if message.number in self.messages:
                raise AssertionError(f"number {message.number} was given twice")
            self.messages[message.number] = message
            for i in range(len(message.recipients)):
                self.legs[message.number, i, 0] = [OPEN]
        elif kind == LEG:
            self.legs[record.number(1), record.number(2), 1] = [OPEN]
        elif kind == ATTEMPT:
            for leg in record.list(5):
                key = leg.number(1), leg.number(2), leg.number(3)
                self.targets[key] = record.text(3)
                self.attempts[key] = self.attempts.get(key, 0) + 1
        elif kind in (RESULT, DOUBT):
            for outcome in record.list(6):
                key = outcome.number(1), outcome.number(2), outcome.number(3)
                self.legs[key].append(outcome.number(4))
                if outcome.number(11):
                    self.flagged[key] = self.flagged.get(key, 0) + 1
        elif kind in (HOLD, RELEASE, RETURNED):
            for leg in record.list(5):
                self.legs[leg.number(1), leg.number(2), leg.number(3)].append({HOLD: HELD, RELEASE: OPEN, RETURNED: IS_RETURNED}[kind])
        elif kind == SUPPRESSED:
            self.suppressed.append(record.number(1))
        elif kind == NOTE:
            self.notes.append((record.text(1), record.text(3)))

    def ending(self, fate):
        return [key for key, fates in self.legs.items() if fates[-1] == fate]
