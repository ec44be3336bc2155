"""Numbers of what people did: how long fetches took, and how soon a withdrawal counted everywhere.

A node honours a withdrawal from when it has seen it, final or not. Its reach is the time until 95 %
of the honest nodes do.
"""

from collections import Counter
from dataclasses import dataclass, field

from protocol.events import ConsentId
from protocol.state import consent_entry
from protocol.terms import Purpose
from simulations.metrics import percentile
from simulations.workload.news import (
    BlamedClinic,
    FetchEnded,
    KeysSent,
    News,
    WithdrawalGiven,
)
from simulations.world.core_host import CoreHost
from simulations.world.world import World

REACHED_SHARE = 0.95


@dataclass(slots=True)
class Withdrawal:
    """One withdrawal on its way. `missing` are the nodes (by place) that do not honour it yet."""

    given_at: int
    missing: dict[int, None]
    enough: int
    """How many may be missing when it has reached 95 %."""


@dataclass(slots=True)
class Figures:
    """Watches the clinics and hosts of a world."""

    world: World
    fetch_ms: list[int] = field(default_factory=list)
    emergency_ms: list[int] = field(default_factory=list)
    reach_ms: list[int] = field(default_factory=list)
    endings: Counter[str] = field(default_factory=Counter)
    blamed: Counter[str] = field(default_factory=Counter)
    keys_sent: int = 0
    _under_way: dict[ConsentId, Withdrawal] = field(default_factory=dict)
    _wanted: dict[int, dict[ConsentId, None]] = field(default_factory=dict)
    """For each node by place: the withdrawals that it does not honour yet."""
    _hosts: dict[int, CoreHost] = field(default_factory=dict)

    def watch(self, host: CoreHost) -> None:
        """Look at an honest host after each of its steps while it has a withdrawal to honour."""
        self._wanted[host.place] = {}
        self._hosts[host.place] = host

    def heard(self, news: News) -> None:
        """Take in what happened at a clinic."""
        match news:
            case FetchEnded():
                self._fetched(news)
            case KeysSent():
                self.keys_sent += 1
            case WithdrawalGiven(_, consent):
                self._given(consent)
            case BlamedClinic(code=code):
                self.blamed[code] += 1
            case _:
                pass

    def _fetched(self, news: FetchEnded) -> None:
        self.endings[news.ending] += 1
        self.world.coverage[f"fetch-{news.ending}"] += 1
        if news.ending == "done":
            took = self.world.now - news.started_at
            is_emergency = news.signed.request.purpose == Purpose.BTG
            (self.emergency_ms if is_emergency else self.fetch_ms).append(took)

    def _given(self, consent: ConsentId) -> None:
        missing = {place: None for place, host in self._hosts.items() if not host.is_lost}
        enough = len(missing) - int(len(missing) * REACHED_SHARE)
        self._under_way[consent] = Withdrawal(self.world.now, dict(missing), enough)
        for place in missing:
            wanted = self._wanted[place]
            if not wanted:
                self._hosts[place].after_steps.append(self._look)
            wanted[consent] = None

    def _look(self, host: CoreHost) -> None:
        wanted = self._wanted[host.place]
        if wanted and host.is_up:
            for consent in [each for each in wanted if honours(host, each)]:
                del wanted[consent]
                self._reached(host, consent)
            if not wanted:
                host.after_steps.remove(self._look)

    def _reached(self, host: CoreHost, consent: ConsentId) -> None:
        withdrawal = self._under_way[consent]
        del withdrawal.missing[host.place]
        if len(withdrawal.missing) == withdrawal.enough:
            self.reach_ms.append(self.world.now - withdrawal.given_at)

    def summary(self) -> dict[str, float]:
        """Return the numbers of the whole run."""
        fetch, emergency = sorted(self.fetch_ms), sorted(self.emergency_ms)
        reach = sorted(self.reach_ms)
        return {
            "fetches": self.endings.total(),
            "fetches_done": self.endings["done"],
            "fetch_p50_ms": percentile(fetch, 50),
            "fetch_p99_ms": percentile(fetch, 99),
            "refused_fetches": self.endings["refused"],
            "failed_fetches": self.endings.total() - self.endings["done"] - self.endings["refused"],
            "emergencies": len(emergency),
            "emergency_p50_ms": percentile(emergency, 50),
            "emergency_p99_ms": percentile(emergency, 99),
            "withdrawals": len(self._under_way),
            "withdrawals_unreached": len(self._under_way) - len(reach),
            "withdrawal_p50_ms": percentile(reach, 50),
            "withdrawal_p95_ms": percentile(reach, 95),
            "withdrawal_p99_ms": percentile(reach, 99),
            "keys_sent": self.keys_sent,
            "clinics_blamed": self.blamed.total(),
        }


def honours(host: CoreHost, consent: ConsentId) -> bool:
    """Say whether a node would refuse to release anything under the consent."""
    core = host.core
    if core.is_withdrawn(consent):
        return True
    entry = consent_entry(core.state, consent)
    return entry is not None and entry.withdrawn_height is not None
