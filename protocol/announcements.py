"""What is to be announced to neighbours, until it is time, or until they show that they have it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from protocol.identity import MemberId
from protocol.messages import HAVE_IDS_MAX, GossipId


@dataclass(slots=True)
class Announcements:
    """Names of messages for each neighbour, the oldest first; never more than one `Have` holds."""

    _waiting: dict[MemberId, dict[GossipId, None]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not self._waiting

    def add(self, peer: MemberId, identifier: GossipId) -> tuple[GossipId, ...]:
        """Keep the name for later; or, if that is enough for a message, return all for the peer."""
        names = self._waiting.setdefault(peer, {})
        names[identifier] = None
        if len(names) < HAVE_IDS_MAX:
            return ()
        del self._waiting[peer]
        return tuple(names)

    def leave_out(self, peer: MemberId, ids: Iterable[GossipId]) -> None:
        """The peer has these messages."""
        names = self._waiting.get(peer)
        if names is None:
            return
        for identifier in ids:
            names.pop(identifier, None)
        if not names:
            del self._waiting[peer]

    def forget(self, peer: MemberId) -> None:
        self._waiting.pop(peer, None)

    def take(self) -> Iterator[tuple[MemberId, tuple[GossipId, ...]]]:
        """Yield what waits for each neighbour; nothing waits then."""
        waiting, self._waiting = self._waiting, {}
        for peer, names in waiting.items():
            yield peer, tuple(names)
