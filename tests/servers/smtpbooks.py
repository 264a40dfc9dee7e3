# SPDX-License-Identifier: Apache-2.0
"""A sender and a sink of mail which keep their own books, for a gateway between them that is killed all the time. Both behave as
real ones do on bad days: the sender goes away and comes again, the sink refuses, is slow, hangs up before and after it took
what it was given. Coroutines of asyncio; moods are drawn from seeded generators."""
import asyncio
import hashlib
import random
import re
import socket

HOST = "127.0.0.1"
KEY = re.compile(rb"(?m)^X-Key: (\S+)\r$")
QUEUE_ID = re.compile(rb"\bid ([0-9a-z]{5}-[0-9a-z]+)")
BIG = 64 << 20


def unstuffed(data):
    return re.sub(rb"(?m)^\.", b"", data)


class Taken:
    """One transaction that the sink keeps, for one recipient."""

    def __init__(self, side, to, content, is_answered):
        self.side, self.to, self.is_answered = side, to, is_answered
        self.content = hashlib.sha256(content).digest()
        self.queue_id = QUEUE_ID.search(content)[1].decode()
        key = KEY.search(content)
        self.key = key[1].decode() if key else None
        self.original = hashlib.sha256(content[content.index(b"X-Key: "):]).digest() if key else None


class Sink:
    """side: "old" or "new". Moods are chances; watch(event) is called at "connected", "rcpt", "data", "dot", "taken"."""

    def __init__(self, side, seed=1, watch=None, **moods):
        self.side, self.chance = side, random.Random(f"{side} {seed}")
        self.moods, self.watch = moods, watch or (lambda event: None)
        self.taken, self.wrong = [], []
        self.refused = 0
        self.is_quiet = False

    async def start(self, port=0):
        self.server = await asyncio.start_server(self.serve, HOST, port, limit=BIG, backlog=1000)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def stop(self):
        self.server.close()

    def mood(self, name):
        return not self.is_quiet and self.chance.random() < self.moods.get(name, 0)

    async def serve(self, reader, writer):
        try:
            await self.talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def talk(self, reader, writer):
        def say(line):
            writer.write(line.encode() + b"\r\n")

        self.watch("connected")
        if self.mood("busy"):
            say("421 4.3.2 busy")
            return
        say("220 sink ESMTP")
        sender, to = None, []
        while True:
            await writer.drain()
            line = (await reader.readuntil(b"\r\n")).decode("utf-8", "replace").rstrip()
            verb = line[:4].upper()
            if verb == "EHLO":
                say("250-sink\r\n250-PIPELINING\r\n250-SIZE 100000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES")
            elif verb == "MAIL":
                if self.mood("mail"):
                    say("451 4.3.0 not now")
                else:
                    sender, to = line, []
                    say("250 2.1.0 ok")
            elif verb == "RCPT":
                address = re.search("<(.*?)>", line)[1]
                self.watch("rcpt")
                if address.startswith("nobody"):
                    say("550 5.1.1 no such user")
                elif sender is None or self.mood("rcpt"):
                    self.refused += 1
                    say("450 4.2.1 this one not now")
                else:
                    to.append(address)
                    say("250 2.1.5 ok")
            elif verb == "DATA":
                self.watch("data")
                if not to:
                    say("554 5.5.1 nobody")
                    continue
                if self.mood("before"):
                    return
                say("354 go on")
                await writer.drain()
                if not await self.take(reader, writer, say, to):
                    return
                sender, to = None, []
            elif verb == "RSET":
                sender, to = None, []
                say("250 2.0.0 ok")
            elif verb == "QUIT":
                say("221 2.0.0 bye")
                return
            else:
                say("250 2.0.0 ok")

    async def take(self, reader, writer, say, to):
        data = b"\r\n" + await reader.readuntil(b"\r\n.\r\n")
        content = unstuffed(data[2:-3])
        if re.search(rb"(?<!\r)\n|\r(?!\n)", data):
            self.wrong.append(f"bare line ends came: {data[:200]}")
        self.watch("dot")
        if self.mood("slow"):
            await asyncio.sleep(self.chance.uniform(0, 0.4))
        if self.mood("refuse"):
            self.refused += 1
            say("451 4.3.0 not after all")
            return True
        if self.mood("drop"):
            return False
        lost = self.mood("lose")
        self.taken += [Taken(self.side, one, content, not lost) for one in to]
        self.watch("taken")
        if lost:
            return False
        say(f"250 2.0.0 taken as {len(self.taken)}")
        return True


class Mail:
    """What a sender means to send, and what came of it. heard: the queue id of a 250."""

    def __init__(self, key, to, content, sender):
        self.key, self.to, self.sender = key, to, sender
        self.content = content
        self.digest = hashlib.sha256(content).digest()
        self.heard, self.tries, self.unknown, self.is_given_up = None, 0, 0, False


def compose(chance, key, size):
    """Lines that a bad gateway would get wrong: dots, long ones, empty ones, bytes above 127."""
    lines = [f"X-Key: {key}", f"Message-ID: <{key}@client.example>", f"Subject: {key}", ""]
    left = size
    while left > 0:
        line = chance.choice([".", "..", ".x", "", "x" * chance.randrange(1, 998), "From here", "\u00e4\u00f6" * 20, "y" * 70])
        lines.append(line)
        left -= len(line) + 2
    return "\r\n".join(lines).encode() + b"\r\n"


class Refused(Exception):
    pass


class Sender:
    """Sends `count` messages one after the other until each has a 250, or is given up. port(): where the gateway is."""

    def __init__(self, name, port, count, seed=1, users=("bob", "carol", "dave"), sizes=(200, 5000), domain="example.org",
                 heard=None, pause=0.0, abandon=0.05):
        self.name, self.port, self.count = name, port, count
        self.chance = random.Random(f"{name} {seed}")
        self.users, self.sizes, self.domain = users, sizes, domain
        self.on_heard, self.pause, self.abandon = heard or (lambda mail: None), pause, abandon
        self.mails, self.connection = [], None
        self.is_ended = False

    async def run(self):
        for n in range(self.count):
            if self.is_ended:
                break
            to = [f"{user}@{self.domain}" for user in self.chance.sample(self.users, self.chance.randint(1, min(3, len(self.users))))]
            key = f"{self.name}.{n}"
            mail = Mail(key, to, compose(self.chance, key, self.chance.randint(*self.sizes)), f"{self.name}@sender.example")
            self.mails.append(mail)
            await self.send(mail)
            await asyncio.sleep(self.chance.uniform(0, 2 * self.pause))
        await self.hang_up()

    async def send(self, mail):
        while not mail.heard and not mail.is_given_up:
            mail.tries += 1
            self.has_sent_dot = False
            try:
                async with asyncio.timeout(60):
                    await self.transact(mail)
            except Refused:
                await asyncio.sleep(self.chance.uniform(0.05, 0.2))
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                mail.unknown += self.has_sent_dot
                await self.hang_up()
                if self.is_ended or (self.has_sent_dot and self.chance.random() < self.abandon):
                    mail.is_given_up = True
                await asyncio.sleep(0.03)

    async def hang_up(self):
        if self.connection:
            self.connection[1].close()
            self.connection = None

    async def ask(self, line):
        reader, writer = self.connection
        if line is not None:
            writer.write(line if isinstance(line, bytes) else line.encode() + b"\r\n")
            await writer.drain()
        while True:
            answer = await reader.readuntil(b"\r\n")
            if answer[3:4] != b"-":
                break
        if answer.startswith(b"421"):
            raise ConnectionResetError(answer)
        if answer[:1] not in b"23":
            raise Refused(answer)
        return answer

    async def transact(self, mail):
        if not self.connection:
            self.connection = await asyncio.open_connection(HOST, self.port(), limit=BIG)
            sock = self.connection[1].get_extra_info("socket")
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self.ask(None)
            await self.ask("EHLO client.example")
        try:
            await self.ask(f"MAIL FROM:<{mail.sender}>")
            for to in mail.to:
                await self.ask(f"RCPT TO:<{to}>")
            await self.ask("DATA")
            stuffed = re.sub(rb"(?m)^\.", b"..", mail.content)
            middle = self.chance.randrange(len(stuffed))
            self.connection[1].write(stuffed[:middle])
            await self.connection[1].drain()
            self.has_sent_dot = True
            answer = await self.ask(stuffed[middle:] + b".\r\n")
        except Refused:
            self.has_sent_dot = False
            await self.ask("RSET")
            raise
        mail.heard = re.search(rb"queued as (\S+)", answer)[1].decode()
        self.on_heard(mail)
        if self.chance.random() < 0.3:
            await self.hang_up()
