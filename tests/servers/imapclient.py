# SPDX-License-Identifier: Apache-2.0
"""A small IMAP client for loading and comparing test accounts. It shares no code with the product, so that a
mistake there cannot hide itself here; it is meant for servers of our own and checks little.
"""
import base64
import re
import socket
import ssl

TOKEN = re.compile(rb'\s*(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|([^\s()"]+))', re.S)
LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")


class Refused(Exception):
    """A tagged NO or BAD; the server's words."""


class Imap:
    def __init__(self, host, port, user=None, password=None, tls=None, ca_file=None, authzid=""):
        """tls: None, "imaps" or "starttls"."""
        self.socket = socket.create_connection((host, port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.count = 0
        self._capabilities = None
        if tls == "imaps":
            self._start_tls(host, ca_file)
        self.file = self.socket.makefile("rb", 1 << 18)
        self.greeting = self.response()
        if tls == "starttls":
            self.command(b"STARTTLS")
            self._start_tls(host, ca_file)
            self.file = self.socket.makefile("rb", 1 << 18)
        if user is not None:
            self.login(user, password, authzid)

    def _start_tls(self, host, ca_file):
        context = ssl.create_default_context(cafile=ca_file)
        self.socket = context.wrap_socket(self.socket, server_hostname=host)

    def login(self, user, password, authzid=""):
        if "AUTH=PLAIN" not in self.capabilities:
            return self._login_with_literals(user, password)
        text = base64.b64encode("\0".join((authzid, user, password)).encode())
        tag = self.send(b"AUTHENTICATE PLAIN")
        self._until_plus(tag)
        self.socket.sendall(text + b"\r\n")
        self.wait(tag)
        self._capabilities = None

    def _login_with_literals(self, user, password):
        user, password = user.encode(), password.encode()
        tag = self.send(b"LOGIN {%d}" % len(user))
        self._until_plus(tag)
        self.socket.sendall(user + b" {%d}\r\n" % len(password))
        self._until_plus(tag)
        self.socket.sendall(password + b"\r\n")
        self.wait(tag)
        self._capabilities = None

    def response(self):
        """One response as a list: text, literal, text, literal … text."""
        parts = []
        while True:
            line = self.file.readline()
            if not line.endswith(b"\n"):
                raise EOFError(f"the server closed the connection after {line!r}")
            m = LITERAL.search(line)
            if not m:
                parts.append(line.rstrip(b"\r\n"))
                return parts
            parts.append(line[:m.start()])
            parts.append(self.file.read(int(m.group(1))))

    def send(self, command):
        self.count += 1
        tag = b"T%d" % self.count
        self.socket.sendall(tag + b" " + command + b"\r\n")
        return tag

    def wait(self, tag, each=None):
        """The untagged responses before tag's, or each(response) for every one of them."""
        got = []
        while True:
            r = self.response()
            if r[0].startswith(tag + b" "):
                self.answer = r[0][len(tag) + 1:]
                if not self.answer.startswith(b"OK"):
                    raise Refused(self.answer.decode(errors="replace"))
                return got
            (each or got.append)(r)

    def command(self, command, each=None):
        return self.wait(self.send(command), each)

    def _until_plus(self, tag):
        while True:
            r = self.response()
            if r[0].startswith(b"+"):
                return
            if r[0].startswith(tag + b" "):
                raise Refused(r[0].decode(errors="replace"))

    @property
    def capabilities(self):
        if self._capabilities is None:
            words = self.command(b"CAPABILITY")[0][0].split()[2:]
            self._capabilities = {w.decode().upper() for w in words}
        return self._capabilities

    # --- folders ---

    def namespace(self):
        """(prefix, separator) of the user's own folders, the prefix as text."""
        for r in self.command(b"NAMESPACE"):
            if r[0].startswith(b"* NAMESPACE (("):
                first = parse(r)[2][0]
                return utf7_decode(first[0]), first[1].decode()
        return "", "/"

    def list(self, verb=b'LIST "" "*"'):
        """[(name, separator, attributes)], the names as text."""
        found = []
        for r in self.command(verb):
            if r[0].startswith((b"* LIST ", b"* LSUB ")):
                t = parse(r)
                attributes = {a.decode() for a in t[2]}
                separator = "" if t[3] == b"NIL" else t[3].decode()
                found.append((utf7_decode(t[4]), separator, attributes))
        return found

    def fetch_all(self, folder, each, items=b"(UID FLAGS INTERNALDATE BODY.PEEK[])"):
        """each({b"UID": …, b"BODY[]": …}) for every message of the folder, in order."""
        self.command(b"EXAMINE " + quote(utf7_encode(folder)))

        def take(r):
            if re.match(rb"\* \d+ FETCH ", r[0]):
                items = parse(r)[3]
                each(dict(zip(items[0::2], items[1::2])))

        self.command(b"UID FETCH 1:* " + items, take)

    # --- appending ---

    def append(self, folder, messages):
        """Appends (flags, date, raw) messages: many at a time where the server can. What the server refuses
        comes back as [(index, words)]."""
        if "MULTIAPPEND" not in self.capabilities:
            return [(i, e) for i, m in enumerate(messages) if (e := self._append_one(folder, m))]
        refused = []
        start = 0
        while start < len(messages):
            end, size = start, 0
            while end < len(messages) and end - start < 100 and size < 8 << 20:
                size += len(messages[end][2])
                end += 1
            refused += self._append_some(folder, messages, start, end)
            start = end
        return refused

    def _append_some(self, folder, messages, start, end):
        """One bad message refuses all of its group: halves find it."""
        if end - start > 1:
            if not self._append_group(folder, messages[start:end]):
                return []
            middle = (start + end) // 2
            return self._append_some(folder, messages, start, middle) + self._append_some(folder, messages, middle, end)
        error = self._append_one(folder, messages[start])
        return [(start, error)] if error else []

    def _append_group(self, folder, group):
        if any(not raw for _, _, raw in group) or "LITERAL+" not in self.capabilities:
            return "cannot go in a group"
        words = [b"APPEND " + quote(utf7_encode(folder))]
        for flags, date, raw in group:
            words.append(b' (%s) "%s" {%d+}\r\n%s' % (flags, date, len(raw), raw))
        return self._try(b"".join(words))

    def _append_one(self, folder, message):
        flags, date, raw = message
        head = b'APPEND %s (%s) "%s" ' % (quote(utf7_encode(folder)), flags, date)
        if "LITERAL+" in self.capabilities:
            return self._try(head + b"{%d+}\r\n" % len(raw) + raw)
        tag = self.send(head + b"{%d}" % len(raw))
        try:
            self._until_plus(tag)
            self.socket.sendall(raw + b"\r\n")
            self.wait(tag)
        except Refused as e:
            return str(e)
        return None

    def _try(self, command):
        try:
            self.command(command)
        except Refused as e:
            return str(e)
        return None

    def close(self):
        try:
            self.command(b"LOGOUT")
        except (OSError, EOFError, Refused):
            pass
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def parse(parts):
    """A response's tokens: bytes, or lists of them."""
    stack = [[]]
    for i, part in enumerate(parts):
        if i % 2:  # a literal
            stack[-1].append(part)
            continue
        for opens, closes, quoted, atom in TOKEN.findall(part):
            if opens:
                stack.append([])
            elif closes:
                done = stack.pop()
                stack[-1].append(done)
            elif atom:
                stack[-1].append(atom)
            else:
                stack[-1].append(re.sub(rb"\\(.)", rb"\1", quoted))
    return stack[0]


def quote(name):
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def utf7_encode(text):
    """A folder's name as modified UTF-7 (RFC 3501 5.1.3)."""
    out = []
    for run in re.findall("[\x20-\x7e]+|[^\x20-\x7e]+", text):
        if run.isascii() and run[0] <= "~":
            out.append(run.replace("&", "&-").encode())
        else:
            coded = base64.b64encode(run.encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
            out.append(b"&" + coded + b"-")
    return b"".join(out)


def utf7_decode(name):
    def part(m):
        coded = m.group(1).replace(b",", b"/")
        if not coded:
            return b"&"
        return base64.b64decode(coded + b"=" * (-len(coded) % 4)).decode("utf-16-be").encode()
    return re.sub(rb"&([^-]*)-", part, name).decode()
