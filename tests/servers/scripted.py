# SPDX-License-Identifier: Apache-2.0
"""TLS in front of a server, or of nothing, with what Python and not the server decides: versions, certificates
and SCRAM with channel binding (RFC 5802, RFC 5929), which no server here offers in a form we know."""
import base64
import hashlib
import hmac
import os
import socket
import ssl
import threading
import warnings

from server import HOST

NO_EXTENDED_MASTER_SECRET = 1  # OpenSSL's option bit: without it there is no tls-exporter before TLS 1.3
ITERATIONS = 4096


def context(certificate, key, newest=None, oldest=None, options=0):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers("DEFAULT@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made.minimum_version = oldest or ssl.TLSVersion.TLSv1_2
        made.maximum_version = newest or ssl.TLSVersion.TLSv1_3
    made.options |= options
    made.load_cert_chain(certificate, key)
    return made


def fingerprint(certificate):
    """tls-server-end-point of a certificate that is signed with SHA-256."""
    with open(certificate) as f:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).digest()


class Front:
    """Every connection: TLS (None: nothing), then log_in(client, back, seen) if there is one, then bytes to and
    from `back`."""

    def __init__(self, tls, back=None, log_in=None):
        self.tls, self.back, self.log_in = tls, back, log_in
        self.socket = socket.create_server((HOST, 0))
        self.port = self.socket.getsockname()[1]
        self.seen = []
        threading.Thread(target=self._listen, daemon=True).start()

    def url(self, user="alice"):
        return f"imaps://{user}@{HOST}:{self.port}"

    def _listen(self):
        while True:
            try:
                one = self.socket.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, one):
        try:
            if not self.tls:
                return
            with self.tls.wrap_socket(one, server_side=True) as client:
                if self.back:
                    self._join(client)
        except OSError:
            pass
        finally:
            one.close()

    def _join(self, client):
        with socket.create_connection((HOST, self.back.port)) as back:
            if self.log_in and not self.log_in(client, back, self.seen):
                return
            other = threading.Thread(target=pump, args=(back, client), daemon=True)
            other.start()
            pump(client, back)
            other.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def pump(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Scram:
    """SCRAM-SHA-256-PLUS before a server that itself takes LOGIN. bound: what the channel must be bound to.
    flaw: None, "signature" (the server shows that it does not know the password), "unsupported"."""

    def __init__(self, user, password, bound, kind="tls-server-end-point", flaw=None, plus=True):
        self.user, self.password, self.bound = user, password, bound
        self.kind, self.flaw, self.plus = kind, flaw, plus

    def __call__(self, client, back, seen):
        lines, behind = client.makefile("rb"), back.makefile("rb", 0)
        behind.readline()
        offer = b"AUTH=SCRAM-SHA-256" + (b" AUTH=SCRAM-SHA-256-PLUS" if self.plus else b"")
        client.sendall(b"* OK [CAPABILITY IMAP4rev1 SASL-IR %s] ready\r\n" % offer)
        words = lines.readline().split()
        seen.append(words[2].decode())
        said = base64.b64decode(words[3]).decode()
        ok, last = self._exchange(said, client, lines)
        if last:
            client.sendall(b"+ " + base64.b64encode(last) + b"\r\n")
            if lines.readline().startswith(b"*"):
                ok = False
        if not ok:
            client.sendall(words[0] + b" NO no\r\n")
            return False
        back.sendall(b'x LOGIN %s "%s"\r\n' % (self.user.encode(), quoted(self.password)))
        answer = behind.readline()
        assert answer.startswith(b"x OK"), answer
        client.sendall(words[0] + answer[1:])
        return True

    def _exchange(self, said, client, lines):
        """(whether the client is who it says, our last message)"""
        binding, _, bare = said.split(",", 2)
        if self.flaw == "unsupported":
            return False, b"e=unsupported-channel-binding-type"
        salt, nonce = os.urandom(16), bare.split("r=")[1] + "servers"
        first = f"r={nonce},s={base64.b64encode(salt).decode()},i={ITERATIONS}"
        client.sendall(b"+ " + base64.b64encode(first.encode()) + b"\r\n")
        final = base64.b64decode(lines.readline()).decode()
        without, proof = final.rsplit(",p=", 1)
        header = f"p={self.kind},," if self.plus else binding + ",,"
        expected = base64.b64encode(header.encode() + (self.bound if self.plus else b"")).decode()
        if without != f"c={expected},r={nonce}":
            return False, b"e=channel-bindings-dont-match"
        return self._prove(",".join((bare, first, without)).encode(), salt, base64.b64decode(proof))

    def _prove(self, message, salt, proof):
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), salt, ITERATIONS)
        key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
        if bytes(a ^ b for a, b in zip(key, signature)) != proof:
            return False, b"e=invalid-proof"
        known = b"" if self.flaw == "signature" else salted
        signature = hmac.digest(hmac.digest(known, b"Server Key", "sha256"), message, "sha256")
        return True, b"v=" + base64.b64encode(signature)


def quoted(password):
    return password.replace("\\", "\\\\").replace('"', '\\"').encode()
