#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Passes that are killed, at every step the ledger takes and at any byte that passes between mailferry and the destination;
and ledgers that lose their last commits. Run again, a pass must end as one that nobody disturbed: the same messages, flags,
dates and exceptions at the destination, nothing twice; and then there is nothing left to do.

A scenario has one source account and many destinations, each of which a pass dies over in its own way. Some of
the passes run their fibers in another order (MAILFERRY_RUN_SEED). What is tried is drawn from a seed, which is printed:
MAILFERRY_SEED chooses another, MAILFERRY_NIGHTLY tries every step, and a word of MAILFERRY_CRASHES the scenarios with it."""
import collections
import concurrent.futures
import contextlib
import os
import random
import shutil
import socket
import threading
import unittest

import product
import unpacked
from courier import Courier
from cyrus import Cyrus
from dovecot import Dovecot
from messages import hard_cases
from scene import COUNTS, Hand, Post, Scene, contents
from server import HOST

SEED = int(os.environ.get("MAILFERRY_SEED") or (random.SystemRandom().randrange(10 ** 6) if product.NIGHTLY else 1))
STEPS, BYTES, RESTORED = (400, 100, 60) if product.NIGHTLY else (6, 5, 4)  # of each scenario, at most
AT_ONCE = 5
ALL = ["--deletes", "mirror", "--delete-limit", "100"]
BARE = "IMAP4rev1 SASL-IR ID ENABLE CHILDREN NAMESPACE UNSELECT ESEARCH LIST-EXTENDED LIST-STATUS SPECIAL-USE"


class Line:
    """A way to the destination that falls silent, once, when `at` bytes have passed up (to the server) or down: nothing
    that comes later passes either way on the connections of that moment."""

    def __init__(self, server):
        self.server, self.up, self.at = server, True, None
        self.passed = {True: 0, False: 0}
        self.silent = threading.Event()
        self.lock = threading.Lock()
        self.threads = []
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self, user):
        return f"imap://{user}@{HOST}:{self.port}"

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            there = socket.create_connection((HOST, self.server.port))
            for s in (client, there):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self.carry_both, args=(client, there, not self.silent.is_set()), daemon=True)
            self.threads.append(thread)
            thread.start()

    def wait_for_server(self):
        """Until it has ended all sessions: what it was at work on is stored then, or never will be."""
        threads, self.threads = self.threads, []
        for thread in threads:
            thread.join(15)

    def carry_both(self, client, there, early):
        with client, there:
            back = threading.Thread(target=self.carry, args=(there, client, False, early), daemon=True)
            back.start()
            self.carry(client, there, True, early)
            back.join()

    def carry(self, source, to, up, early):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                with self.lock, contextlib.suppress(OSError):  # whoever is gone does not keep the other from talking
                    to.sendall(self.what_passes(data, up, early))
        with contextlib.suppress(OSError):
            to.shutdown(socket.SHUT_WR)

    def what_passes(self, data, up, early):
        if self.at is None or not early:
            self.passed[up] += len(data)
            return data
        if self.silent.is_set():
            return b""
        if up == self.up and self.passed[up] + len(data) >= self.at:
            data = data[:self.at - self.passed[up]]
            self.silent.set()
        self.passed[up] += len(data)
        return data

    def close(self):
        self.listener.close()


# --- scenarios: what is in the source, what happens to it after a first pass -------------------------------

class Scenario:
    kind, options, twice = "dovecot", (), True  # twice: the pass that dies is the second one

    def __init__(self, post):
        self.post = post

    def fill(self, old):
        box = {path: self.post.letters(n, most=4000) for path, n in
               {"INBOX": 8, "Work": 6, "Team": 2, "Team/Reports": 4, "Läger": 3, "Empty": 0}.items()}
        box["INBOX"][3] = box["INBOX"][2]
        for path, letters in box.items():
            if path != "INBOX":
                old.make(path)
            old.add(path, letters)
        old.add("Work", [self.post.letter(most=200000)])
        old.subscribe("Work")
        self.box = box

    def change(self, old):
        pass

    def fill_there(self, new):
        """In each destination, before its first pass."""

    def change_there(self, new):
        """In each destination, before the pass that dies."""


class Seed(Scenario):
    twice = False


class Crowd(Seed):
    """One folder that several connections fill together."""

    def fill(self, old):
        old.add("INBOX", self.post.letters(260, most=4000))


class Bare(Seed):
    kind = "bare"


class Delta(Scenario):
    def change(self, old):
        inbox = self.box["INBOX"]
        old.flag("INBOX", [old.uid("INBOX", inbox[1])], "+Later")
        old.move("INBOX", [old.uid("INBOX", inbox[i]) for i in (1, 2, 5)], "Team/Reports")
        old.remove("Work", old.uids("Work")[2:4])
        old.flag("Work", old.uids("Work")[:2], "+\\Answered Urgent")
        old.add("INBOX", self.post.letters(4, most=4000))
        old.add("Empty", self.post.letters(2, most=4000))
        old.rename("Läger", "Storage")
        old.make("Fresh")
        old.add("Fresh", self.post.letters(2, most=4000))
        old.delete("Team")
        old.make("Team")
        old.add("Team", [*self.box["Team"], *self.post.letters(1)])


class Mirror(Delta):
    options = ALL


class BareDelta(Delta):
    kind = "bare"


class Uidvalidity(Scenario):
    options = ALL

    def change(self, old):
        old.renew("Work")
        old.renew("Team/Reports")
        uids = old.uids("Work")
        old.flag("Work", uids[:2], "+Later")
        old.move("Work", uids[2:4], "Empty")
        old.remove("Work", uids[4:5])
        old.add("Work", self.post.letters(2))


class UidvalidityThere(Scenario):
    options = ALL

    def change(self, old):
        uids = old.uids("Work")
        old.flag("Work", uids[:2], "+Later")
        old.move("Work", uids[2:4], "Empty")
        old.remove("Work", uids[4:5])
        old.add("Work", self.post.letters(2))

    def change_there(self, new):
        new.renew("Work")
        new.renew("Läger")


class Adopt(Scenario):
    options, twice = ["--adopt"], False

    def fill_there(self, new):
        new.add("INBOX", self.box["INBOX"][:5])
        new.add("INBOX", self.foreign)
        new.make("Work")
        new.add("Work", [(flags, b"17-Nov-2025 10:00:00 +0000", raw) for flags, _, raw in self.box["Work"][2:5]])

    def fill(self, old):
        super().fill(old)
        self.foreign = self.post.letters(2)


class Rewritten(Scenario):
    """Messages that servers alter: found again by what their headers say. Of one byte, altered, nothing says what it is."""
    twice = False

    def fill(self, old):
        old.make("Work")
        for path in ("INBOX", "Work"):
            with old.imap() as imap:
                imap.append(path if path == "INBOX" else old.name(path),
                            [(b"\\Seen", b"03-Mar-2015 10:%02d:00 +0000" % i, raw)
                             for i, (name, raw) in enumerate(hard_cases()) if len(raw) < 50000 and name != "one-byte"])


class ToCourier(Rewritten):
    kind = "courier"


class ToCyrus(Rewritten):
    kind = "cyrus"


class CyrusDelta(Mirror):
    kind = "cyrus"


SCENARIOS = [Seed, Crowd, Bare, Delta, Mirror, BareDelta, Uidvalidity, UidvalidityThere, Adopt, ToCourier, ToCyrus, CyrusDelta]
EVIDENCE = {"altered"}
Outcome = collections.namedtuple("Outcome", "status did exceptions contents")


def did(result):
    return {name: n for name in COUNTS if (n := result.report().total.get(name))}


def exceptions(result):
    return sorted((r["folder"], r.get("uid", 0), r["cause"]) for r in result.records if r["event"] == "exception")


def unordered(state):
    return {folder: collections.Counter(map(shown, found)) for folder, found in state.items()}


def shown(message):
    return message if isinstance(message, bool) else (message[0].hex()[:12], " ".join(sorted(message[1])), message[2].decode())


class Died(Exception):
    """What is wrong with a play."""


class Play:
    """One destination, and how the pass over it dies."""

    def __init__(self, stage, number, how):
        self.stage, self.number, self.how = stage, number, how
        self.random = random.Random(f"{SEED} {stage.name} {number}")
        self.run_seed = self.random.randrange(1, 10 ** 6) if self.random.random() < 0.5 else None
        self.user = f"{stage.name}{number}"
        self.words, self.killed = "", False

    def __str__(self):
        order = f", fibers in order {self.run_seed}" if self.run_seed else ""
        return f"seed {SEED}, {self.stage.name} {self.number}: {self.words}{order}"

    def begin(self):
        stage = self.stage
        self.scene = Scene(stage.test, stage.source, stage.there, stage.name, self.user)
        self.line = Line(stage.there)
        stage.scenario.fill_there(self.scene.new)
        if stage.scenario.twice:
            result = self.run([])
            if result.status != 0:
                raise Died(f"the first pass\n{result}")

    def run(self, options=None, **more):
        environment = {"MAILFERRY_RUN_SEED": str(self.run_seed)} if self.run_seed else {}
        environment.update(more.pop("environment", {}))
        urls = self.stage.source.url(self.stage.name), self.line.url(self.user)
        result = self.scene.copy(*(self.stage.scenario.options if options is None else options), urls=urls,
                                 environment=environment, **more)
        self.line.wait_for_server()
        return result

    def outcome(self, note=""):
        """Of a pass that goes through, and of one after it that has nothing to do. A ledger that lost commits which were
        on the disk may not know a folder that was filled: refused is well answered, too."""
        last = self.run()
        if last.status == 2 and self.how == "log" and "is damaged" in last.err:
            # A log that ends before what is in the file already is no state that a crash leaves: done as the words say.
            shutil.rmtree(self.scene.state)
            last = self.run([*self.stage.scenario.options, "--adopt"])
        if last.status == 4 and self.how in ("restored", "log"):
            last = self.run([*self.stage.scenario.options, "--adopt"])
        again = self.run()
        seen = Outcome(again.status, did(again), exceptions(again), contents(self.scene.new))
        wanted = self.stage.wanted
        if not wanted:
            return seen
        text = f"{note}\n--- the pass after it\n{last}\n--- the one after that\n{again}"
        if again.status != (1 if seen.exceptions else 0) or seen.did != wanted.did:
            raise Died(f"status {again.status}, did {seen.did}, not {wanted.did}\n{text}")
        # What a pass finds again it does not look into, so it may not know that the destination altered it.
        if seen.exceptions != wanted.exceptions and [e for e in wanted.exceptions if e[2] not in EVIDENCE or e in
                                                     seen.exceptions] != seen.exceptions:
            raise Died(f"exceptions {seen.exceptions}, not {wanted.exceptions}\n{text}")
        got, want = unordered(seen.contents), unordered(wanted.contents)
        wrong = [f"{folder}: {got.get(folder, {}) - want[folder] if folder in got else 'is not there'} too much, "
                 f"{want[folder] - got.get(folder, collections.Counter())} missing"
                 for folder in want if got.get(folder) != want[folder]] + [f"{folder} besides" for folder in got.keys() - want.keys()]
        if wrong:
            raise Died("\n".join([*wrong, text]))
        return seen

    def die_at_step(self, step=None):
        step = step or self.how
        self.words = f"killed at step {step} ({self.stage.steps[step - 1]})"
        return self.run(environment={"MAILFERRY_STEP_KILL": f":{step}"})

    def die_at_byte(self):
        line = self.line
        line.up = self.random.random() < 0.6
        line.passed = {True: 0, False: 0}
        line.at = self.random.randrange(1, self.stage.lengths[line.up])
        self.words = f"killed after {line.at} bytes {'to' if line.up else 'from'} the destination"
        return self.run(kill_when=line.silent.is_set)

    def lose_commits(self):
        """The ledger is what it was some commits ago: at the beginning of the pass, or in the middle."""
        saved, steps = self.scene.state + "-saved", len(self.stage.steps)
        early = self.random.randrange(1, steps + 1) if self.number % 3 else 0
        late = self.random.randrange(early, steps + 1)
        self.words = (f"ledger as at step {early}" if early else "ledger as before") + f", killed at step {late}"
        if early:
            self.run(environment={"MAILFERRY_STEP_KILL": f":{early}"})
        if os.path.isdir(self.scene.state):
            shutil.copytree(self.scene.state, saved)
        result = self.run(environment={"MAILFERRY_STEP_KILL": f":{late}"}) if self.number % 2 else self.run()
        shutil.rmtree(self.scene.state, ignore_errors=True)
        if os.path.isdir(saved):
            os.rename(saved, self.scene.state)
        return result

    def cut_log(self):
        """The write-ahead log ends some frames earlier."""
        result = self.die_at_step(self.random.randrange(len(self.stage.steps) // 3, len(self.stage.steps) + 1))
        logs = [p for p in self.scene.ledger_files() if p.endswith("-wal")]
        for path in logs:
            frames = (os.path.getsize(path) - 32) // (4096 + 24)
            keep = self.random.randrange(frames + 1) if frames > 0 else 0
            os.truncate(path, 32 + keep * (4096 + 24))
            self.words += f", {keep} of {frames} frames of its log left"
        return result

    def play(self):
        """What is wrong; empty: nothing."""
        try:
            ways = {"bytes": self.die_at_byte, "restored": self.lose_commits, "log": self.cut_log}
            result = ways[self.how]() if self.how in ways else self.die_at_step()
            self.killed = result.status == -9
            if not self.killed and result.status not in (0, 1):
                raise Died(f"it was to be killed\n{result}")
            self.outcome(f"--- the pass that died\n{result}")
        except Died as e:
            return f"{self}\n{e}"
        finally:
            self.line.close()
        return ""


class Stage:
    """A scenario on its servers."""

    def __init__(self, test, scenario, source, there):
        self.test, self.scenario, self.source, self.there = test, scenario, source, there
        self.name = type(scenario).__name__.lower()
        self.random = random.Random(f"{SEED} {self.name}")
        self.wanted = None
        self.steps, self.lengths = [], {}

    def run(self):
        old = Hand(self.source, self.name)
        self.scenario.fill(old)
        hows = ["undisturbed"] + ["step"] * STEPS + ["bytes"] * BYTES + ["restored"] * (RESTORED // 2) + ["log"] * (RESTORED // 2)
        plays = [Play(self, i, how) for i, how in enumerate(hows)]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            plays[0].run_seed = None
            list(pool.map(Play.begin, plays))
            self.scenario.change(old)
            list(pool.map(lambda play: self.scenario.change_there(play.scene.new), plays))
            self.learn(plays[0], old)
            chosen = self.choose(plays[1:])
            wrong = [text for text in pool.map(Play.play, chosen) if text]
        killed = sum(play.killed for play in chosen)
        print(f"# {self.name}: seed {SEED}, {len(self.steps)} steps, {len(chosen)} plays, {killed} killed", flush=True)
        self.test.assertFalse(wrong, f"{len(wrong)} of {len(chosen)}\n" + "\n\n".join(wrong[:4]))
        self.test.assertGreater(killed, len(chosen) // 2)

    def learn(self, play, old):
        trace = os.path.join(self.there.scratch.path, "trace-" + self.name)
        play.line.passed = {True: 0, False: 0}
        result = play.run(environment={"MAILFERRY_STEP_TRACE": trace})
        self.test.assertIn(result.status, (0, 1), str(result))
        with open(trace, encoding="utf-8") as f:
            self.steps = f.read().splitlines()
        self.lengths = dict(play.line.passed)
        self.wanted = play.outcome()
        play.line.close()
        self.test.assertEqual({k: n for k, n in self.wanted.did.items() if k != "excepted"}, {}, str(result))
        found, notes = play.scene.differ(result)
        self.test.assertEqual(found, self.test.allowed.get(self.name, {}), "\n".join(notes))

    def choose(self, plays):
        """Gives those that are to die at a step one each; of more than there are steps the rest is left out."""
        count = len(self.steps)
        steps = list(range(1, count + 1))
        if STEPS < count:
            steps = [1, *self.random.sample(range(2, count), STEPS - 2), count]
        chosen = []
        for play in plays:
            if play.how == "step":
                if not steps:
                    continue
                play.how = steps.pop()
            chosen.append(play)
        return chosen


class Crashes(unittest.TestCase):
    maxDiff = None
    # What an undisturbed pass leaves different: what left the source is kept; nobody tells what became of it where UIDPLUS
    # is missing.
    allowed = {"delta": {"extra message": 2}, "baredelta": {"extra message": 5}, "adopt": {"extra message": 2}}

    @classmethod
    def setUpClass(cls):
        product.need_program()
        print(f"# seed {SEED}", flush=True)
        names = [s.__name__.lower() for s in SCENARIOS]
        count = 1 + STEPS + BYTES + RESTORED

        def users(kind):
            return [f"{s.__name__.lower()}{i}" for s in SCENARIOS if s.kind == kind for i in range(count)]

        cls.source = cls.enterClassContext(Dovecot(layout="inbox", format="sdbox", users=names))
        makers = {"dovecot": lambda: Dovecot(format="sdbox", users=users("dovecot"), connections=100),
                  "bare": lambda: Dovecot(format="sdbox", users=users("bare"), extra=f"imap_capability = {BARE}")}
        if unpacked.folder():
            makers["courier"] = lambda: Courier(users=users("courier"))
            makers["cyrus"] = lambda: Cyrus(modern=True, users=users("cyrus"))
        cls.there = {kind: cls.enterClassContext(make()) for kind, make in makers.items()}
        cls.post = Post(SEED)

    def scenario(self, kind):
        if kind.kind not in self.there:
            self.skipTest("not unpacked: tools/install-packages.sh servers")
        Stage(self, kind(self.post), self.source, self.there[kind.kind]).run()


def test_of(kind):
    return lambda self: self.scenario(kind)


for s in SCENARIOS:
    if os.environ.get("MAILFERRY_CRASHES", "") in s.__name__.lower():
        setattr(Crashes, "test_" + s.__name__.lower(), test_of(s))


if __name__ == "__main__":
    unittest.main()
