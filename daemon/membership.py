"""Who belongs to the network now, by id and by name: the state's members, kept at hand.

The table is read again whenever a block admits or removes a member. Connections and gossip depend
on it, so a change takes effect at once.
"""

from collections.abc import Callable

from protocol.blocks import Block
from protocol.events import MemberAdmitted, MemberRemoved
from protocol.genesis import Authority, Member
from protocol.identity import MemberId
from protocol.state import StateView, members


class Membership:
    def __init__(self, state: StateView) -> None:
        self._members: dict[MemberId, Member] = {}
        self.read(state)

    def read(self, state: StateView) -> None:
        """Take the members over from `state`."""
        self._members = {
            entry.member.id: entry.member
            for entry in members(state)
            if entry.removed_height is None
        }

    def __contains__(self, member: MemberId) -> bool:
        return member in self._members

    def get(self, member: MemberId) -> Member | None:
        return self._members.get(member)

    def name(self, member: MemberId) -> str:
        """Return how people call the member; for strangers, the first digits of the id."""
        found = self._members.get(member)
        return member.hex()[:8] if found is None else found.name

    def all(self) -> tuple[Member, ...]:
        return tuple(self._members.values())


class Voters:
    """The ids of the authorities of the running epoch, whichever that is."""

    def __init__(self, authorities: Callable[[], tuple[Authority, ...]]) -> None:
        self._authorities = authorities

    def __contains__(self, member: object) -> bool:
        return any(authority.member == member for authority in self._authorities())


def changes_members(block: Block) -> bool:
    """Say whether the block admits or removes a member."""
    return any(
        isinstance(signed.event.body, MemberAdmitted | MemberRemoved) for signed in block.events
    )
