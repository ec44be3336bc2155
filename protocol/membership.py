"""Who belongs: the rules of `MemberAdmitted` and `MemberRemoved`.

A sponsor lets a member in alone; only a quorum puts one out, and the key of a removed member never
comes back. Its organisation may return with a new key, under the old name. An authority is taken
out of the authorities first (see `authority`), and removed then.
"""

from msgspec.structs import replace

from protocol.codec import encode
from protocol.context import Context
from protocol.electorates import authorities_at, newest_epoch
from protocol.errors import InvalidEvent
from protocol.events import MemberAdmitted, MemberRemoved
from protocol.genesis import Member, quorum
from protocol.identity import MemberId, short
from protocol.state import (
    TOTALS_KEY,
    Changes,
    MemberEntry,
    StateView,
    is_member,
    is_suspended,
    member_entry,
    member_key,
    name_key,
    roll_key,
    totals_entry,
)

MEMBERS_MAX = 16_384
"""How many members a network may ever admit."""


class NotAMember(InvalidEvent):
    code = "not-a-member"

    def __init__(self, member: MemberId) -> None:
        super().__init__(f"{short(member)} is not a member")


class NotAnAuthority(InvalidEvent):
    code = "not-an-authority"

    def __init__(self, member: MemberId) -> None:
        super().__init__(f"{short(member)} is not an authority")


class AuthoritySuspended(InvalidEvent):
    """The chain holds proof that the authority signed two things that contradict each other."""

    code = "authority-suspended"

    def __init__(self, authority: MemberId) -> None:
        super().__init__(f"authority {short(authority)} is suspended")


class AlreadyAMember(InvalidEvent):
    code = "already-a-member"


class MemberWasRemoved(InvalidEvent):
    code = "member-was-removed"


class NameTaken(InvalidEvent):
    code = "name-taken"


class TooManyMembers(InvalidEvent):
    code = "too-many-members"


class RemoversNotInOrder(InvalidEvent):
    code = "removers-not-in-order"


class NoQuorum(InvalidEvent):
    code = "no-quorum"


class AuthorityNotRemovable(InvalidEvent):
    code = "authority-not-removable"


def require_member(state: StateView, member: MemberId) -> None:
    """Raise `NotAMember` unless the member is in the network now."""
    if not is_member(state, member):
        raise NotAMember(member)


def is_authority(state: StateView, member: MemberId, context: Context) -> bool:
    """Say whether the member votes on the block that the event would stand in."""
    voters = authorities_at(state, context.height)
    return any(authority.member == member for authority in voters)


def require_authority(state: StateView, member: MemberId, context: Context) -> None:
    """Raise `NotAnAuthority` or `AuthoritySuspended`."""
    if not is_authority(state, member, context):
        raise NotAnAuthority(member)
    if is_suspended(state, member):
        raise AuthoritySuspended(member)


def admit(state: StateView, member: Member, height: int) -> Changes:
    """Return what admitting the member changes; whether it may be is for the caller to know."""
    totals = totals_entry(state)
    entry = MemberEntry(member=member, admitted_height=height, removed_height=None)
    return {
        member_key(member.id): encode(entry),
        name_key(member.name): member.id,
        roll_key(totals.members): member.id,
        TOTALS_KEY: encode(replace(totals, members=totals.members + 1)),
    }


def apply_member_admitted(state: StateView, body: MemberAdmitted, context: Context) -> Changes:
    """Raises a subclass of `InvalidEvent`."""
    require_authority(state, body.sponsor, context)
    member = body.member
    known = member_entry(state, member.id)
    if known is not None and known.removed_height is not None:
        raise MemberWasRemoved(f"{short(member.id)} was removed, and needs a new key to return")
    if known is not None:
        raise AlreadyAMember(f"{short(member.id)} is a member already")
    if state.get(name_key(member.name)) is not None:
        raise NameTaken(f"another member is called {member.name}")
    if totals_entry(state).members >= MEMBERS_MAX:
        raise TooManyMembers(f"the network has admitted {MEMBERS_MAX} members")
    return admit(state, member, context.height)


def apply_member_removed(state: StateView, body: MemberRemoved, context: Context) -> Changes:
    """Raises a subclass of `InvalidEvent`."""
    if list(body.removers) != sorted(set(body.removers)):
        raise RemoversNotInOrder("removers must be sorted by id, each once")
    for remover in body.removers:
        require_authority(state, remover, context)
    needed = quorum(len(authorities_at(state, context.height)))
    if len(body.removers) < needed:
        raise NoQuorum(f"{len(body.removers)} authorities remove, {needed} are needed")
    if is_authority(state, body.member, context) or _is_next(state, body.member):
        raise AuthorityNotRemovable(f"{short(body.member)} is an authority")
    entry = member_entry(state, body.member)
    if entry is None or entry.removed_height is not None:
        raise NotAMember(body.member)
    removed = replace(entry, removed_height=context.height)
    return {member_key(body.member): encode(removed), name_key(entry.member.name): None}


def _is_next(state: StateView, member: MemberId) -> bool:
    """Say whether the member votes, or will once the newest epoch begins."""
    return any(authority.member == member for authority in newest_epoch(state).authorities)
