"""Carries IP packets between the nodes' networks, as slowly and unreliably as the links say.

Each node's network has a TUN device, whose packets come here. So the daemons' own TCP meets
latency, loss and cuts, and needs no kernel module for that. Packets of one link stay in order, as
a slow path keeps them, but for those that are late alone (`reordering`); one that is corrupted is
dropped by TCP, and sent again.

A node may move to another address. What is sent to the one that it had before arrives nowhere.
"""

import heapq
import itertools
import os
import selectors
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from types import TracebackType
from typing import NamedTuple, Self

from simulations.local.shaping import Shaping

PACKETS_MAX = 50_000
"""Packets under way at once; more are lost, as in a router that is full."""
PACKET_SIZE_MAX = 65_536
READS_AT_ONCE = 64
TAIL_MEAN_MS = 2_000.0
OVERTAKEN_MS_MAX = 60.0
"""How late a packet is that others overtake."""
END_SECONDS_MAX = 5.0
FIRST_PLACE = 1
"""The last 16 bits of the first node's address."""
FIRST_NETWORK = 83
"""The second byte of the addresses that nodes have first; each move is to the next one."""
MOVES_MAX = 100


class Switch:
    """A thread that moves packets while its context lasts. Places are indexes of `devices`."""

    def __init__(
        self,
        devices: Sequence[int],
        shaping: Shaping,
        *,
        seed: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bytes_sent = [0] * len(devices)
        self.packets_lost = 0
        self._devices = list(devices)
        self._shaping = shaping
        self._chance = Random(f"switch {seed}")
        self._clock = clock
        self._order = itertools.count()
        self._under_way: list[tuple[float, int, int, bytes]] = []
        self._free_at: dict[tuple[int, int], float] = {}
        self._last_due: dict[tuple[int, int], float] = {}
        self._moves = [0] * len(devices)
        self._is_over = threading.Event()
        self._wake, self._waker = os.pipe()
        self._thread = threading.Thread(target=self._run, name="switch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        os.write(self._waker, b"!")
        self._thread.join(END_SECONDS_MAX)
        os.close(self._wake)
        os.close(self._waker)

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ, None)
            for place, device in enumerate(self._devices):
                selector.register(device, selectors.EVENT_READ, place)
            while not self._is_over.is_set():
                for key, _ in selector.select(self._patience()):
                    if key.data is not None:
                        self._read(key.data)
                self.deliver()

    def _patience(self) -> float | None:
        if not self._under_way:
            return None
        return max(0.0, self._under_way[0][0] - self._clock())

    def _read(self, place: int) -> None:
        for _ in range(READS_AT_ONCE):
            try:
                packet = os.read(self._devices[place], PACKET_SIZE_MAX)
            except (BlockingIOError, OSError):
                return
            self.take(place, packet)

    def take(self, sender: int, packet: bytes) -> None:
        """Decide what becomes of a packet: lost, late, twice."""
        goal = goal_of(packet)
        if goal is None or not 0 <= goal.place < len(self._devices):
            return  # Such as multicast, which no node relies on.
        receiver = goal.place
        self.bytes_sent[sender] += len(packet)
        link = self._shaping.link(sender, receiver)
        is_gone = goal.moves != self._moves[receiver]
        if is_gone or link is None or self._chance.random() < link.loss:
            self.packets_lost += 1
            return
        if self._chance.random() < link.corruption:
            packet = packet[:-1] + bytes([packet[-1] ^ 0xFF])
        copies = 2 if self._chance.random() < link.duplication else 1
        late = link.latency + self._chance.uniform(0, link.jitter)
        if self._chance.random() < link.tail:
            late += self._chance.expovariate(1 / TAIL_MEAN_MS)
        pair = (sender, receiver)
        begin = self._clock()
        if link.bandwidth:
            begin = max(begin, self._free_at.get(pair, 0.0)) + 8 * len(packet) / link.bandwidth
            self._free_at[pair] = begin
        if self._chance.random() < link.reordering:
            late += self._chance.uniform(1, OVERTAKEN_MS_MAX)
            due = begin + late / 1_000
        else:
            due = self._last_due[pair] = max(begin + late / 1_000, self._last_due.get(pair, 0.0))
        for _ in range(copies):
            self._send_later(due, receiver, packet)

    def note_move(self, place: int) -> str:
        """Return the address to which the node at that place moves now."""
        self._moves[place] += 1
        assert self._moves[place] <= MOVES_MAX
        return address_of(place, self._moves[place])

    def _send_later(self, due: float, receiver: int, packet: bytes) -> None:
        if len(self._under_way) >= PACKETS_MAX:
            self.packets_lost += 1
            return
        heapq.heappush(self._under_way, (due, next(self._order), receiver, packet))

    def deliver(self) -> None:
        """Hand over what is due."""
        now = self._clock()
        while self._under_way and self._under_way[0][0] <= now:
            _, _, receiver, packet = heapq.heappop(self._under_way)
            with suppress(OSError):  # The device is full, or the node's network is gone: lost.
                os.write(self._devices[receiver], packet)


class Goal(NamedTuple):
    """Where a packet goes."""

    place: int
    moves: int
    """How often the node there has moved, in the mind of who sent the packet."""


def address_of(place: int, moves: int = 0) -> str:
    """Return the IPv4 address of the node at that place, after so many moves."""
    high, low = divmod(place + FIRST_PLACE, 256)
    return f"10.{FIRST_NETWORK + moves}.{high}.{low}"


def goal_of(packet: bytes) -> Goal | None:
    """Return to whom an IPv4 packet goes; None for anything else."""
    if len(packet) < 20 or packet[0] >> 4 != 4 or packet[16] != 10:
        return None
    place = int.from_bytes(packet[18:20], "big") - FIRST_PLACE
    return Goal(place, packet[17] - FIRST_NETWORK)
