"""The goals P1 to P9: what is wanted, what others reach, and what this machine could do at best.

The figures of others are of one machine of this kind (two cores, everything on it), four nodes,
100 small signed transactions a second; they are for comparison, and were not measured in this run.

A limit says what the goal costs if our own code took no time at all, from what the machine showed
in the same run (`tests.benchmarks.machine`). It is a floor, not a promise: nobody reaches it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Machine = Mapping[str, Any]
Limit = Callable[[Machine], float]

AUTHORITIES = 4
SYNCS_PER_EVENT = 3
"""One after another until an event is final: proposal, notarization, finalization."""
SYNCS_PER_FETCH = 5
"""Three for the disclosure, and two for what custodian and requester must remember."""
STEADY_RATE = 100
AMONG_AUTHORITIES = (
    ("virtual p50 ms", "steady.finality_p50_ms"),
    ("KiB per node, event", "steady.kib_per_node_and_event"),
    ("CPU us per node, event, full blocks", "full.cpu_us_per_node_and_event"),
    ("cold sync, CPU us per event", "sync.cpu_us_per_event"),
)
"""What grows with them, and where it stands."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Goal:
    """One row of the table. A figure without a bound is only told."""

    name: str
    what: str
    path: str
    """Where the figure stands in `results/bench.json`."""
    bound: Literal["<=", ">=", ""] = ""
    value: float = 0
    peers: str = ""
    limit: Limit | None = None

    @property
    def wanted(self) -> str:
        return f"{self.bound} {self.value:,g}" if self.bound else ""

    def is_met(self, figure: float) -> bool | None:
        match self.bound:
            case "<=":
                return figure <= self.value
            case ">=":
                return figure >= self.value
        return None


def all_verify(machine: Machine) -> float:
    """Events a second, if each authority checks each signature and does nothing else."""
    return float(machine["processors"] * machine["verifications_per_second"] / AUTHORITIES)


def one_verifies(machine: Machine) -> float:
    """Events a second, if one node checks one signature for each on all processors."""
    return float(machine["processors"] * machine["verifications_per_second"])


def steady_verification(machine: Machine) -> float:
    """Processors that checking signatures takes at the steady rate."""
    return float(STEADY_RATE * AUTHORITIES / machine["verifications_per_cpu_second"])


def synced(count: int) -> Limit:
    return lambda machine: float(count * machine["fdatasync_ms"])


def fetched_small(machine: Machine) -> float:
    """Milliseconds: the interpreter starts, and what must be on the disk gets there."""
    return float(machine["python_start_ms"] + SYNCS_PER_FETCH * machine["fdatasync_ms"])


def transferred(machine: Machine) -> float:
    """MiB/s, if all processors do nothing but the sockets, the ciphers and the hashes."""
    seconds = (
        1 / machine["loopback_mib_per_second"]
        + 1 / machine["noise_mib_per_second"]
        + 1 / machine["container_mib_per_second"]
        + 2 / machine["sha256_mib_per_second"]
    )
    return float(machine["processors"] / seconds)


def started(machine: Machine) -> float:
    return float(machine["python_start_ms"])


GOALS = (
    Goal(
        name="P1", what="final at 100/s, p50 ms", path="network.steady.p50_ms",
        bound="<=", value=40, limit=synced(SYNCS_PER_EVENT),
        peers="SmartBFT 140, CometBFT 577, Clique 3,485",
    ),
    Goal(
        name="P1", what="final at 100/s, p99 ms", path="network.steady.p99_ms",
        bound="<=", value=150, limit=synced(SYNCS_PER_EVENT),
        peers="SmartBFT 247, CometBFT 841, Clique 4,003",
    ),
    Goal(
        name="P2", what="highest rate, events/s", path="network.highest.events_per_second",
        bound=">=", value=4_000, limit=all_verify,
        peers="CometBFT 1,700-2,085, Clique 440, SmartBFT 257-304",
    ),
    Goal(
        name="P3", what="processors of four nodes at 100/s", path="network.steady.cpu_cores",
        bound="<=", value=0.5, limit=steady_verification,
        peers="CometBFT 0.26, Clique 0.53, SmartBFT 1.41",
    ),
    Goal(
        name="P3", what="idle, % of a processor per node",
        path="network.idle.cpu_percent_per_node", bound="<=", value=0.2,
    ),
    Goal(
        name="P3", what="idle, bytes written", path="network.idle.bytes_written",
        bound="<=", value=0,
    ),
    Goal(
        name="P4", what="cold sync, events/s", path="sync.events_per_second",
        bound=">=", value=20_000, limit=one_verifies,
        peers="CometBFT 11,300, Clique 4,200, SmartBFT 330",
    ),
    Goal(
        name="P5", what="1 GiB disk to disk, MiB/s", path="fetch.large_record.mib_per_second",
        bound=">=", value=400, limit=transferred,
        peers="Syncthing 280, scp 163-242, py-libp2p 70-158",
    ),
    Goal(
        name="P5", what="memory's growth meanwhile, MiB",
        path="fetch.large_record.resident_growth_mib", bound="<=", value=64,
    ),
    Goal(
        name="P6", what="small record, p50 ms", path="fetch.small_record_ms.p50",
        bound="<=", value=120, limit=fetched_small,
    ),
    Goal(
        name="P7", what="1,000 nodes, deliveries/s of CPU",
        path="simulation.nodes_1000.deliveries_per_cpu_second", bound=">=", value=100_000,
        peers="SimBlock 400,000, BlockSim 34,000: no real protocol",
    ),
    Goal(
        name="P7", what="short fault seeds an hour",
        path="simulation.faults.seeds_per_hour_on_two_cores", bound=">=", value=10_000,
    ),
    Goal(
        name="P8", what="memory after a million events, MiB",
        path="growth.events_1000000.resident_mib", bound="<=", value=160,
        peers="CometBFT 66-96, SmartBFT 143, Clique 225-260",
    ),
    Goal(
        name="P8", what="start to ready, s", path="startup.start_to_ready_s",
        bound="<=", value=4,
    ),
    Goal(
        name="P8", what="placet status, ms", path="startup.status_ms",
        bound="<=", value=100, limit=started,
    ),
    *(
        Goal(
            name="P9", what=f"{count} authorities: {what}",
            path=f"growth.authorities_{count}.{path}",
        )
        for what, path in AMONG_AUTHORITIES
        for count in (4, 7, 13)
    ),
    *(
        Goal(
            name="P9", what=f"{count:,} events: p50 ms at 100/s",
            path=f"growth.events_{count}.p50_ms",
        )
        for count in (10_000, 100_000, 1_000_000)
    ),
)  # fmt: skip


def figure_at(figures: Mapping[str, Any], path: str) -> float | None:
    """Return one figure, if the benchmark that gives it was run."""
    found: Any = figures
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    if isinstance(found, list):
        return max(float(each) for each in found)
    return None if found is None else float(found)


def rows(figures: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the table's rows: goal, what, figure, goal, whether it is met, limit, ratio, peers."""
    for goal in GOALS:
        figure = figure_at(figures, goal.path)
        if figure is None:
            continue
        limit = None if goal.limit is None else goal.limit(figures["machine"])
        yield (
            goal.name,
            goal.what,
            short(figure),
            goal.wanted,
            {True: "yes", False: "no", None: ""}[goal.is_met(figure)],
            "" if limit is None else short(limit),
            "" if limit is None else f"{short(figure / limit)}",
            goal.peers,
        )


def short(figure: float) -> str:
    """Return a figure with as many digits as mean something."""
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:,.1f}" if figure >= 10 else f"{figure:.3g}"
