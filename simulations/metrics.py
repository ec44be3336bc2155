"""Numbers and series of a run: when events became final, and what it took to get there."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from protocol.effects import RefuseEvents, StoreBlocks
from protocol.events import EventId, SignedEvent, event_id
from simulations.outcome import Series
from simulations.world.core_host import CoreHost
from simulations.world.world import World

SERIES_ROWS_MAX = 20_000
"""Rows of one series; what comes later only counts in the metrics."""


@dataclass(slots=True)
class Metrics:
    """Watches all hosts of a world. Latencies are in virtual milliseconds."""

    world: World
    submitted_at: dict[EventId, int] = field(default_factory=dict)
    latencies: dict[EventId, int] = field(default_factory=dict)
    """From submission until the event is final at the node where it was submitted."""
    refusals: Counter[str] = field(default_factory=Counter)
    heights: list[tuple[float | int | str, ...]] = field(default_factory=list)
    propagation: list[tuple[float | int | str, ...]] = field(default_factory=list)
    _final_at: list[int] = field(default_factory=lambda: [0])
    """When each height was first final anywhere."""

    def __post_init__(self) -> None:
        for host in self.world.hosts:
            for kind in (StoreBlocks, RefuseEvents):
                host.watchers_of.setdefault(kind, []).append(self._saw)
            host.on_submit.append(self._submitted)

    def _submitted(self, host: CoreHost, signed: SignedEvent) -> None:
        identifier = event_id(signed.event, self.world.cast.id)
        self.submitted_at.setdefault(identifier, self.world.now)
        self.world.tell("submit", host, text=_kind(signed))

    def _saw(self, host: CoreHost, effect: Any) -> None:
        match effect:
            case StoreBlocks(finalization):
                self._note_height(host, finalization.blocks[-1].header.height)
                for identifier in finalization.event_heights:
                    if identifier in host.submitted and identifier not in self.latencies:
                        self.latencies[identifier] = self.world.now - self.submitted_at[identifier]
            case RefuseEvents(refusals):
                for identifier, error in refusals:
                    if identifier in host.submitted and identifier not in host.refused:
                        self.refusals[error.code] += 1
                        self.world.tell("refuse", host, text=error.code)

    def _note_height(self, host: CoreHost, height: int) -> None:
        now = self.world.now
        self.world.tell("final", host, text=str(height))
        self._final_at += [now] * (height + 1 - len(self._final_at))
        if len(self.heights) < SERIES_ROWS_MAX:
            self.heights.append((now, host.label, height))
            self.propagation.append((host.label, now - self._final_at[height]))

    def summary(self) -> dict[str, float]:
        """Return the numbers of the whole run."""
        network = self.world.network
        ordered = sorted(self.latencies.values())
        events, sent = len(ordered), network.sent.total()
        nodes = len(self.world.hosts)
        blocks = self.world.witness.disk.blocks
        return {
            "events_submitted": len(self.submitted_at),
            "events_final": events,
            "events_refused": self.refusals.total(),
            "finality_p50_ms": percentile(ordered, 50),
            "finality_p95_ms": percentile(ordered, 95),
            "finality_p99_ms": percentile(ordered, 99),
            "finality_max_ms": ordered[-1] if ordered else 0,
            "propagation_p99_ms": percentile(sorted(int(row[1]) for row in self.propagation), 99),
            "blocks": len(blocks) - 1,
            "blocks_empty": sum(not block.events for block in blocks[1:]),
            "views": blocks[-1].header.view,
            "messages": sent,
            "messages_per_event": sent / events if events else 0.0,
            "messages_per_node": sent / nodes,
            "bytes": network.bytes_sent,
            "bytes_per_event": network.bytes_sent / events if events else 0.0,
            "bytes_per_node": network.bytes_sent / nodes,
            "bytes_per_node_max": max(network.bytes_of.values(), default=0),
        }

    def series(self) -> dict[str, Series]:
        """Return what plots are made of."""
        network = self.world.network
        finality: list[tuple[float | int | str, ...]] = [
            (self.submitted_at[identifier], latency)
            for identifier, latency in self.latencies.items()
        ]
        traffic: list[tuple[float | int | str, ...]] = [
            (host.label, network.bytes_of[host.place], network.messages_of[host.place])
            for host in self.world.hosts
        ]
        return {
            "finality": Series(("submitted_ms", "latency_ms"), finality[:SERIES_ROWS_MAX]),
            "height": Series(("at_ms", "node", "height"), self.heights),
            "propagation": Series(("node", "delay_ms"), self.propagation),
            "traffic": Series(("node", "bytes", "messages"), traffic),
        }


def percentile(ordered: list[int], part: int) -> float:
    """Return how much that part (of a hundred) of all numbers does not exceed."""
    if not ordered:
        return 0.0
    return float(ordered[min(len(ordered) - 1, len(ordered) * part // 100)])


def _kind(signed: SignedEvent) -> str:
    return str(type(signed.event.body).__struct_config__.tag)
