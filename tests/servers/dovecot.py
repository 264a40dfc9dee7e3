# SPDX-License-Identifier: Apache-2.0
"""A private Dovecot.

layout   "plain": separator "/", no prefix      "inbox": separator ".", everything below "INBOX."
format   maildir, sdbox, mdbox

There is a master user: it may log in as anybody, as user*master or with SASL PLAIN's authorization identity.
"""
import base64
import os
import subprocess

from server import HOST, ROOT, Server, service_ids, service_user, spawn

MASTER = "master"

CONFIG = """\
base_dir = {run}
state_dir = {state}
log_path = {log}
instance_name = {name}
listen = {host}
protocols = imap
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 1
ssl = {ssl}
{certificate}
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
auth_master_user_separator = *
auth_failure_delay = 0
{passdbs}
passdb {{
  driver = passwd-file
  master = yes
  args = scheme=PLAIN username_format=%u {masters}
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {users}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={mail}/%u
}}
mail_location = {location}
mail_fsync = {fsync}
mail_max_userip_connections = {connections}
mail_plugins = {plugins}
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
  mailbox {sent} {{
    special_use = \\Sent
  }}
  mailbox Drafts {{
    special_use = \\Drafts
  }}
  mailbox Trash {{
    special_use = \\Trash
  }}
  mailbox Junk {{
    special_use = \\Junk
  }}
  mailbox Archive {{
    special_use = \\Archive
  }}
}}
protocol imap {{
  mail_plugins = {imap_plugins}
}}
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage={quota}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  service_count = 0
  process_limit = 20
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service imap {{
  service_count = 50
  process_limit = 100
}}
service imap-urlauth-login {{
  process_limit = 1
}}
service stats {{
  chroot =
}}
{extra}
"""


LMTP = """
protocols = imap lmtp
{more}
service lmtp {{
  executable = {program}
  chroot =
  user = {user}
  inet_listener lmtp {{
    address = {host}
    port = {port}
  }}
}}
protocol lmtp {{
  postmaster_address = postmaster@example.org
}}
"""


def targets():
    """Where tools/install-packages.sh targets unpacks servers to deliver to."""
    tool = os.path.join(ROOT, "tools", "install-packages.sh")
    where = subprocess.run(["bash", tool, "where"], capture_output=True, text=True, check=True).stdout.strip()
    return os.path.join(where, "targets")


def lmtp(port, more=""):
    """Settings for Dovecot(extra=…): it takes mail by LMTP on that port. None: its program is not unpacked."""
    program = os.path.join(targets(), "usr/lib/dovecot/lmtp")
    if not os.path.exists(program):
        return None
    return LMTP.format(program=program, user=service_user()[0], host=HOST, port=port, more=more)


def coded(password):
    """Blanks at an end and colons would not survive in a file of lines and fields."""
    return base64.b64encode(password.encode()).decode()


class Dovecot(Server):
    name = "dovecot"

    def __init__(self, layout="plain", format="maildir", sent="Sent", quota=None, compress=False,
                 fsync="never", connections=50, extra="", mechanisms="plain login",
                 passdbs="", passwords=None, **more):
        super().__init__(**more)
        self.layout, self.format = layout, format
        self.separator, self.prefix = ("/", "") if layout == "plain" else (".", "INBOX.")
        self.sent, self.quota, self.compress = sent, quota, compress
        self.fsync, self.connections, self.extra = fsync, connections, extra
        self.mechanisms, self.passdbs = mechanisms, passdbs  # passdbs: asked before those with passwords
        self.passwords = passwords or {}  # of users that do not have the common one
        self.mail = self.scratch.folder("mail")

    def location(self):
        if self.format != "maildir":
            return f"{self.format}:~/{self.format}"
        return "maildir:~/Maildir" + (":LAYOUT=fs" if self.layout == "plain" else "")

    def configure(self):
        scratch = self.scratch
        user, group = service_user()
        uid, gid = service_ids()
        plugins = ["quota"] if self.quota else []
        imap = plugins + (["imap_quota"] if self.quota else []) + (["imap_zlib"] if self.compress else [])
        def secret(names):
            return "".join("%s:{PLAIN.b64}%s::::::\n" % (n, coded(self.passwords.get(n, self.password))) for n in names)
        values = dict(
            name=os.path.basename(scratch.path), run=scratch.folder("run"), state=scratch.folder("state"),
            log=os.path.join(scratch.path, "log"), host=HOST, user=user, group=group, uid=uid, gid=gid,
            port=self.port, tls_port=self.tls_port if self.tls else 0, ssl="yes" if self.tls else "no",
            certificate=f"ssl_cert = <{self.certificate}\nssl_key = <{self.key}" if self.tls else "",
            users=scratch.write("users", secret(self.users), 0o600),
            masters=scratch.write("masters", secret([MASTER]), 0o600),
            mail=self.mail, location=self.location(), fsync=self.fsync, connections=self.connections,
            separator=self.separator, prefix=self.prefix, sent=self.sent, quota=self.quota or 0,
            plugins=" ".join(plugins), imap_plugins=" ".join(imap), extra=self.extra,
            mechanisms=self.mechanisms, passdbs=self.passdbs)
        self.config = scratch.write("dovecot.conf", CONFIG.format(**values))

    def launch(self, out):
        return spawn(["dovecot", "-F", "-c", self.config], stdout=out, stderr=out)

    def home(self, user):
        return os.path.join(self.mail, user)
