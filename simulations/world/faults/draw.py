"""What a seed makes of the fault `random`: some kinds of fault, each some times, swarm-style.

A run that has all faults at once hides as much as one that has none: half of the kinds are left
out, others come often (Groce et al., *Swarm Testing*, ISSTA 2012). What is drawn is plain data, so
a failing run can be repeated with fewer of the same faults.

No more authorities lose their votes for good than may fail; adversaries are counted with them.
And fewer clocks of authorities are wrong than make a quorum, adversaries included: a quorum whose
clocks are a day ahead takes the chain into tomorrow, and it waits there until tomorrow.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from protocol.genesis import faulty_max, quorum
from protocol.handoff import AUTHORITIES_MIN
from simulations.scenario.model import Fault, LinkSpec, Scenario

SHARE = 0.4
"""With which probability a kind of fault is among those of a run."""
OFTEN = 1.5
"""How often each kind of those comes on average, besides once."""
COUNT_MAX = 12
LOSABLE_KINDS = (
    "Vote",
    "Proposal",
    "Certificate",
    "Payload",
    "Bundle",
    "Status",
    "FinalizedBlocks",
)
DAY = 86_400_000
LEAVING_MAX = 2
"""How many authorities are voted out of office in a run at the most."""
CANDIDATES_MAX = 2


@dataclass(slots=True)
class Draw:
    """What one run's faults are drawn from."""

    chance: Random
    start: int
    end: int
    authorities: list[str]
    members: list[str]
    newcomers: list[str]
    leaving: int = 0
    leaving_max: int = LEAVING_MAX
    """How many authorities may be voted out of office, so that those who lie stay few enough."""
    changes_authorities: bool = False
    """Whether who votes changes; then `candidates` may come to vote."""
    candidates: list[str] = field(default_factory=list)
    expendable: list[str] = field(default_factory=list)
    """Authorities that may lose their vote for good."""
    unsteady: list[str] = field(default_factory=list)
    """Authorities whose clocks may be wrong."""

    @property
    def everybody(self) -> list[str]:
        return [*self.authorities, *self.members]

    def moment(self) -> int:
        return self.chance.randrange(self.start, max(self.start + 1, self.end))

    def while_(self, *choices: int) -> int:
        """Return how long a fault lasts: some of the choices, or until the end of the faults."""
        return self.chance.choice((*choices, 0))

    def one(self) -> tuple[str, ...]:
        return (self.chance.choice(self.everybody),)

    def some(self, names: list[str] | None = None) -> tuple[str, ...]:
        names = self.everybody if names is None else names
        count = self.chance.randint(1, max(1, len(names) - 1))
        return tuple(self.chance.sample(names, count))

    def few_authorities(self) -> tuple[str, ...]:
        """Return some of those whose clocks may be wrong: as many as may fail, or one more."""
        count = faulty_max(len(self.authorities)) + self.chance.randint(0, 1)
        return tuple(self.chance.sample(self.unsteady, min(count, len(self.unsteady))))


def draw_faults(scenario: Scenario, seed: int, fault: Fault) -> tuple[Fault, ...]:
    """Return the faults that `fault` stands for; `amount` is their intensity (by default 1)."""
    draw = _draw_of(scenario, Random(f"faults {seed}"), fault)
    drawn: list[Fault] = []
    for kind in KINDS:
        if draw.chance.random() >= SHARE:
            continue
        count = 1 + int(draw.chance.expovariate(1 / (OFTEN * (fault.amount or 1.0))))
        for _ in range(min(count, COUNT_MAX)):
            made = kind(draw)
            if made is not None:
                drawn.append(made)
    return tuple(drawn)


def _draw_of(scenario: Scenario, chance: Random, fault: Fault) -> Draw:
    network = scenario.network
    authorities = [f"authority-{number}" for number in range(network.authorities)]
    hostile = [name for adversary in scenario.adversaries for name in adversary.nodes]
    honest = [name for name in authorities if name not in hostile]
    changes = chance.random() < SHARE
    # Who leaves may be good, and those who are lost stay: then fewer may be lost.
    least = max(AUTHORITIES_MIN, len(authorities) - LEAVING_MAX) if changes else len(authorities)
    least = min(least, len(authorities))
    spare = max(0, faulty_max(least) - (len(authorities) - len(honest)))
    members = [f"member-{number}" for number in range(network.members)]
    newcomers = [name for name in fault.nodes if name.startswith("newcomer-")]
    return Draw(
        chance=chance,
        start=fault.at or 0,
        end=(fault.at or 0) + fault.duration if fault.duration else scenario.duration,
        authorities=authorities,
        members=members,
        changes_authorities=changes,
        leaving_max=_leaving_max(len(authorities), len(authorities) - len(honest)),
        candidates=members[:CANDIDATES_MAX] if changes else [],
        newcomers=newcomers,
        expendable=chance.sample(honest, min(spare, len(honest))),
        unsteady=chance.sample(honest, _unsteady_max(len(authorities), len(honest))),
    )


def _leaving_max(authorities: int, hostile: int) -> int:
    """Return how many authorities may leave until more of the others are hostile than may be."""
    counts = range(LEAVING_MAX + 1)
    left = [max(min(AUTHORITIES_MIN, authorities), authorities - count) for count in counts]
    return max((count for count in counts if hostile <= faulty_max(left[count])), default=0)


def _unsteady_max(authorities: int, honest: int) -> int:
    """Return how many honest authorities, with all adversaries, are still no quorum."""
    hostile = authorities - honest
    return max(0, min(faulty_max(authorities) + 1, quorum(authorities) - 1 - hostile))


def _links(draw: Draw) -> Fault:
    chance = draw.chance
    spec = LinkSpec(
        latency=chance.choice((2, 20, 50, 150, 300)),
        jitter=chance.choice((0, 20, 100, 300)),
        tail=chance.choice((0.0, 0.0, 0.03, 0.1)),
        loss=chance.choice((0.0, 0.02, 0.1, 0.3)),
        duplication=chance.choice((0.0, 0.0, 0.1, 0.5)),
        corruption=chance.choice((0.0, 0.0, 0.0, 0.01)),
        bandwidth=chance.choice((0, 0, 0, 64_000, 512_000)),
        is_one_way=chance.random() < 0.3,
        between=chance.choice((("*", "*"), ("authority-*", "authority-*"), ("*", draw.one()[0]))),
    )
    return Fault(kind="link", at=draw.moment() // 2, link=spec)


def _partition(draw: Draw) -> Fault:
    return Fault(
        kind="partition",
        at=draw.moment(),
        duration=draw.while_(500, 3_000, 10_000),
        nodes=draw.some(),
        is_one_way=draw.chance.random() < 0.3,
        action=draw.chance.choice(("", "", "three-way", "bridge")),
    )


def _isolate(draw: Draw) -> Fault:
    return Fault(
        kind="partition",
        at=draw.moment(),
        duration=draw.while_(1_000, 10_000),
        nodes=draw.one(),
        is_one_way=draw.chance.random() < 0.5,
    )


def _cut(draw: Draw) -> Fault | None:
    if len(draw.authorities) < 2:
        return None
    pair = tuple(draw.chance.sample(draw.authorities, 2))
    return Fault(
        kind="cut",
        at=draw.moment(),
        duration=draw.while_(2_000, 10_000),
        nodes=pair,
        is_one_way=draw.chance.random() < 0.5,
    )


def _eclipse(draw: Draw) -> Fault | None:
    if len(draw.everybody) < 3:
        return None
    names = tuple(draw.chance.sample(draw.everybody, 2))
    return Fault(kind="eclipse", at=draw.moment(), duration=draw.while_(5_000), nodes=names)


def _flap(draw: Draw) -> Fault:
    return Fault(
        kind="flap",
        at=draw.moment(),
        duration=draw.while_(3_000, 10_000),
        nodes=draw.some(),
        amount=draw.chance.choice((100, 1_000, 10_000)),
    )


def _clog(draw: Draw) -> Fault:
    return Fault(kind="clog", at=draw.moment(), duration=5_000, nodes=draw.some())


def _lose_kind(draw: Draw) -> Fault:
    return Fault(
        kind="lose-kind",
        at=draw.moment(),
        duration=draw.while_(3_000, 10_000),
        action=draw.chance.choice(LOSABLE_KINDS),
        amount=draw.chance.choice((0.5, 1.0)),
    )


def _reset(draw: Draw) -> Fault:
    amount = draw.chance.choice((0.3, 1.0))
    return Fault(kind="reset", at=draw.moment(), duration=draw.while_(5_000), amount=amount)


def _unreachable(draw: Draw) -> Fault | None:
    if len(draw.authorities) < 4:
        return None
    return Fault(kind="unreachable", at=0, nodes=tuple(draw.chance.sample(draw.authorities, 2)))


def _restart(draw: Draw) -> Fault:
    down = draw.chance.choice((50, 500, 3_000, 15_000))
    return Fault(kind="restart", at=draw.moment(), nodes=draw.one(), amount=down)


def _crash_before_effect(draw: Draw) -> Fault:
    action = "before-effect"
    return Fault(
        kind="crash",
        at=draw.moment(),
        nodes=draw.one(),
        action=action,
        amount=draw.chance.randint(1, 60),
    )


def _power_cut(draw: Draw) -> Fault:
    down = draw.chance.randint(100, 5_000)
    return Fault(kind="restart", at=draw.moment(), nodes=("*",), amount=down)


def _rolling_restart(draw: Draw) -> Fault:
    return Fault(kind="rolling-restart", at=draw.moment(), nodes=("*",), amount=500)


def _pause(draw: Draw) -> Fault:
    lasts = draw.while_(1_000, 10_000, 300_000)
    return Fault(kind="pause", at=draw.moment(), duration=lasts, nodes=draw.one())


def _slow_cpu(draw: Draw) -> Fault:
    amount = draw.chance.choice((4.0, 30.0, 100.0))
    return Fault(kind="slow-cpu", at=draw.moment(), nodes=draw.one(), amount=amount)


def _disk(draw: Draw) -> Fault:
    return Fault(
        kind=draw.chance.choice(("disk-full", "disk-error", "slow-fsync", "stall")),
        at=draw.moment(),
        duration=draw.while_(3_000),
        nodes=draw.one(),
        amount=draw.chance.choice((50, 1_000, 10_000)),
    )


def _backup(draw: Draw) -> Fault | None:
    """Members may be put back to any time, authorities if their votes are expendable."""
    members = [name for name in draw.members if name not in draw.candidates]
    names = [*members, *draw.expendable]
    if not names:
        return None
    kind = draw.chance.choice(("restore-backup", "restore-backup", "lose-disk"))
    return Fault(
        kind=kind,
        at=draw.moment(),
        duration=draw.chance.choice((3_000, 10_000)),
        nodes=(draw.chance.choice(names),),
        action=draw.chance.choice(("", "votes")) if kind == "restore-backup" else "",
    )


def _bit_flip(draw: Draw) -> Fault | None:
    if not draw.expendable:
        return None
    return Fault(kind="bit-flip", at=draw.moment(), nodes=(draw.chance.choice(draw.expendable),))


def _clock(draw: Draw) -> Fault | None:
    nodes = draw.few_authorities() or tuple(draw.members[:1])
    if not nodes:
        return None
    kind = draw.chance.choice(("skew", "clock-jump", "clock-stop", "clock-drift"))
    by = draw.chance.choice((-DAY, -60_000, -10_000, 10_000, 60_000, DAY))
    return Fault(
        kind=kind,
        at=draw.moment(),
        duration=draw.while_(10_000),
        nodes=nodes,
        amount=draw.chance.choice((-10, 10)) if kind == "clock-drift" else by,
    )


def _member(draw: Draw) -> Fault | None:
    """Admit a newcomer, or remove the last member; each but once."""
    if draw.newcomers and draw.chance.random() < 0.5:
        name = draw.newcomers.pop()
        return Fault(kind="member-change", at=draw.moment(), nodes=(name,), action="admit")
    if len(draw.members) > 1 and draw.members[-1] not in draw.candidates:
        name = draw.members.pop()
        return Fault(kind="member-change", at=draw.moment(), nodes=(name,), action="remove")
    return None


def _authority(draw: Draw) -> Fault | None:
    """Let a member come to vote, an authority leave, or one get another key."""
    if not draw.changes_authorities:
        return None
    action = draw.chance.choice(("add", "remove", "rotate", "rotate"))
    names = draw.candidates if action == "add" else draw.authorities
    if action == "remove":
        draw.leaving += 1
    if not names or (action == "remove" and draw.leaving > draw.leaving_max):
        return None
    name = draw.chance.choice(names)
    if action == "rotate" and name in draw.expendable:
        return None
    return Fault(kind="authority-change", at=draw.moment() * 2 // 3, nodes=(name,), action=action)


def _store_stall(draw: Draw) -> Fault:
    action = draw.chance.choice(("", "", "lock"))
    return Fault(
        kind="store-stall",
        at=draw.moment() // 2,
        nodes=draw.some(),
        amount=draw.chance.choice((200, 3_000, 15_000)),
        action=action,
    )


def _misread(draw: Draw) -> Fault:
    return Fault(
        kind="misread",
        at=draw.moment() // 2,
        duration=draw.while_(3_000, 10_000),
        nodes=draw.some(),
        amount=draw.chance.choice((0.5, 1.0)),
        action=draw.chance.choice(("", "", "sum")),
    )


KINDS: tuple[Callable[[Draw], Fault | None], ...] = (
    _links,
    _partition,
    _isolate,
    _cut,
    _eclipse,
    _flap,
    _clog,
    _lose_kind,
    _reset,
    _unreachable,
    _restart,
    _crash_before_effect,
    _power_cut,
    _rolling_restart,
    _pause,
    _slow_cpu,
    _disk,
    _backup,
    _bit_flip,
    _clock,
    _member,
    _authority,
    _authority,
    _authority,
    _store_stall,
    _misread,
)
