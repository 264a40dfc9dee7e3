# SPDX-License-Identifier: Apache-2.0
"""The kinds of server that every direction of copying is tried between."""
import unpacked
from courier import Courier
from cyrus import Cyrus
from dovecot import Dovecot

MAKERS = {
    "dovecot": lambda **more: Dovecot(layout="plain", format="maildir", **more),
    "dovecot_inbox": lambda **more: Dovecot(layout="inbox", format="sdbox", **more),
    "cyrus": lambda **more: Cyrus(modern=True, **more),
    "cyrus_dots": lambda **more: Cyrus(modern=False, **more),
    "courier": lambda **more: Courier(**more),
}


def available():
    """The kinds that can run here: Cyrus and Courier only once they have been unpacked."""
    return [k for k in MAKERS if k.startswith("dovecot") or unpacked.folder()]


class Park:
    """One running server of each kind, with the given users as sources and a fresh user for each other kind."""

    def __init__(self, users=("alice",)):
        kinds = available()
        self.servers = {k: MAKERS[k](users=[*users, *("from_" + other for other in kinds)]).start() for k in kinds}

    def stop(self):
        for s in self.servers.values():
            s.stop()
            s.scratch.remove()


def directions():
    """Every (kind, other kind)."""
    return [(a, b) for a in available() for b in available() if a != b]
