"""What a scenario file says, as data. Durations are milliseconds, shares are 0 to 1.

In the file durations are written as "200ms", "5s", "10m", "2h", rates as "3/s" or "40/h", bandwidth
as "64kbit", shares as "5%" or 0.05. `simulations.scenario.load` reads them, by the `unit` that the
type of a field names. All has a default but the name and the question. A table that may stand
several times has a name in the singular in the file: `[[link]]`, `[[fault]]`.
"""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

Duration = Annotated[int, msgspec.Meta(ge=0, le=10**10, extra={"unit": "duration"})]
"""Milliseconds; in the file "200ms", "5s", "10m", "2h" or "1d"."""

Share = Annotated[float, msgspec.Meta(ge=0, le=1, extra={"unit": "share"})]
"""0 to 1; in the file 0.05 or "5%"."""

Rate = Annotated[float, msgspec.Meta(ge=0, le=100_000, extra={"unit": "rate"})]
"""Per second of virtual time; in the file "3/s", "10/min", "40/h" or "100/d"."""

Bandwidth = Annotated[int, msgspec.Meta(ge=0, le=10**12, extra={"unit": "bandwidth"})]
"""Bits per second; in the file "64kbit", "10Mbit" or "1MiB"; 0 is unlimited."""

Amount = Annotated[float, msgspec.Meta(extra={"unit": "amount"})]
"""A number, a duration (then in milliseconds), or a share in per cent (then 0 to 1)."""

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
"""Small letters, digits, dots and hyphens."""

Count = Annotated[int, msgspec.Meta(ge=0, le=100_000)]

Value = bool | int | float | str
"""What a field of a scenario is set to by a sweep or on the command line."""

Nodes = tuple[str, ...]
"""Names of nodes or groups; "*" is everybody, "authority-*" all authorities."""


class Mode(StrEnum):
    VIRTUAL = "virtual"
    LOCAL = "local"
    """Real daemons on this machine."""


class NetworkSpec(msgspec.Struct, frozen=True, kw_only=True):
    authorities: Annotated[int, msgspec.Meta(ge=1, le=100)] = 4
    members: Count = 4
    profile: Literal["opt-in", "treatment-default", "opt-out"] = "opt-in"
    delay_bound: Duration = 200
    crypto: Literal["fast", "real"] = "fast"
    """`fast`: a keyed hash instead of Ed25519; the report says so. `real`: Ed25519."""


class LinkSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What links between two sets of nodes do, both ways unless `is_one_way`.

    The last match counts.
    """

    between: tuple[str, str] = ("*", "*")
    is_one_way: bool = False
    latency: Duration = 20
    jitter: Duration = 10
    tail: Share = 0.0
    """Share of messages that are seconds late (exponential, mean 2 s)."""
    loss: Share = 0.0
    duplication: Share = 0.0
    corruption: Share = 0.0
    bandwidth: Bandwidth = 0
    """Bits per second; 0 is unlimited."""


class Region(msgspec.Struct, frozen=True, kw_only=True):
    name: Name
    nodes: Nodes
    latencies: dict[str, Duration] = {}
    """One-way latency to other regions (and to itself)."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What people do. Rates are events per second of the whole network."""

    start: Duration = 1_000
    patients: Count = 20
    consents: Rate = 0.2
    withdrawals: Rate = 0.05
    fetches: Rate = 0.5
    """Record fetches with consent, through the release machines."""
    records: Rate = 0.2
    emergencies: Rate = 0.02
    referrals: Rate = 0.0
    shifts: bool = False
    """Follow a working day: quiet nights, busy mornings."""
    junk: Rate = 0.0
    """Messages per second that a hostile member sends."""
    submit_at: Nodes = ("*",)


class When(msgspec.Struct, frozen=True, kw_only=True):
    """A condition: all that is given must hold."""

    height: Count | None = None
    final_events: Count | None = None
    epoch: Count | None = None


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that goes wrong at a time or on a condition, for a while."""

    kind: str
    """partition, cut, flap, clog, link, crash, restart, pause, slow-cpu, skew, clock-jump,
    disk-full, disk-error, slow-fsync, restore-backup, lose-disk, authority-change, random (a
    swarm-style draw of everything)."""
    at: Duration | None = None
    when: When | None = None
    duration: Duration = 0
    """0: until the end of the faults."""
    nodes: Nodes = ()
    is_one_way: bool = False
    amount: Amount = 0.0
    """Skew in ms, factor of slowness, share of intensity, ..., as the kind needs."""
    link: LinkSpec | None = None
    action: str = ""


class Adversary(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes that run something else than the honest code; see `simulations.adversaries`."""

    kind: str
    nodes: Nodes
    from_: Duration = msgspec.field(default=0, name="from")


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """A number of the outcome and what it must be."""

    metric: str
    at_most: float | None = None
    at_least: float | None = None


class Check(msgspec.Struct, frozen=True, kw_only=True):
    expect: Literal["holds", "broken"] = "holds"
    """`broken`: the run shows what breaks; then it is a failure if nothing does."""
    bounds: tuple[Bound, ...] = msgspec.field(default=(), name="bound")
    liveness: bool = True
    quiet: bool = True


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    name: Name
    question: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    answer: tuple[str, ...] = ("finality_p50_ms", "finality_p99_ms")
    """The metrics that answer the question; the report puts them first."""
    takes: Duration = 0
    """About how long all runs take on two processors; `placet sim list` says it."""
    mode: Mode = Mode.VIRTUAL
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**62)] = 1
    repeat: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 5
    """How many runs there are of each combination of the sweep, with the seeds from `seed` on."""
    duration: Duration = 60_000
    """How long load and faults last."""
    settle: Duration = 60_000
    """How long the faultless time after them is, in which everything must become final."""
    steps_max: Annotated[int, msgspec.Meta(ge=1)] = 50_000_000
    network: NetworkSpec = NetworkSpec()
    groups: dict[str, Nodes] = {}
    regions: tuple[Region, ...] = msgspec.field(default=(), name="region")
    links: tuple[LinkSpec, ...] = msgspec.field(default=(), name="link")
    load: Load = Load()
    faults: tuple[Fault, ...] = msgspec.field(default=(), name="fault")
    adversaries: tuple[Adversary, ...] = msgspec.field(default=(), name="adversary")
    check: Check = Check()
    sweep: dict[str, tuple[Value, ...]] = {}
    """Dotted field -> values, such as `link.0.latency`; all combinations are run."""
