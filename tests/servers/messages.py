# SPDX-License-Identifier: Apache-2.0
"""Writes mail: what people and programs send every day, and the hard cases that have broken mail programs.
Nothing here comes from a real mailbox. The same random.Random gives the same bytes.
"""
import base64
import datetime
import math

PEOPLE = [("Ada Byron", "ada@example.org"), ("Bjørn Ægir", "bjorn@example.net"), ("山田 太郎", "yamada@example.jp"),
          ("O'Neil, Pat", "pat.oneil@example.com"), ("Жанна Орлова", "zhanna@example.ru"), ("Zoë Müller", "zoe@example.de"),
          ("नीलम शर्मा", "neelam@example.in"), ("Build Robot", "noreply@ci.example.com"), ("Ελένη", "eleni@example.gr")]
WORDS = """about after agenda agree again all also and any are as at attached be because been before best but by call can
    change come could customer day delivery do does done down draft each even every find first for friday from get give
    go good had has have he help her here him his how i if in into invoice is it its just know last let like line list
    look make many may me meeting minutes monday more most my need new next no not now of offer office on one only or
    order other our out over people plan please project question reply report right see send she should so some
    still such take team than thank that the their them then there these they thing think this time to today two
    under until up us use very want was way we week well were what when where which who will with would year you your
    Grüße Straße café naïve Übersicht coördinate Łódź jalapeño""".split()
SUBJECTS = ["Re: ", "Fwd: ", "AW: ", "[dev] ", "", "", "", "", ""]
ZONES = [0, 60, 120, -300, -480, 330, 540, -210, 765]  # minutes, as people live
FIRST, LAST = 1262300000, 1751000000  # 2010 to 2025


def encoded_word(text):
    if text.isascii():
        return text
    return "=?UTF-8?B?" + base64.b64encode(text.encode()).decode() + "?="


def date_header(when, zone):
    local = datetime.datetime.fromtimestamp(when, datetime.timezone(datetime.timedelta(minutes=zone)))
    return local.strftime("%a, %d %b %Y %H:%M:%S %z")


class Writer:
    """Writes messages out of two big pools, text and base64, cut at random places: fast enough for 100 MB."""

    def __init__(self, random):
        self.random = random
        line, lines = "", []
        for _ in range(60000):
            line += random.choice(WORDS) + " "
            if len(line) > random.randrange(30, 76):
                lines.append(line.rstrip())
                line = ""
        self.text = "\r\n".join(lines).encode() + b"\r\n"
        coded = base64.b64encode(random.randbytes(3 << 20))
        self.base64 = b"".join(coded[i:i + 76] + b"\r\n" for i in range(0, len(coded), 76))
        self.written = 0

    def size(self, median=8192, most=6 << 20):
        return int(min(most, max(600, math.exp(self.random.gauss(math.log(median), 1.9)))))

    def cut(self, pool, size):
        """About size bytes of whole lines."""
        out, left = [], size
        while left > 0:
            start = pool.index(b"\n", self.random.randrange(len(pool) // 2)) + 1
            piece = pool[start:start + left]
            end = piece.rfind(b"\n")
            if end < 0:
                break
            out.append(piece[:end + 1])
            left -= end + 1
        return b"".join(out)

    def message_id(self):
        return "<%x.%d@example.org>" % (self.random.getrandbits(64), self.written)

    def message(self, size, when, message_id=None, raw_8bit=False, received=True):
        r = self.random
        self.written += 1
        sender, to = r.choice(PEOPLE), r.choice(PEOPLE)
        zone = r.choice(ZONES)
        subject = r.choice(SUBJECTS) + " ".join(r.choices(WORDS, k=r.randrange(1, 9)))
        code = (lambda s: s) if raw_8bit else encoded_word
        head = []
        if received:
            for hop in range(r.randrange(1, 4)):
                head.append("Received: from mx%d.example.net (mx%d.example.net [192.0.2.%d])\r\n\tby mail.example.org with "
                            "ESMTPS id %x;\r\n\t%s" % (hop, hop, r.randrange(255), r.getrandbits(48), date_header(when - hop, 0)))
        head += ["From: %s <%s>" % (code(sender[0]) if "," not in sender[0] else '"%s"' % sender[0], sender[1]),
                 "To: %s <%s>" % (code(to[0]) if "," not in to[0] else '"%s"' % to[0], to[1]),
                 "Subject: " + code(subject), "Date: " + date_header(when, zone)]
        if message_id:
            head.append("Message-ID: " + message_id)
        if r.random() < 0.2:
            head.append("References:" + "".join("\r\n <%x@example.org>" % r.getrandbits(80) for _ in range(r.randrange(1, 12))))
        head.append("MIME-Version: 1.0")
        kind, body = self._body(size)
        return ("\r\n".join(head + [kind]) + "\r\n\r\n").encode() + body

    def _body(self, size):
        """(Content-Type header, body): plain, then alternative, then with attachments, by size."""
        if size < 3000:
            return ("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit", self.cut(self.text, size - 500))
        boundary = "=_%x" % self.random.getrandbits(96)
        between = b"--" + boundary.encode()
        text = b"\r\nContent-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        if size < 30000:
            body = (between + text % b"plain" + self.cut(self.text, size // 3) +
                    between + text % b"html" + b"<html><body><p>" + self.cut(self.text, size // 2) + b"</p></body></html>\r\n")
            return 'Content-Type: multipart/alternative; boundary="%s"' % boundary, body + between + b"--\r\n"
        body = between + text % b"plain" + self.cut(self.text, 1500)
        parts = self.random.choice((1, 1, 1, 2, 3))
        for i in range(parts):
            body += (between + b'\r\nContent-Type: application/pdf; name="offer-%d.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
                     b'Content-Disposition: attachment; filename="offer-%d.pdf"\r\n\r\n' % (i, i) +
                     self.cut(self.base64, (size - 3000) // parts))
        return 'Content-Type: multipart/mixed;\r\n\tboundary="%s"' % boundary, body + between + b"--\r\n"


def hard_cases():
    """[(name, raw)]: each is a message that some server or tool refuses, rewrites or loses."""
    def head(name, more=b""):
        return (b"From: hard@example.org\r\nTo: case@example.org\r\nDate: Tue, 3 Mar 2015 09:10:11 +0100\r\n"
                b"Subject: " + name.encode() + b"\r\nMessage-ID: <" + name.encode() + b"@hard.example.org>\r\n" + more)

    def plain(name, body, more=b""):
        return name, head(name, more) + b"\r\n" + body

    nested = b"innermost\r\n"
    for i in range(60):
        nested = b"Content-Type: message/rfc822\r\nX-Depth: %d\r\n\r\n" % i + nested
    parts = b"".join(b"--x\r\nContent-Type: text/plain\r\n\r\npart %d\r\n" % i for i in range(800))
    references = b"References:" + b"".join(b"\r\n <%d.reference@example.org>" % i for i in range(6000)) + b"\r\n"
    same = b"From: hard@example.org\r\nDate: Tue, 3 Mar 2015 09:10:11 +0100\r\nSubject: no id\r\n\r\n"
    return [
        plain("nul", b"a NUL \0 in the middle\r\n"),
        plain("nul-in-header", b"body\r\n", b"X-Nul: a\0b\r\n"),
        plain("bare-cr", b"one\rstill one\r\ntwo\r\r\nthree\r\n"),
        plain("bare-lf", b"one\nstill\r\nmixed\n\nends\n"),
        ("only-lf", (head("only-lf") + b"\r\nall lines\r\nend in LF\r\n").replace(b"\r\n", b"\n")),
        plain("ends-in-cr", b"the last byte is CR\r"),
        plain("no-final-newline", b"the end is missing"),
        plain("no-body", b""),
        ("no-empty-line", head("no-empty-line")),
        ("header-cut", head("header-cut")[:-2]),
        ("no-header", b"\r\nthere is only a body\r\n"),
        ("no-colon", head("no-colon") + b"this line is not a header\r\nX-After: yes\r\n\r\nbody\r\n"),
        ("only-newline", b"\r\n"),
        ("one-byte", b"x"),
        ("only-subject", b"Subject: x\r\n\r\nbody\r\n"),
        plain("long-line", b"0123456789abcdef" * 1250 + b"\r\n"),
        plain("long-header-line", b"body\r\n", b"X-Long: " + b"y" * 20000 + b"\r\n"),
        plain("huge-header", b"body\r\n", references),
        plain("many-headers", b"body\r\n", b"".join(b"X-H%d: v\r\n" % i for i in range(3000))),
        plain("many-parts", parts + b"--x--\r\n", b'Content-Type: multipart/mixed; boundary="x"\r\n'),
        plain("deep", b"", nested[:-2]),
        plain("no-boundary", b"--y\r\n\r\nnot closed", b"Content-Type: multipart/mixed; boundary=y\r\n"),
        ("mbox-from", b"From hard@example.org Tue Mar  3 09:10:11 2015\r\n" + head("mbox-from") + b"\r\nFrom here\r\n>From there\r\n"),
        plain("dots", b".\r\n..\r\n.dot\r\n.\r\n"),
        plain("literal-like", b"a {12}\r\n* 1 FETCH (UID 1)\r\nT1 OK FETCH completed\r\n)\r\n"),
        plain("latin1-header", b"body\r\n", b"X-Name: J\xfcrgen M\xfcller\r\n"),
        plain("utf8-header", "Grüße, Ελένη 📧\r\n".encode(), "X-Name: Jürgen 📧\r\n".encode()),
        plain("bytes", bytes(b for b in range(1, 256) if b not in (10, 13)) + b"\r\n", b"Content-Transfer-Encoding: binary\r\n"),
        plain("escape-sequences", b"\x1b[31mred\x1b[0m \x9b2J\r\n", b"X-Esc: \x1b]0;title\x07\r\n"),
        ("long-id", head("long-id").replace(b"<long-id@", b"\r\n <" + b"m" * 900 + b"@") + b"\r\nbody\r\n"),
        ("empty-id", b"From: hard@example.org\r\nMessage-ID:\r\nSubject: empty id\r\n\r\nbody\r\n"),
        ("odd-id", b"From: hard@example.org\r\nMessage-ID: (a) < sp ace @ example.org > (b)\r\nSubject: odd id\r\n\r\nbody\r\n"),
        ("twin-1", same + b"first\r\n"), ("twin-2", same + b"second\r\n"),
        ("no-date", b"From: hard@example.org\r\nSubject: no date\r\n\r\nbody\r\n"),
        plain("bad-date", b"body\r\n", b"Resent-Date: 99 Foo 10000 25:61:61 +9999\r\n"),
        plain("pseudo-headers", b"body\r\n", b"X-UID: 17\r\nStatus: RO\r\nX-Status: A\r\nX-Keywords: kw\r\nX-TUID: abcdefghijkl\r\n"
              b"Content-Length: 99999\r\nX-IMAPbase: 1 2\r\n"),
        plain("receipt", b"body\r\n", b"Disposition-Notification-To: hard@example.org\r\nReturn-Receipt-To: hard@example.org\r\n"),
        plain("folded-blank", b"body\r\n", b"X-Folded:\r\n \r\n\t\r\n value\r\n"),
        plain("trailing-blanks", b"one  \r\ntwo\t\r\n   \r\n\r\n\r\n"),
    ]
