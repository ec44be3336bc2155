"""A real daemon under attack, and what it is like meanwhile: for others, and for its machine.

    with besieged(folder) as siege:
        row = trio.run(siege.endure, attack)

The honest peer asks from a process of its own, so what the attacker costs this one is not counted.
The memory is the most that the kernel ever saw, not what a look now and then finds.
"""

import json
import select
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import trio

from daemon.joining.setup import load_node_keys
from daemon.logs.entry import parse_json
from protocol.identity import SigningKey, short
from tests.benchmarks.nets import usage_of
from tests.system.attacks.wire import Target
from tests.system.hostile import Hostile, hostile
from tests.system.nets import Daemon, Net, made_net, wait_until
from tests.system.processes import ROOT

MEBIBYTE = 1024 * 1024
HONEST = (sys.executable, "-m", "tests.system.attacks.honest")
FOES, FOES_OF_ALL = 24, 60
"""Members whose keys are in the wrong hands: who was banned is of no use to the next attack. All of
the attacks need more of them."""

SERVED_MS_MAX = 4_000.0
"""How long an honest peer may wait at the 99th percentile, on a machine with ten things to do."""

RSS_GROWTH_MAX = 96 * MEBIBYTE
IDLE_SHARE_MAX = 0.3
"""Of a processor, in the second after an attack, with three authorities that miss a fourth."""
IDLE_SECONDS_MAX = 20.0
LOST_MAX = 3
"""Questions that may be lost while the whole network has more to do than it can, and rightly so."""

ATTACK_SECONDS_MAX = 120.0
REPORT_SECONDS_MAX = 30.0
WATCH_SECONDS_MIN = 1.0
"""How long an honest peer looks on, however soon an attack is over."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one attack did, as the table says it."""

    name: str
    who: str
    answered: int
    lost: int
    p99_ms: float
    max_ms: float
    rss_mib: float
    cut_off_seconds: float | None
    named: str
    idle_percent: float
    note: str


@dataclass(frozen=True, slots=True)
class Attack:
    """One thing that somebody does to a node."""

    name: str
    who: str
    """Whoever does it: a stranger, a member, an authority."""
    run: Callable[["Siege", float], Awaitable[str]]
    """Attacks for about as many seconds, and returns what was reached in a few words."""
    names: tuple[str, ...] = ()
    """Log events of which one names the offender; none where there is nobody to name."""
    is_cut_off: bool = True
    """Whether it ends the offender's connection; else it is merely held in bounds."""
    seconds: float = 3.0
    """How long it lasts, if it lasts until the offender is cut off or tired."""
    is_long: bool = False
    """Only a soak runs it."""


@dataclass(eq=False)
class Siege:
    """The victim, whoever may attack it, and the honest peer that looks on."""

    net: Net
    victim: Daemon
    foes: Iterator[Daemon]
    honest: "Honest"
    marks: set[str] = field(default_factory=set)
    """How the offenders of this attack are called in the log: short ids and addresses."""
    started: float = 0.0
    cut_off_at: float | None = None

    @property
    def target(self) -> Target:
        address: str = self.victim.status()["node"]["addresses"][0]
        return Target(self.victim.id, int(address.rpartition("/")[2]))

    def member_seed(self) -> bytes:
        """Return the secret of a member that nobody has used yet, and watch for its name."""
        return self._seed_of(next(self.foes))

    def authority_seed(self) -> bytes:
        """Return the secret of the authority that does not run."""
        return self._seed_of(self.missing)

    def victim_seed(self) -> bytes:
        return self._seed_of(self.victim)

    def _seed_of(self, daemon: Daemon) -> bytes:
        self.watch(daemon.key)
        return load_node_keys(daemon.home, None).signing_seed

    @property
    def missing(self) -> Daemon:
        return self.net[self.net.authorities[-1]]

    def watch(self, key: SigningKey) -> SigningKey:
        """Expect this offender's name in the log."""
        self.marks.add(short(key.public))
        return key

    def watch_address(self, source: str) -> str:
        self.marks.add(source)
        return source

    @asynccontextmanager
    async def foe(self, who: Daemon | None = None) -> AsyncIterator[Hostile]:
        """Connect with a gossip stream, as a member that has not been used yet."""
        daemon = who or next(self.foes)
        self.watch(daemon.key)
        async with hostile(daemon, self.victim) as foe:
            yield foe

    def note_cut_off(self) -> None:
        """Say that the first offender has lost its connection just now."""
        if self.cut_off_at is None:
            self.cut_off_at = time.monotonic()

    async def endure(self, attack: Attack) -> Row:
        """Run one attack to its end, wait until the victim is idle, and say what it was like."""
        self.marks, self.cut_off_at = set(), None
        since = time.time()
        await self.report()
        rss = _reset_peak(self.victim.pid)
        self.started = time.monotonic()
        with trio.fail_after(ATTACK_SECONDS_MAX):
            note = await attack.run(self, attack.seconds)
        await trio.sleep(max(0.0, self.started + WATCH_SECONDS_MIN - time.monotonic()))
        served = await self.report()
        peak = _peak(self.victim.pid)
        idle = await self._wait_until_idle()
        named = await trio.to_thread.run_sync(self._named, since, attack.names)
        if attack.who == "authority":
            await trio.to_thread.run_sync(self._forgive)
        cut_off = None if self.cut_off_at is None else self.cut_off_at - self.started
        return Row(
            name=attack.name,
            who=attack.who,
            answered=int(served["answered"]),
            lost=int(served["lost"]),
            p99_ms=round(served["p99"], 1),
            max_ms=round(served["max"], 1),
            rss_mib=round((peak - rss) / MEBIBYTE, 1),
            cut_off_seconds=None if cut_off is None else round(cut_off, 2),
            named=named,
            idle_percent=round(100 * idle, 1),
            note=note,
        )

    async def report(self) -> dict[str, Any]:
        """Return what the honest peer has seen since the last time."""
        found: dict[str, Any] = await trio.to_thread.run_sync(self.honest.report)
        return found

    def _forgive(self) -> None:
        """Start the victim anew: there is one authority to attack it, and it is banned now."""
        assert self.victim.stop() == 0, self.victim.last_words()
        self.victim.start()
        wait_until(lambda: self.honest.report()["answered"], "the honest member is served again")

    def _named(self, since: float, events: tuple[str, ...]) -> str:
        """Return the log event that named an offender of this attack, or nothing."""
        for line in self.victim.home.log.read_text().splitlines():
            entry = parse_json(line)
            if entry is None or entry.time < since or entry.event not in events:
                continue
            text = json.dumps(dict(entry.fields), default=str)
            if any(mark in text for mark in self.marks):
                return entry.event
        return ""

    async def _wait_until_idle(self) -> float:
        """Return which share of a processor the victim uses, once that is little or time is up."""
        end = time.monotonic() + IDLE_SECONDS_MAX
        while True:
            before, started = usage_of(self.victim.pid).cpu, time.monotonic()
            await trio.sleep(0.5)
            share = (usage_of(self.victim.pid).cpu - before) / (time.monotonic() - started)
            if share < IDLE_SHARE_MAX or time.monotonic() > end:
                return share


class Honest:
    """A member in a process of its own that asks the victim all the time (`honest.py`)."""

    def __init__(self, daemon: Daemon, victim: Daemon) -> None:
        seed = load_node_keys(daemon.home, None).signing_seed
        address = victim.status()["node"]["addresses"][0]
        self._process = subprocess.Popen(
            [*HONEST, seed.hex(), victim.id.hex(), address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )

    def report(self) -> dict[str, Any]:
        """Return what it has seen since the last time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        has_answered = select.select([self._process.stdout], [], [], REPORT_SECONDS_MAX)[0]
        assert has_answered, "the honest member does not say what it has seen"
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def besieged(folder: Path, foes: int = FOES_OF_ALL) -> Iterator[Siege]:
    """Start three of four authorities, and let an honest member ask the first of them."""
    with made_net(folder, members=foes + 1) as net:
        for name in net.authorities[:3]:
            net[name].start(wait=False)
        for name in net.authorities[:3]:
            net[name].wait_until_ready()
        net.wait_until_healthy()
        net.first.submit(net.new_consent(net.authorities[0]))
        onlooker, *others = [
            each for name, each in net.daemons.items() if name not in net.authorities
        ]
        honest = Honest(onlooker, net.first)
        try:
            wait_until(lambda: honest.report()["answered"], "the honest member is served")
            yield Siege(net, net.first, cycle(others), honest)
        finally:
            honest.end()
        net.stop()


def complaints(attack: Attack, row: Row) -> list[str]:
    """Return what a node should have borne better."""
    found = []
    if not row.answered:
        found.append("nobody was served")
    if row.lost > (0 if attack.is_cut_off else LOST_MAX):
        found.append(f"{row.lost} questions were lost")
    if row.p99_ms > SERVED_MS_MAX:
        found.append(f"an honest peer waited {row.p99_ms} ms")
    if row.rss_mib > RSS_GROWTH_MAX / MEBIBYTE:
        found.append(f"memory grew by {row.rss_mib} MiB")
    if attack.names and not row.named:
        found.append(f"none of {', '.join(attack.names)} names the offender")
    if attack.is_cut_off and row.cut_off_seconds is None:
        found.append("the offender was not cut off")
    if row.idle_percent > 100 * IDLE_SHARE_MAX:
        found.append(f"it goes on using {row.idle_percent} % of a processor")
    return found


def _reset_peak(pid: int) -> int:
    """Forget the highest memory of a process so far; return what it has now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return _memory(pid, "VmRSS")


def _peak(pid: int) -> int:
    return _memory(pid, "VmHWM")


def _memory(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
