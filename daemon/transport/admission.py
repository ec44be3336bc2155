"""How much of us those may use whom we do not know yet.

Before its handshake a peer is only a network address: it has `HANDSHAKE_SECONDS_MAX` and one of
`handshakes_max` places. When the places are taken, the oldest of the busiest address goes, because
an honest handshake takes milliseconds: a thousand silent connections keep nobody out.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network

import trio

from daemon.transport.guards import TokenBucket
from protocol.errors import LimitExceeded

HANDSHAKE_SECONDS_MAX = 10
"""From the TCP connection to its first stream."""

STRANGERS_BURST_PER_HOST = 64
STRANGERS_PER_SECOND_PER_HOST = 1.0
"""How often strangers may connect from one address; a clinic's nodes may all join at once."""

HOSTS_REMEMBERED_MAX = 4096


class Handshakes:
    """The connections that are not authenticated yet."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._pending: dict[trio.CancelScope, str] = {}

    @contextmanager
    def place(self, host: str) -> Iterator[None]:
        """Run a handshake; raise `LimitExceeded` if it took too long, or had to make room."""
        if len(self._pending) >= self._places:
            self._evict_one()
        with trio.move_on_after(HANDSHAKE_SECONDS_MAX) as scope:
            self._pending[scope] = host
            try:
                yield
            finally:
                self._pending.pop(scope, None)
        if scope.cancelled_caught:
            is_late = trio.current_time() >= scope.deadline
            reason = "it took too long" if is_late else "it was slow, and others wanted its place"
            raise LimitExceeded(f"no handshake: {reason}")

    def _evict_one(self) -> None:
        ((busiest, _),) = Counter(self._pending.values()).most_common(1)
        oldest = next(scope for scope, host in self._pending.items() if host == busiest)
        del self._pending[oldest]
        oldest.cancel()


class StrangerGate:
    """Limits how often strangers connect, by network address."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def admits(self, host: str) -> bool:
        host = _subnet_of(host)
        bucket = self._buckets.pop(host, None) or TokenBucket(
            burst=STRANGERS_BURST_PER_HOST, per_second=STRANGERS_PER_SECOND_PER_HOST
        )
        self._buckets[host] = bucket
        if len(self._buckets) > HOSTS_REMEMBERED_MAX:
            self._buckets.popitem(last=False)
        return bucket.take()


def _subnet_of(host: str) -> str:
    """Return what one subscriber has: an IPv4 address, or 64 bits of IPv6 ones."""
    if ":" not in host:
        return host
    return str(ip_network((host.partition("%")[0], 64), strict=False))
