# SPDX-License-Identifier: Apache-2.0
"""A gateway that is killed again and again, between a sender and a sink with books of their own (smtpbooks.py); at the end the books
of all three are held against each other."""
import asyncio
import collections
import json
import os
import random
import signal
import subprocess

import journalbook
import product
import test_gateway
from smtpbooks import Sender, Sink

PLATFORMS = """
[platform old]
smtp = smtp://127.0.0.1:{old}
smtp_tls = none
[platform new]
smtp = smtp://127.0.0.1:{new}
smtp_tls = none
"""
BAD_DAY = {"busy": 0.02, "mail": 0.03, "rcpt": 0.05, "before": 0.02, "refuse": 0.04, "drop": 0.01, "lose": 0.02, "slow": 0.2}


class Scene:
    """One gateway's life. Everything that can go wrong is kept in `wrong`."""

    def __init__(self, name, seed=1, senders=4, mails=8, moods=None, route="new", users=("bob", "carol", "dave"),
                 sizes=(200, 5000), pause=0.05, watch=None, heard=None, **keys):
        self.name, self.seed = name, seed
        self.chance = random.Random(f"{name} {seed}")
        self.keys = {"domain_route": f"example.org={route}", "retry_min": "1s", "retry_max": "2s", "drain": "10s",
                     "route_fault": "0s", "journal_segment_mib": 4, **keys}
        self.moods = BAD_DAY if moods is None else moods
        self.watch = watch
        self.senders = [Sender(f"{name.replace(' ', '-')}-{i}", lambda: self.gateway.port, mails, seed, users, sizes, heard=heard,
                               pause=pause) for i in range(senders)]
        self.wrong, self.kills, self.ends = [], 0, []
        self.environment = {}
        self.is_wanted = True
        self.starts = 0

    # --- its life

    async def open(self):
        self.sinks = {side: await Sink(side, f"{self.name} {self.seed}", self.watch, **self.moods).start() for side in ("old", "new")}
        self.gateway = test_gateway.Gateway(platforms=PLATFORMS.format(**{s.side: s.port for s in self.sinks.values()}), **self.keys)

    async def start(self):
        """Whether it became ready; it may be killed before."""
        g = self.gateway
        g.start(ready=False, **self.environment)
        self.starts += 1
        g.notify.setblocking(False)
        for _ in range(12000):
            try:
                if "READY=1" in g.notify.recv(1000).decode().split("\n"):
                    return True
            except BlockingIOError:
                pass
            if g.child.poll() is not None:
                return False
            await asyncio.sleep(0.005)
        raise AssertionError(f"{self.name}: the gateway does not become ready\n{g.text()[-2000:]}")

    def end_of(self, status):
        """Takes note of an end that nobody asked for."""
        self.gateway.err.close()
        self.gateway.notify.close()
        self.ends.append(status)
        # Nor does a gateway begin whose first edge is killed at once: it might be the configuration.
        killed = status == -signal.SIGKILL or self.gateway.text().endswith("an edge ended before it was ready\n")
        self.kills += killed
        if not killed:
            self.wrong.append(f"the gateway ended with {status}: {self.gateway.text()[-1500:]}")

    async def keep_running(self):
        """Starts it again whenever it was killed."""
        while self.is_wanted and not self.wrong:
            status = self.gateway.child.poll()
            if status is None:
                await asyncio.sleep(0.01)
                continue
            self.end_of(status)
            self.environment = self.next_environment()
            await self.start()

    def next_environment(self):
        return {}

    def kill(self, kind):
        """kind: keeper, edge, courier."""
        try:
            if kind == "keeper":
                self.gateway.child.kill()
                return
            parts = self.gateway.parts(kind)
            if parts:
                os.kill(self.chance.choice(parts), signal.SIGKILL)
                self.kills += 1
        except (ProcessLookupError, FileNotFoundError):
            pass

    async def send_all(self):
        await asyncio.gather(*(sender.run() for sender in self.senders))

    async def drain(self, seconds=150):
        """The sinks behave from now on, until nothing is under way. Then an end in order."""
        for sink in self.sinks.values():
            sink.is_quiet = True
        self.is_wanted = False
        if self.gateway.child.poll() is not None or self.environment:
            if self.gateway.child.poll() is None:
                self.gateway.child.kill()
            self.gateway.child.wait()
            self.end_of(self.gateway.child.returncode)
            self.environment = {}
            await self.start()
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            sums = await asyncio.to_thread(self.audit)
            if sums["open"] + sums["attempting"] + sums["doubt"] == 0:
                break
            if loop.time() > end or self.gateway.child.poll() is not None:
                self.wrong.append(f"the queue does not become empty: {sums}\n{self.gateway.text()[-2000:]}")
                break
            await asyncio.sleep(1)
        status = await asyncio.to_thread(self.gateway.stop)
        if status:  # also one that ended before
            self.wrong.append(f"stopped, it ended with {status}: {self.gateway.text()[-1500:]}")

    def audit(self):
        done = subprocess.run([product.PROGRAM, "audit", "--json", os.path.join(self.gateway.state, "journal")],
                              capture_output=True, text=True)
        if done.returncode:
            self.wrong.append("audit: " + done.stdout + done.stderr)
        return next(record for record in map(json.loads, done.stdout.splitlines()) if record["event"] == "audit")

    async def whole(self, seconds=120):
        """All of it. live() is what each kind of scene is."""
        await self.open()
        try:
            if not await self.start():
                self.end_of(self.gateway.child.returncode)
                self.environment = {}
                await self.start()
            running = asyncio.create_task(self.keep_running())
            living = asyncio.create_task(self.live())
            await asyncio.wait((running, living), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if not living.done():
                living.cancel()
                self.wrong.append(f"does not come to an end; ends so far: {self.ends}\n{self.gateway.text()[-1500:]}")
            self.is_wanted = False
            ends = await asyncio.gather(running, living, return_exceptions=True)
            self.wrong += [repr(end) for end in ends if isinstance(end, Exception)]
            if not self.wrong:
                await self.drain()
                self.settle()
        except AssertionError as e:
            self.wrong.append(str(e))
        finally:
            await self.close()

    # --- the books

    def settle(self):
        """Holds everybody's books against each other."""
        sums = self.audit()
        journal = journalbook.Journal(os.path.join(self.gateway.state, "journal"))
        id_of = {n: f"{sums['journal']}-{crockford(n)}" for n in journal.messages}
        by_id = {text: n for n, text in id_of.items()}
        self.wrong += [wrong for sink in self.sinks.values() for wrong in sink.wrong]
        self.settle_sums(sums, journal)
        self.settle_senders(journal, by_id)
        self.settle_sinks(journal, by_id)
        self.settle_returns(journal)
        return journal

    def settle_sums(self, sums, journal):
        ours = {"messages": len(journal.messages), "legs": len(journal.legs),
                "delivered": len(journal.ending(journalbook.DELIVERED)), "returned": len(journal.ending(journalbook.IS_RETURNED)),
                "held": len(journal.ending(journalbook.HELD)), "open": 0, "attempting": 0, "doubt": 0}
        if {name: sums[name] for name in ours} != ours or ours["held"]:
            self.wrong.append(f"the audit counts {sums}, the journal has {ours}")

    def settle_senders(self, journal, by_id):
        accepted = collections.defaultdict(list)
        for message in journal.messages.values():
            if not message.dsn_for:
                accepted[message.message_id.strip("<>").removesuffix("@client.example")].append(message)
        for mail in (mail for sender in self.senders for mail in sender.mails):
            found = accepted.pop(mail.key, [])
            if mail.heard and not any(by_id.get(mail.heard) == message.number for message in found):
                self.wrong.append(f"lost: {mail.key} was accepted as {mail.heard}, the journal has {[m.number for m in found]}")
            if len(found) > 1:
                self.wrong.append(f"accepted {len(found)} times: {mail.key}, sent {mail.tries} times")
            if found and not mail.tries:
                self.wrong.append(f"never sent: {mail.key}")
            for message in found:
                if (message.digest, message.recipients, message.sender) != (mail.digest, mail.to, mail.sender):
                    self.wrong.append(f"not what was sent: {mail.key}")
        if accepted:
            self.wrong.append(f"nobody sent {list(accepted)}")

    def settle_sinks(self, journal, by_id):
        mails = {mail.key: mail for sender in self.senders for mail in sender.mails}
        count, contents = collections.Counter(), collections.defaultdict(set)
        for taken in (taken for sink in self.sinks.values() for taken in sink.taken):
            number = by_id.get(taken.queue_id)
            message = journal.messages.get(number)
            if not message or taken.to not in message.recipients:
                self.wrong.append(f"the {taken.side} sink got {taken.queue_id} for {taken.to}, which the journal does not know")
                continue
            copy = int(taken.side == "old" and (number, message.recipients.index(taken.to), 1) in journal.legs)
            count[number, message.recipients.index(taken.to), copy] += 1
            contents[number].add(taken.content)
            if not message.dsn_for and taken.original != mails[taken.key].digest:
                self.wrong.append(f"{taken.key} came other than it was sent")
        for number, digests in contents.items():
            if len(digests) > 1:
                self.wrong.append(f"message {number} was sent in {len(digests)} forms")
        for leg, fates in journal.legs.items():
            most = 1 + journal.flagged.get(leg, 0)
            if fates[-1] == journalbook.DELIVERED and not count[leg]:
                self.wrong.append(f"leg {leg} is delivered, says the journal; it never came")
            if fates[-1] == journalbook.IS_RETURNED and count[leg]:
                self.wrong.append(f"leg {leg} is returned, says the journal; it came")
            if count[leg] > most:
                self.wrong.append(f"leg {leg} came {count[leg]} times, of which {most - 1} are flagged: {fates}")
        self.twice = sum(n > 1 for n in count.values())

    def settle_returns(self, journal):
        """Whoever was refused is told of, once."""
        told = collections.Counter(message.dsn_for for message in journal.messages.values() if message.dsn_for)
        returned = {key[0] for key in journal.ending(journalbook.IS_RETURNED) if not journal.messages[key[0]].dsn_for}
        for number in returned:
            if told[number] < 1:
                self.wrong.append(f"nobody was told that message {number} was returned")
        for number, n in told.items():
            refused = [r for r in journal.messages[number].recipients if r.startswith("nobody")]
            if n > len(refused):
                self.wrong.append(f"{n} notifications of message {number}, {len(refused)} were refused")

    async def close(self):
        for sink in self.sinks.values():
            sink.stop()
        self.gateway.__exit__()


def crockford(number, digits="0123456789abcdefghjkmnpqrstvwxyz"):
    text = ""
    while number or len(text) < 6:
        text = digits[number % 32] + text
        number //= 32
    return text
