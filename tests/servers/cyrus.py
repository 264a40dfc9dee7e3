# SPDX-License-Identifier: Apache-2.0
"""A private Cyrus IMAP server.

modern=True    separator "/", folders beside INBOX (unixhierarchysep, altnamespace)
modern=False   separator ".", folders below "INBOX.", as Cyrus was for its first twenty years
"""
import os

import unpacked
from imapclient import Imap
from server import HOST, Server, run, service_user, spawn

ADMIN = "cyrus"
REALM = "cyrus.example.org"

IMAPD = """\
configdirectory: {conf}
partition-default: {spool}
defaultpartition: default
proc_path: {conf}/proc
mboxname_lockpath: {conf}/lock
cyrus_user: {user}
admins: {admin}
servername: {realm}
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {scratch}/sasldb2
sasl_mech_list: {mechanisms}
allowplaintext: {plaintext}
altnamespace: {modern}
unixhierarchysep: {modern}
virtdomains: off
specialusealways: yes
{tls}
"""

CYRUS = """\
START {{
  recover cmd="{bin}/ctl_cyrusdb -C {scratch}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {scratch}/imapd.conf -U 30" listen="{host}:{port}" prefork=0 maxchild=50
{imaps}
}}
EVENTS {{
}}
"""


class Cyrus(Server):
    name = "cyrus"

    def __init__(self, modern=True, mechanisms="PLAIN LOGIN", plaintext="yes", **more):
        super().__init__(**more)
        self.mechanisms, self.plaintext = mechanisms, plaintext
        self.modern = modern
        self.separator, self.prefix = ("/", "") if modern else (".", "INBOX.")
        for user in [ADMIN, *self.users]:
            self._add_password(user)

    def _add_password(self, user):
        reader, writer = os.pipe()
        os.write(writer, self.password.encode() + b"\n")
        os.close(writer)
        run([unpacked.path("usr/sbin/saslpasswd2"), "-p", "-c", "-f", self.scratch.path + "/sasldb2", "-u", REALM, user],
            env=unpacked.environment(), stdin=reader)
        os.close(reader)

    def configure(self):
        scratch = self.scratch
        values = dict(scratch=scratch.path, conf=scratch.folder("conf"), spool=scratch.folder("spool"), host=HOST,
                      user=service_user()[0], admin=ADMIN, realm=REALM, modern="yes" if self.modern else "no",
                      bin=unpacked.path("usr/lib/cyrus/bin"), port=self.port, tls="", imaps="",
                      mechanisms=self.mechanisms, plaintext=self.plaintext)
        if self.tls:
            values["tls"] = f"tls_server_cert: {self.certificate}\ntls_server_key: {self.key}"
            values["imaps"] = ('  imaps cmd="{bin}/imapd -C {scratch}/imapd.conf -s -U 30" listen="{host}:{tls_port}" '
                               'prefork=0 maxchild=50').format(tls_port=self.tls_port, **values)
        scratch.write("imapd.conf", IMAPD.format(**values))
        scratch.write("cyrus.conf", CYRUS.format(**values))

    def launch(self, out):
        scratch = self.scratch.path
        return spawn([unpacked.path("usr/lib/cyrus/bin/master"), "-C", scratch + "/imapd.conf", "-M", scratch + "/cyrus.conf",
                      "-p", scratch + "/master.pid"], stdout=out, stderr=out, env=unpacked.environment())

    def after_start(self):
        tls = None if self.plaintext == "yes" else "starttls"
        with Imap(HOST, self.port, ADMIN, self.password, tls, self.ca_file) as imap:
            for user in self.users:
                imap.command(b"CREATE user%s%s" % (self.separator.encode(), user.encode()))
