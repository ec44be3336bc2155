"""Which connections are open, and which to give up. No IO: the transport does as it is told.

There is one connection for each member. When a second one comes up:

- One that needs no relay stays in place of one that does.
- If the two sides dialled each other within `SIMULTANEOUS_SECONDS`, both keep the one that the
  member with the lower id dialled: they decide alike without a word.
- Otherwise the new one stays. The peer would not have dialled if it still had the old one, so that
  one is half open: the peer was killed, or changed its address.

Strangers are as many as `strangers_max`; one more ends the oldest of the busiest address, so that
nobody who comes from a few addresses keeps a newcomer out.
"""

from collections import Counter

from daemon.transport.addresses import parse_address
from daemon.transport.connection import Connection
from protocol.identity import MemberId

SIMULTANEOUS_SECONDS = 5


class ConnectionTable:
    """The open connections of one node."""

    def __init__(self, me: MemberId, *, strangers_max: int) -> None:
        self._me = me
        self._strangers_max = strangers_max
        self._connections: dict[MemberId, Connection] = {}
        self._strangers: dict[MemberId, None] = {}

    def add(self, new: Connection, *, is_stranger: bool) -> Connection | None:
        """Take in a connection; return the one to close now, which may be the new one."""
        old = self._connections.get(new.member)
        if old is not None and self._stays(old, new):
            return new
        self._connections[new.member] = new
        if old is not None or not is_stranger:
            return old
        self._strangers[new.member] = None
        if len(self._strangers) > self._strangers_max:
            return self._oldest_of_the_busiest()
        return None

    def _oldest_of_the_busiest(self) -> Connection:
        hosts = {it: parse_address(self._connections[it].address).host for it in self._strangers}
        ((busiest, _),) = Counter(hosts.values()).most_common(1)
        return self._connections[next(it for it, host in hosts.items() if host == busiest)]

    def remove(self, connection: Connection) -> bool:
        """Forget a connection that ended; say whether the member is without one now."""
        if self._connections.get(connection.member) is not connection:
            return False
        del self._connections[connection.member]
        self._strangers.pop(connection.member, None)
        return True

    def promote(self, member: MemberId) -> None:
        """Note that a stranger has become a member."""
        self._strangers.pop(member, None)

    def get(self, member: MemberId) -> Connection | None:
        return self._connections.get(member)

    def members(self) -> frozenset[MemberId]:
        """Return everybody who is connected, except strangers."""
        return frozenset(self._connections.keys() - self._strangers.keys())

    def is_stranger(self, member: MemberId) -> bool:
        return member in self._strangers

    def _stays(self, old: Connection, new: Connection) -> bool:
        if old.line.relay is not None and new.line.relay is None:
            return False
        if old.is_dialled == new.is_dialled:
            return False
        if new.opened_at - old.opened_at > SIMULTANEOUS_SECONDS:
            return False
        return old.is_dialled == (self._me < old.member)
