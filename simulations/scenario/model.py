"""What a scenario file says, as data. Durations are milliseconds, shares are 0 to 1.

In the file durations are written as "200ms", "5s", "10m", "2h", rates as "3/s" or "40/h", sizes
as "64kbit" or "1MiB". `simulations.scenario.load` reads them. All has a default but the name and
the question.
"""

from enum import StrEnum

import msgspec

Nodes = tuple[str, ...]
"""Names of nodes or groups; "*" is everybody, "authority-*" all authorities."""


class Mode(StrEnum):
    VIRTUAL = "virtual"
    LOCAL = "local"
    """Real daemons on this machine."""


class NetworkSpec(msgspec.Struct, frozen=True, kw_only=True):
    authorities: int = 4
    members: int = 4
    profile: str = "opt-in"
    delay_bound: int = 200
    crypto: str = "fast"
    """`fast`: a keyed hash instead of Ed25519; the report says so. `real`: Ed25519."""


class LinkSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What links between two sets of nodes do, both ways unless `is_one_way`.

    The last match counts.
    """

    between: tuple[str, str] = ("*", "*")
    is_one_way: bool = False
    latency: int = 20
    jitter: int = 10
    tail: float = 0.0
    """Share of messages that are seconds late (exponential, mean 2 s)."""
    loss: float = 0.0
    duplication: float = 0.0
    corruption: float = 0.0
    bandwidth: int = 0
    """Bits per second; 0 is unlimited."""


class Region(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    nodes: Nodes
    latencies: dict[str, int] = {}
    """One-way latency to other regions (and to itself)."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What people do. Rates are events per second of the whole network."""

    start: int = 1_000
    patients: int = 20
    consents: float = 0.2
    withdrawals: float = 0.05
    fetches: float = 0.5
    """Record fetches with consent, through the release machines."""
    records: float = 0.2
    emergencies: float = 0.02
    referrals: float = 0.0
    shifts: bool = False
    """Follow a working day: quiet nights, busy mornings."""
    junk: float = 0.0
    """Messages per second that a hostile member sends."""
    submit_at: Nodes = ("*",)


class When(msgspec.Struct, frozen=True, kw_only=True):
    """A condition: all that is given must hold."""

    height: int | None = None
    final_events: int | None = None
    epoch: int | None = None


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that goes wrong at a time or on a condition, for a while."""

    kind: str
    """partition, cut, flap, clog, link, crash, restart, pause, slow-cpu, skew, clock-jump,
    disk-full, disk-error, slow-fsync, restore-backup, lose-disk, authority-change, random (a
    swarm-style draw of everything)."""
    at: int | None = None
    when: When | None = None
    duration: int = 0
    """0: until the end of the faults."""
    nodes: Nodes = ()
    is_one_way: bool = False
    amount: float = 0.0
    """Skew in ms, factor of slowness, share of intensity, ..., as the kind needs."""
    link: LinkSpec | None = None
    action: str = ""


class Adversary(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes that run something else than the honest code; see `simulations.adversaries`."""

    kind: str
    nodes: Nodes
    from_: int = msgspec.field(default=0, name="from")


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """A number of the outcome and what it must be."""

    metric: str
    at_most: float | None = None
    at_least: float | None = None


class Check(msgspec.Struct, frozen=True, kw_only=True):
    expect: str = "holds"
    """`broken`: the run shows what breaks; then it is a failure if nothing does."""
    bounds: tuple[Bound, ...] = ()
    liveness: bool = True
    quiet: bool = True


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    question: str
    answer: tuple[str, ...] = ("finality_p50_ms", "finality_p99_ms")
    """The metrics that answer the question; the report puts them first."""
    mode: Mode = Mode.VIRTUAL
    seed: int = 1
    repeat: int = 5
    duration: int = 60_000
    """How long load and faults last."""
    settle: int = 60_000
    """How long the faultless time after them is, in which everything must become final."""
    steps_max: int = 50_000_000
    network: NetworkSpec = NetworkSpec()
    groups: dict[str, Nodes] = {}
    regions: tuple[Region, ...] = ()
    links: tuple[LinkSpec, ...] = ()
    load: Load = Load()
    faults: tuple[Fault, ...] = ()
    adversaries: tuple[Adversary, ...] = ()
    check: Check = Check()
    sweep: dict[str, tuple[float | int | str, ...]] = {}
    """Dotted field -> values; all combinations are run."""
