#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mailferry gateway, killed: between senders and sinks that keep books of their own and have bad days, any of its processes is killed
at any time and at each named step (os/step.h), and begun again. When all has come to rest: every message with a 250 came
to each recipient; more than once only if the journal flagged it as a possible duplicate; nothing else came; the audit finds
nothing wrong and counts what everybody counts.

K1 to K22 name the moment (docs/design/delivery.md, journal.md). K23 (a torn last record, flipped bits, zeroed pages, a missing segment),
K10 (what is dropped), and kills at every step of rolling and recovery: src/journal/test-crash.c, test-damage.c.

MAILFERRY_SEED chooses other moments; nightly, or with MAILFERRY_SOAK=SECONDS, lives at random go on for so long."""
import asyncio
import os
import random
import time
import unittest

import product
from gatewaylife import Scene

SEED = int(os.environ.get("MAILFERRY_SEED") or (random.SystemRandom().randrange(10 ** 6) if product.NIGHTLY else 1))
SECONDS = float(os.environ.get("MAILFERRY_SOAK") or (600 if product.NIGHTLY else 0))
AT_ONCE = 8 if product.NIGHTLY else 6  # lives side by side: they wait more than they work
USERS = ("bob", "carol", "dave", "nobody1")

# moment, step, at which pass; more: of the Scene
STEPS = [
    ("K1", "edge-begin", 3, {}),
    ("K2", "edge-piece", 20, {"sizes": (100000, 300000)}),
    ("K2", "keep-body", 10, {"sizes": (100000, 300000)}),
    ("K3", "edge-finish", 4, {}),
    ("K3", "keep-finish", 5, {}),
    ("K4", "keep-appended", 6, {}),
    ("K4", "journal-append", 20, {}),
    ("K4", "journal-flush", 9, {}),
    ("K4", "block-write", 12, {}),
    ("K4", "block-write-half", 15, {}),
    ("K4", "block-sync", 18, {}),
    ("K5", "block-synced", 21, {}),
    ("K5", "journal-flushed", 24, {}),
    ("K5", "journal-committed", 6, {}),
    ("K5", "keep-durable", 6, {}),
    ("K6", "keep-answered", 4, {}),
    ("K6", "edge-answer", 3, {}),
    ("K8", "index-write", 2, {}),
    ("K8", "index-written", 2, {}),
    ("K9", "journal-roll", 1, {"sizes": (200000, 600000)}),
    ("K9", "journal-rolled", 1, {"sizes": (200000, 600000)}),
    ("K9", "block-fill", 3, {"sizes": (200000, 600000)}),
    ("K11", "deliver routed", 6, {}),
    ("K11", "deliver attempt", 6, {}),
    ("K12", "courier connected", 2, {}),
    ("K14", "courier content", 8, {"sizes": (20000, 200000)}),
    ("K15", "courier ask", 3, {}),
    ("K15", "deliver intent", 5, {}),
    ("K15", "courier go", 3, {}),
    ("K17", "deliver result", 6, {}),
    ("K18", "deliver settled", 4, {"route": "both"}),
    ("K19", "deliver dsn", 2, {}),
]


class Step(Scene):
    """Killed at a step. The others learn of it, and go on for a while, if it was an edge or a courier."""

    def __init__(self, moment, step, at, more):
        super().__init__(f"{moment} {step}", SEED, users=USERS, **more)
        self.environment = {"MAILFERRY_STEP_KILL": f"{step}:{at}"}

    async def live(self):
        sending = asyncio.create_task(self.send_all())
        for _ in range(600):  # the index and the next segment are made later
            if self.kills or "ended by signal 9" in self.gateway.text():
                break
            await asyncio.sleep(0.02)
        else:
            self.wrong.append("nobody was killed")
        if not self.kills:
            await asyncio.sleep(0.5)
            self.kill("keeper")
        await sending


class Heard(Scene):
    """K7: the keeper, right after the 250 was heard."""

    def __init__(self):
        self.n = 0
        super().__init__("K7 heard", SEED, users=USERS, heard=self.hear)

    def hear(self, _):
        self.n += 1
        if self.n in (3, 11, 20):
            self.kill("keeper")

    async def live(self):
        await self.send_all()


class Watched(Scene):
    """A process is killed at what the sink sees: K13 at a RCPT, K14 at DATA, K16 at the dot, before the answer, K17 and K18 when it was
    taken."""

    def __init__(self, moment, event, kind, **more):
        self.event, self.kind, self.n = event, kind, 0
        super().__init__(f"{moment} {event} {kind}", SEED, users=USERS, watch=self.see, **more)

    def see(self, event):
        self.n += event == self.event
        if event == self.event and self.n in (2, 9):
            self.kill(self.kind)

    async def live(self):
        await self.send_all()
        if not self.kills:
            self.wrong.append("nobody was killed")


class Recovery(Scene):
    """K21, K22: killed at each of the steps of its start, and at the next one at the start after that."""

    def __init__(self, upto):
        super().__init__("K22 recovery", SEED, users=USERS, senders=6, mails=6)
        self.upto = upto

    def next_environment(self):
        return {"MAILFERRY_STEP_KILL": f":{self.pass_}"}

    async def live(self):
        senders = asyncio.create_task(self.send_all())
        await asyncio.sleep(0.6)
        for self.pass_ in range(1, self.upto):
            self.gateway.child.kill()
            before = self.starts
            while self.starts == before:
                await asyncio.sleep(0.005)
            await asyncio.sleep(self.chance.uniform(0, 0.1))
        self.next_environment = dict
        self.gateway.child.kill()
        await senders


class Audited(Scene):
    """Nobody is killed; the journal is audited all the time while it is written, and nothing is ever wrong with it."""

    def __init__(self):
        super().__init__("audited", SEED, senders=12, mails=40, pause=0, moods={})

    async def live(self):
        sending = asyncio.create_task(self.send_all())
        while not sending.done() and not self.wrong:
            await asyncio.to_thread(self.audit)
        await sending


class Rollback(Scene):
    """K20: routes are changed all the time, and the keeper killed at the records that say so."""

    def __init__(self):
        super().__init__("K20 rollback", SEED, users=USERS, mails=10, pause=0.1)

    async def live(self):
        senders = asyncio.create_task(self.send_all())
        for n in range(12):
            route = ("old", "new")[n % 2]
            words = ["route", "set", route, "@example.org", "bob@example.org", "--reason", "there and back", "--config", self.gateway.config]
            asking = await asyncio.create_subprocess_exec(product.PROGRAM, *words, stdout=asyncio.subprocess.DEVNULL,
                                                          stderr=asyncio.subprocess.DEVNULL)
            if n % 3 == 2:
                await asyncio.sleep(self.chance.uniform(0, 0.03))
                self.kill("keeper")
            await asking.wait()
            await asyncio.sleep(self.chance.uniform(0, 0.3))
        await senders


class Random(Scene):
    """Any process at any time, and at any step."""

    def __init__(self, seed, seconds):
        self.seconds = seconds
        chance = random.Random(seed)
        super().__init__(f"random {seed}", seed, users=USERS, mails=1000, senders=chance.choice((2, 5, 12)),
                         pause=chance.choice((0, 0.02, 0.1)), route=chance.choice(("new", "both")),
                         sizes=chance.choice(((100, 4000), (100, 4000), (1000, 300000))))
        self.environment = self.next_environment()

    def next_environment(self):
        return {"MAILFERRY_STEP_KILL": f":{int(2 ** self.chance.uniform(3, 13))}"} if self.chance.random() < 0.6 else {}

    async def live(self):
        sending = asyncio.create_task(self.send_all())
        end = time.monotonic() + self.seconds
        while time.monotonic() < end and not self.wrong:
            await asyncio.sleep(self.chance.uniform(0.05, 1.2))
            self.kill(self.chance.choice(("keeper", "edge", "edge", "courier", "courier")))
        for sender in self.senders:
            sender.is_ended = True
        self.next_environment = dict
        await sending


async def lives(scenes, at_once):
    turn = asyncio.Semaphore(at_once)

    async def one(scene):
        async with turn:
            await scene.whole()

    await asyncio.gather(*(one(scene) for scene in scenes))


class Kills(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        product.need_program()

    def check(self, scenes, at_once=AT_ONCE):
        began = time.monotonic()
        asyncio.run(lives(scenes, at_once))
        mails = sum(bool(mail.heard) for scene in scenes for sender in scene.senders for mail in sender.mails)
        print(f"# seed {SEED}: {len(scenes)} lives, {sum(scene.kills for scene in scenes)} kills, {mails} messages accepted, "
              f"{sum(getattr(scene, 'twice', 0) for scene in scenes)} came twice, {time.monotonic() - began:.0f} s")
        for scene in scenes:
            with self.subTest(scene.name, seed=scene.seed):
                self.assertEqual(scene.wrong, [])

    def test_at_each_step(self):
        scenes = [Step(*step) for step in STEPS]
        scenes += [Heard(), Watched("K13", "rcpt", "courier"), Watched("K14", "data", "courier"), Watched("K16", "dot", "courier"),
                   Watched("K16", "dot", "keeper"), Watched("K17", "taken", "courier"), Watched("K18", "taken", "keeper", route="both"),
                   Recovery(60 if product.NIGHTLY else 20), Rollback(), Audited()]
        scenes += [Random(SEED + n, 6) for n in range(4)]
        self.check(scenes, len(scenes))

    @unittest.skipUnless(SECONDS, "nightly, or with MAILFERRY_SOAK=SECONDS")
    def test_for_a_long_time(self):
        began, n = time.monotonic(), 100
        while time.monotonic() - began < SECONDS:
            self.check([Random(SEED + n + i, random.Random(SEED + n + i).choice((2, 5, 10))) for i in range(AT_ONCE)])
            n += AT_ONCE


if __name__ == "__main__":
    unittest.main()
