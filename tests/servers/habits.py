# SPDX-License-Identifier: Apache-2.0
"""What servers are known to change in a message they are given. Each entry of HABITS takes the bytes a source
serves and yields (what is done, the bytes that such a server then holds)."""
import re


def dovecot(raw):
    """It stores lines that end in LF and serves them with CR LF: of CR CR LF one CR is lost, and one at the very
    end; a lone LF gains a CR. NUL is served as 0x80."""
    stored = raw.replace(b"\r\n", b"\n").replace(b"\0", b"\x80")
    if stored.endswith(b"\r"):
        stored = stored[:-1]
    changed = re.sub(rb"(?<!\r)\n", b"\r\n", stored)
    if changed != raw:
        yield "dovecot: line ends become CR LF, NUL becomes 0x80", changed


def cyrus(raw):
    """Header bytes above 127 become X (its option munge8bit, on by default)."""
    head, empty, body = raw.partition(b"\r\n\r\n")
    changed = re.sub(rb"[\x80-\xff]", b"X", head) + empty + body
    if changed != raw:
        yield "cyrus: 8-bit bytes in headers become X", changed


def courier(raw):
    """It keeps lines, not bytes: CR is dropped wherever it stands, each LF comes back as CR LF, the last line is
    ended."""
    changed = raw.replace(b"\r", b"").replace(b"\n", b"\r\n")
    if not raw.endswith(b"\n"):
        changed += b"\r\n"
    if changed != raw:
        yield "courier: line ends become CR LF, a last one is added", changed


HABITS = {"dovecot": dovecot, "cyrus": cyrus, "courier": courier}
