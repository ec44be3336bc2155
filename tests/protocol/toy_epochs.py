"""Changes of the toy's authorities: an event that asks for one begins a new epoch.

A change that would break the limits has no effect, and neither has one that comes while another is
pending. Nobody votes here on whether it should be: these are tests of what happens then.
"""

from dataclasses import dataclass

from protocol.genesis import Authority, faulty_max
from protocol.identity import SigningKey
from protocol.state import EpochEntry

HANDOFF_LAG = 2
"""How many blocks after the one that asks for it the epoch ends."""

CHANGES_FROM = 1_000_000
"""The event of this number asks for the first change of the world, and so on."""

AUTHORITIES_MIN = 4


@dataclass(frozen=True)
class Change:
    """Which names come, go, and get another key."""

    added: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()
    rotated: tuple[int, ...] = ()


@dataclass(frozen=True)
class Roles:
    """Who could be an authority: ids and first keys by name, and what a change may not do."""

    ids: tuple[bytes, ...]
    traitors: frozenset[int] = frozenset()
    """Never more of them than an epoch can bear."""
    changes: tuple[Change, ...] = ()

    def names(self, entry: EpochEntry) -> tuple[int, ...]:
        """Return the names of an epoch's authorities, in the order of their seats."""
        return tuple(self.ids.index(authority.member) for authority in entry.authorities)


def next_entry(
    roles: Roles, entry: EpochEntry, numbers: tuple[int, ...], height: int, keys: "KeyOf"
) -> EpochEntry | None:
    """Return the epoch that the events of the block at `height` ask for, if any does well."""
    for number in numbers:
        if 0 <= number - CHANGES_FROM < len(roles.changes):
            following = _changed(roles, entry, roles.changes[number - CHANGES_FROM], height, keys)
            if following is not None:
                return following
    return None


class KeyOf:
    """The voting key of each name, by the epoch for which it was made."""

    def __init__(self, make: type[SigningKey], first: tuple[SigningKey, ...]) -> None:
        self._make = make
        self._keys = {(name, 0): key for name, key in enumerate(first)}

    def key(self, name: int, epoch: int) -> SigningKey:
        known = self._keys.get((name, epoch))
        if known is None:
            seed = b"voting key %4d %8d" % (name, epoch)
            known = self._keys[name, epoch] = self._make(seed.ljust(32))
        return known

    def find(self, name: int, entry: EpochEntry, public: bytes) -> SigningKey:
        """Return the key of `name` with this public half, made for the epoch or one before."""
        made = (self.key(name, epoch) for epoch in range(entry.epoch, -1, -1))
        return next(key for key in made if key.public == public)


def _changed(
    roles: Roles, entry: EpochEntry, change: Change, height: int, keys: KeyOf
) -> EpochEntry | None:
    before = roles.names(entry)
    dropped = [name for name in change.dropped if name in before]
    added = [name for name in change.added if name not in before]
    names = sorted({*before, *added} - {*dropped})
    rotated = [name for name in change.rotated if name in names and name not in added]
    faulty = faulty_max(len(names))
    if not names or len(names) < min(AUTHORITIES_MIN, len(before)):
        return None
    if len(added) + len(rotated) > max(1, faulty):
        return None
    if len(dropped) > max(1, faulty_max(len(before))):
        return None
    if len(roles.traitors.intersection(names)) > faulty:
        return None
    old = dict(zip(before, entry.authorities, strict=True))
    return EpochEntry(
        epoch=entry.epoch + 1,
        base_height=height + HANDOFF_LAG,
        authorities=tuple(
            _seat(roles, name, keys.key(name, entry.epoch + 1))
            if name in added or name in rotated
            else old[name]
            for name in names
        ),
    )


def _seat(roles: Roles, name: int, key: SigningKey) -> Authority:
    member = roles.ids[name]
    return Authority(member=member, voting_key=key.public, recovery_key=member[::-1])
