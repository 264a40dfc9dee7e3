# SPDX-License-Identifier: Apache-2.0
"""mailferry and its rivals: how each is told to make one mailbox like another, in a first pass and in every later one."""
import os
import shutil

from product import PROGRAM
from server import HOST


class Program:
    """name     in --programs, and in tables
    after_first  it goes on with what this program has copied; None: it makes first copies itself
    later    which later passes it is measured in
    service  it runs as the servers' user
    allowed  exit statuses that are not errors
    settling passes it needs after the first one until it is at its best
    keeps    what has left the source stays at the destination"""
    name = "?"
    after_first = None
    later = ("no-op", "delta")
    service = True
    allowed = (0,)
    settling = 0
    keeps = False
    ours = False

    def words(self, rig, user, to_user, tls, expunge=True):
        """The command. expunge: what left the source shall leave the destination, if that is a matter of options."""
        raise NotImplementedError

    def ended(self, rig, to_user):
        """A pass has ended well; rig.output is what it said."""

    def missing(self):
        """Why it cannot be run, or None."""
        return None if shutil.which(self.name) else f"{self.name} is not installed"


class Mailferry(Program):
    name = "mailferry"
    service = False
    ours = True
    keeps = True
    more = ()

    def words(self, rig, user, to_user, tls, expunge=True):
        return [os.path.abspath(PROGRAM), "copy", "--quiet", *self.more] + self.ends(rig, user, to_user, tls)

    def words_verify(self, rig, user, to_user, tls, level):
        return [os.path.abspath(PROGRAM), "verify", "--quiet", "--level", level] + self.ends(rig, user, to_user, tls)

    @staticmethod
    def ends(rig, user, to_user, tls):
        words = ["--from", rig.source.url(user, tls=tls), "--from-password-file", rig.source.password_file,
                 "--to", rig.there.url(to_user, tls=tls), "--to-password-file", rig.there.password_file,
                 "--state", os.path.join(rig.scratch.path, "state", to_user)]
        return words + (["--ca-file", rig.source.ca_file] if tls else [])

    def missing(self):
        return None if os.path.exists(PROGRAM) else f"{PROGRAM} is not built"


class Mirror(Mailferry):
    name = "mailferry --deletes mirror"
    after_first = "mailferry"
    later = ("delta",)
    keeps = False
    more = ("--deletes", "mirror")


class Doveadm(Program):
    """Writes the destination's files itself, and pays no IMAP on that side."""
    name = "doveadm backup"
    allowed = (0, 2)  # 2: it wants to be run again
    features = "rfc822.size fetch-headers"

    def words(self, rig, user, to_user, tls, expunge=True):
        return self.head(rig, user, tls) + ["backup", "-R", "-u", to_user, "imapc:"]

    def head(self, rig, user, tls):
        options = {"imapc_host": HOST, "imapc_port": rig.source.tls_port if tls else rig.source.port, "imapc_user": user,
                   "imapc_password": rig.source.password, "imapc_features": self.features, "mail_prefetch_count": 20,
                   "ssl_client_ca_file": rig.source.ca_file, "imapc_ssl": "imaps" if tls else "no"}
        return ["doveadm", "-c", rig.there.config] + [w for item in options.items() for w in ("-o", "%s=%s" % item)]

    def missing(self):
        return None if shutil.which("doveadm") else "doveadm is not installed"


class Stateful(Doveadm):
    """Is given the state that the pass before has printed. Deletions escape it. With imapc_features=modseq it is quicker
    still, but then new messages escape it, too, in all folders but INBOX (2.3.19); so that is not measured."""
    name = "doveadm backup -s"
    after_first = "doveadm backup"
    settling = 1
    keeps = True

    def file(self, rig, to_user):
        return os.path.join(rig.scratch.folder("doveadm"), to_user)

    def words(self, rig, user, to_user, tls, expunge=True):
        state = ""
        if os.path.exists(self.file(rig, to_user)):
            with open(self.file(rig, to_user)) as f:
                state = f.read().strip()
        return self.head(rig, user, tls) + ["backup", "-R", "-s", state, "-u", to_user, "imapc:"]

    def ended(self, rig, to_user):
        with open(self.file(rig, to_user), "wb") as f:
            f.write(rig.output)


class Mbsync(Program):
    name = "mbsync"

    def words(self, rig, user, to_user, tls, expunge=True):
        return ["mbsync", "-q", "-c", mbsync_file(rig, user, to_user, tls, expunge), "all"]


def mbsync_file(rig, user, to_user, tls, expunge):
    """Its configuration for one mailbox."""
    def store(name, server, login):
        return (f"IMAPStore {name}\nHost {HOST}\nPort {server.tls_port if tls else server.port}\nUser {login}\n"
                f"Pass {server.password}\nAuthMechs LOGIN\nSSLType {'IMAPS' if tls else 'None'}\n"
                f"CertificateFile {server.ca_file}\n\n")

    state = rig.scratch.folder("mbsync", to_user)
    text = (store("far", rig.source, user) + store("near", rig.there, to_user) + "Channel all\nFar :far:\nNear :near:\n"
            f"Patterns *\nSync Pull\nCreate Near\nRemove None\nExpunge {'Near' if expunge else 'None'}\n"
            f"CopyArrivalDate yes\nSyncState {state}/\n")
    return rig.scratch.write(f"mbsync/{to_user}.rc", text, 0o600)


PROGRAMS = [Mailferry(), Mirror(), Doveadm(), Stateful(), Mbsync()]


def chosen(names):
    """The programs of --programs (mailferry, doveadm, mbsync: each with its variants) that can be run here, and why the
    others cannot."""
    programs = [p for p in PROGRAMS if p.name.split()[0] in names]
    reasons = {p.missing() for p in programs} - {None}
    return [p for p in programs if not p.missing()], sorted(reasons)
