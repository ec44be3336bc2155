"""What a scenario file says, as data. Durations are milliseconds, shares are 0 to 1.

In the file durations are written as "200ms", "5s", "10m", "2h", rates as "3/s" or "40/h", bandwidth
as "64kbit", shares as "5%" or 0.05. `simulations.scenario.load` reads them, by the `unit` that the
type of a field names. All has a default but the name and the question. A table that may stand
several times has a name in the singular in the file: `[[link]]`, `[[fault]]`.
"""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from protocol.neighbourhood import NEIGHBOURS_MAX

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
    """Members that vote on blocks: `authority-0`, `authority-1`, ..."""
    members: Count = 4
    """Members that do not: `member-0`, `member-1`, ..."""
    neighbours: Annotated[int, msgspec.Meta(ge=2, le=100)] = NEIGHBOURS_MAX
    """With how many others a member keeps links; authorities do with all other authorities."""
    profile: Literal["opt-in", "treatment-default", "opt-out"] = "opt-in"
    """What holds where no directive of a patient matches."""
    delay_bound: Duration = 200
    """What the genesis says a message takes at most; timers rest on it."""
    crypto: Literal["fast", "real"] = "fast"
    """`fast` is a keyed hash instead of Ed25519; the report says so."""


class LinkSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What links between two sets of nodes do, both ways unless `is_one_way`.

    The last match counts.
    """

    between: tuple[str, str] = ("*", "*")
    """Two nodes, groups, regions or patterns."""
    is_one_way: bool = False
    """Only from the first to the second."""
    latency: Duration = 20
    """One way, at the least."""
    jitter: Duration = 10
    """What comes on top of it at the most."""
    tail: Share = 0.0
    """Share of messages that are seconds late (exponential, mean 2 s)."""
    loss: Share = 0.0
    """Share of messages that never arrive."""
    duplication: Share = 0.0
    """Share of messages that arrive twice."""
    corruption: Share = 0.0
    """Share of messages of which a byte is changed."""
    bandwidth: Bandwidth = 0
    """Bits per second; 0 is unlimited."""
    reordering: Share = 0.0
    """Share of packets that those behind them overtake; only with real daemons."""


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """Places with their own latencies. What is said in `[[link]]` counts more."""

    name: Name
    """It can be named like a group."""
    nodes: Nodes
    """Nodes, groups, patterns."""
    latencies: dict[str, Duration] = {}
    """One-way latency to other regions, and to itself."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What people do. Rates are those of the whole network, in the mean."""

    start: Duration = 1_000
    """When they begin."""
    patients: Count = 20
    """How many patients there are, at all clinics together."""
    consents: Rate = 0.2
    """Patients who permit, or forbid, a clinic to read."""
    withdrawals: Rate = 0.05
    """Patients who take a permit back, often while a record is fetched."""
    fetches: Rate = 0.5
    """Records that are fetched with consent, through the release machines."""
    records: Rate = 0.2
    """Records that are written."""
    emergencies: Rate = 0.02
    """Records that are fetched without consent."""
    referrals: Rate = 0.0
    """Patients who are sent to another clinic, which then fetches."""
    shifts: bool = False
    """Follow a working day: quiet nights, busy mornings."""
    junk: Rate = 0.0
    """Messages per second that a hostile member sends."""
    submit_at: Nodes = ("*",)
    """Whose people do all this."""


class When(msgspec.Struct, frozen=True, kw_only=True):
    """A condition: all that is given must hold, at any one node."""

    height: Count | None = None
    """So many blocks are final."""
    final_events: Count | None = None
    """So many events are."""
    epoch: Count | None = None
    """This epoch has begun."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that goes wrong at a time or on a condition, for a while."""

    kind: str
    """See the table of faults below."""
    at: Duration | None = None
    """When it begins."""
    when: When | None = None
    """On what it begins, in place of `at`."""
    duration: Duration = 0
    """How long it lasts; 0 is until the end of the load."""
    nodes: Nodes = ()
    """Whom it hits."""
    is_one_way: bool = False
    amount: Amount = 0.0
    """Skew in ms, factor of slowness, share of intensity: as the kind needs; 0 is its default."""
    link: LinkSpec | None = None
    """What links are like meanwhile, for the kind `link`."""
    action: str = ""
    """A variant of the kind."""


class Adversary(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes that run something else than the honest code; see `simulations.adversaries`."""

    kind: str
    """See the table of adversaries below."""
    nodes: Nodes
    """Who does not follow the protocol."""
    from_: Duration = msgspec.field(default=0, name="from")
    """When they begin; honest before."""


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """A number of the outcome and what it must be."""

    metric: str
    """Its name; `placet sim check` lists what a run measures."""
    at_most: float | None = None
    at_least: float | None = None


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold. The checkers of safety always run."""

    expect: Literal["holds", "broken"] = "holds"
    """`broken`: a run shows what breaks; then it is a failure if nothing does."""
    bounds: tuple[Bound, ...] = msgspec.field(default=(), name="bound")
    liveness: bool = True
    """Whether everything must become final in the time after the faults."""
    quiet: bool = True
    """Whether the network must then be at rest."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    name: Name
    """Of the scenario, and of its folders of results."""
    question: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    """What the runs are to answer."""
    answer: tuple[str, ...] = ("finality_p50_ms", "finality_p99_ms")
    """The metrics that answer the question; the report puts them first."""
    takes: Duration = 0
    """About how long all runs take on two processors; `placet sim list` says it."""
    mode: Mode = Mode.VIRTUAL
    """`local` starts real daemons on this machine."""
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**62)] = 1
    """Of the first run."""
    repeat: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 5
    """How many runs there are of each combination of the sweep, with the seeds from `seed` on."""
    duration: Duration = 60_000
    """How long load and faults last."""
    settle: Duration = 60_000
    """How long the faultless time after them is, in which everything must become final."""
    steps_max: Annotated[int, msgspec.Meta(ge=1)] = 50_000_000
    """A run that takes more steps than this is undecided."""
    network: NetworkSpec = NetworkSpec()
    groups: dict[str, Nodes] = {}
    """Name -> nodes, groups, patterns such as `member-*`, ranges such as `member-0..9`."""
    regions: tuple[Region, ...] = msgspec.field(default=(), name="region")
    links: tuple[LinkSpec, ...] = msgspec.field(default=(), name="link")
    load: Load = Load()
    faults: tuple[Fault, ...] = msgspec.field(default=(), name="fault")
    adversaries: tuple[Adversary, ...] = msgspec.field(default=(), name="adversary")
    check: Check = Check()
    sweep: dict[str, tuple[Value, ...]] = {}
    """Dotted field -> values, such as `link.0.latency`; all combinations are run."""
