"""What the chain has made true: entries under keys, as every node holds them.

The state maps bytes to bytes, so a dict, a LevelDB and an overlay all fit. Only `get` is needed:
whatever must be listed is numbered (members, emergencies) or linked (what is to be forgotten).

    key                                entry
    "a" authority:32 candidate:32      BallotEntry       the newest ballot on a candidate
    "c" consent:16                     ConsentEntry      for ever
    "e" authority:32                   EquivocationEntry proof that it cheated
    "f"                                ForgettingEntry   see protocol.forgetting
    "h" slot:8                         SlotEntry         see protocol.forgetting
    "i" event:32                       PRESENT           the event is in the chain
    "j"                                ChangesWanted     decided on, and not made yet; else absent
    "k" member:32                      ReadyEntry        the newest voting key it offers
    "l" number:8                       disclosure:32     emergencies, in the order of the chain
    "m" member:32                      MemberEntry       for ever
    "n" name                           member:32         the active member of that name
    "o" member:32                      CustodianEntry    what a custodian did so far
    "p" slot:8 height:8                PageEntry         see protocol.forgetting
    "q" requester:32 request:32        PRESENT           the request was disclosed to
    "r" number:8                       member:32         members, in the order of admission
    "s" subject:32                     SubjectEntry      for ever
    "t"                                TotalsEntry       how many numbers are taken
    "u" requester:32 request:32        AskedEntry        a request that was put on the chain
    "v" disclosure:32                  ReviewEntry       an emergency, and its review
    "w" epoch:8                        EpochEntry        for ever
    "w"                                Counter           the newest epoch that has an entry

Numbers in keys are big-endian.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Annotated, Any, Protocol, TypeVar

import msgspec

from protocol.codec import Counter, Day, Message
from protocol.events import BallotChoice, Commitment, ConsentId, EventId, Verdict
from protocol.genesis import AUTHORITIES_MAX, Authority, Member
from protocol.identity import MemberId, PublicKey, SubjectId, short
from protocol.votes import Vote

ENTRIES_DECODED_MAX = 512
"""How many decoded entries of each type are remembered."""

PRESENT = b"\x01"
"""The value of an entry that says all by being there."""

Changes = dict[bytes, bytes | None]
"""New values by key; `None` deletes the entry."""


class StateView(Protocol):
    """Anything that knows the value under a key, or `None`."""

    def get(self, key: bytes, /) -> bytes | None: ...


class CorruptState(Exception):
    """An entry is not what we wrote. No peer is to blame: the disk lies, or we have a bug."""


class Overlay:
    """A view with changes on top of another, which stays as it is."""

    __slots__ = ("changes", "parent")

    def __init__(self, parent: StateView) -> None:
        self.parent = parent
        self.changes: Changes = {}

    def get(self, key: bytes, /) -> bytes | None:
        if key in self.changes:
            return self.changes[key]
        return self.parent.get(key)

    def apply(self, changes: Changes) -> None:
        self.changes.update(changes)

    def flatten(self, count: int) -> None:
        """Merge so many overlays below into one that shows the same: high stacks are slow."""
        layers: list[Changes] = []
        below = self.parent
        while isinstance(below, Overlay) and len(layers) < count:
            layers.append(below.changes)
            below = below.parent
        self.parent = Overlay(below)
        for changes in reversed(layers):
            self.parent.apply(changes)


class ReadCache:
    """A view that reads each key of its parent once, and knows which it has read."""

    __slots__ = ("parent", "reads")

    def __init__(self, parent: StateView) -> None:
        self.parent = parent
        self.reads: dict[bytes, bytes | None] = {}

    def get(self, key: bytes, /) -> bytes | None:
        if key in self.reads:
            return self.reads[key]
        value = self.reads[key] = self.parent.get(key)
        return value


class MemberEntry(Message, frozen=True):
    member: Member
    admitted_height: Counter
    removed_height: Counter | None


class BallotEntry(Message, frozen=True):
    choice: BallotChoice
    epoch: Counter
    height: Counter


class EquivocationEntry(Message, frozen=True):
    """Proof against an authority. It is suspended until a quorum votes it in again, if ever."""

    first: Vote
    second: Vote
    reporter: MemberId
    height: Counter
    readmitted_epoch: Counter | None
    """The epoch from which it votes again."""


class EpochEntry(Message, frozen=True):
    """Who votes on the blocks above `base_height`, until the next epoch; sorted by member."""

    epoch: Counter
    base_height: Counter
    authorities: Annotated[
        tuple[Authority, ...], msgspec.Meta(min_length=1, max_length=AUTHORITIES_MAX)
    ]


class ReadyEntry(Message, frozen=True):
    """The keys that a member offers for a coming epoch; it had the chain up to `height`."""

    voting_key: PublicKey
    recovery_key: PublicKey
    height: Counter


class ChangesWanted(Message, frozen=True):
    """What was decided and waits for an epoch that has room for it: members, sorted, each once."""

    additions: tuple[MemberId, ...] = ()
    removals: tuple[MemberId, ...] = ()
    rotations: tuple[MemberId, ...] = ()


class ConsentEntry(Message, frozen=True):
    """A directive. It binds while it is not withdrawn, until the end of `expiry_day`."""

    subject: SubjectId
    custodian: MemberId
    terms: Commitment
    given_height: Counter
    expiry_day: Day
    withdrawn_height: Counter | None

    def is_active(self, day: int) -> bool:
        return self.withdrawn_height is None and day <= self.expiry_day


class SubjectEntry(Message, frozen=True):
    """The one custodian of a subject, and the counter of the newest disclosure."""

    custodian: MemberId
    disclosure_count: Counter


class CustodianEntry(Message, frozen=True):
    """What a custodian did, and how often it was asked on the chain and answered."""

    batch_count: Counter = 0
    record_count: Counter = 0
    erasure_count: Counter = 0
    asked_count: Counter = 0
    answered_count: Counter = 0


class AskedEntry(Message, frozen=True):
    """A request that its requester put on the chain, so that silence shows."""

    custodian: MemberId
    asked_height: Counter
    answered_height: Counter | None


class ReviewEntry(Message, frozen=True):
    """An emergency access. `due` is in milliseconds; the last three are set together."""

    subject: SubjectId
    custodian: MemberId
    requester: MemberId
    disclosed_height: Counter
    due: Counter
    reviewer: MemberId | None
    verdict: Verdict | None
    reviewed_height: Counter | None

    def is_overdue(self, timestamp: int) -> bool:
        return self.reviewer is None and timestamp > self.due


class TotalsEntry(Message, frozen=True):
    """How many members were ever admitted, and how many emergencies there were."""

    members: Counter = 0
    emergencies: Counter = 0


def member_key(member: MemberId) -> bytes:
    return b"m" + member


def name_key(name: str) -> bytes:
    return b"n" + name.encode("ascii")


def roll_key(number: int) -> bytes:
    return b"r" + number.to_bytes(8, "big")


def ballot_key(authority: MemberId, candidate: MemberId) -> bytes:
    return b"a" + authority + candidate


def equivocation_key(authority: MemberId) -> bytes:
    return b"e" + authority


def epoch_key(epoch: int) -> bytes:
    return b"w" + epoch.to_bytes(8, "big")


def ready_key(member: MemberId) -> bytes:
    return b"k" + member


def consent_key(consent: ConsentId) -> bytes:
    return b"c" + consent


def subject_key(subject: SubjectId) -> bytes:
    return b"s" + subject


def custodian_key(custodian: MemberId) -> bytes:
    return b"o" + custodian


def seen_key(event: EventId) -> bytes:
    return b"i" + event


def request_key(requester: MemberId, request: Commitment) -> bytes:
    """The requester is part of the key, so nobody can use up the commitment of another."""
    return b"q" + requester + request


def asked_key(requester: MemberId, request: Commitment) -> bytes:
    return b"u" + requester + request


def review_key(disclosure: EventId) -> bytes:
    return b"v" + disclosure


def emergency_key(number: int) -> bytes:
    return b"l" + number.to_bytes(8, "big")


TOTALS_KEY = b"t"
EPOCH_KEY = b"w"
CHANGES_KEY = b"j"


def member_entry(state: StateView, member: MemberId) -> MemberEntry | None:
    return read(state, member_key(member), MemberEntry)


def is_member(state: StateView, member: MemberId) -> bool:
    """Say whether the member was admitted and not removed since."""
    entry = member_entry(state, member)
    return entry is not None and entry.removed_height is None


def members(state: StateView) -> Iterator[MemberEntry]:
    """Yield all members that ever were, in the order of their admission."""
    for number in range(totals_entry(state).members):
        entry = member_entry(state, _listed(state, roll_key(number)))
        if entry is None:
            raise CorruptState(f"member {number} is on the roll but not in the state")
        yield entry


def emergencies(state: StateView) -> Iterator[tuple[EventId, ReviewEntry]]:
    """Yield all emergency disclosures, the newest first."""
    for number in reversed(range(totals_entry(state).emergencies)):
        disclosure = _listed(state, emergency_key(number))
        entry = review_entry(state, disclosure)
        if entry is None:
            raise CorruptState(f"emergency {number} is listed but not in the state")
        yield disclosure, entry


def ballot_entry(state: StateView, authority: MemberId, candidate: MemberId) -> BallotEntry | None:
    return read(state, ballot_key(authority, candidate), BallotEntry)


def equivocation_entry(state: StateView, authority: MemberId) -> EquivocationEntry | None:
    return read(state, equivocation_key(authority), EquivocationEntry)


def is_suspended(state: StateView, authority: MemberId) -> bool:
    """Say whether the chain holds proof against the authority that no quorum has forgiven."""
    entry = equivocation_entry(state, authority)
    return entry is not None and entry.readmitted_epoch is None


def ready_entry(state: StateView, member: MemberId) -> ReadyEntry | None:
    return read(state, ready_key(member), ReadyEntry)


def changes_wanted(state: StateView) -> ChangesWanted:
    return read(state, CHANGES_KEY, ChangesWanted) or ChangesWanted()


def consent_entry(state: StateView, consent: ConsentId) -> ConsentEntry | None:
    return read(state, consent_key(consent), ConsentEntry)


def subject_entry(state: StateView, subject: SubjectId) -> SubjectEntry | None:
    return read(state, subject_key(subject), SubjectEntry)


def custodian_entry(state: StateView, custodian: MemberId) -> CustodianEntry:
    return read(state, custodian_key(custodian), CustodianEntry) or CustodianEntry()


def asked_entry(state: StateView, requester: MemberId, request: Commitment) -> AskedEntry | None:
    return read(state, asked_key(requester, request), AskedEntry)


def review_entry(state: StateView, disclosure: EventId) -> ReviewEntry | None:
    return read(state, review_key(disclosure), ReviewEntry)


def totals_entry(state: StateView) -> TotalsEntry:
    return read(state, TOTALS_KEY, TotalsEntry) or TotalsEntry()


T = TypeVar("T")

_readers: dict[type[Any], Callable[[bytes], Any]] = {}
"""Entries are frozen, and the same few are read again and again: so they are remembered."""


def read(state: StateView, key: bytes, expected: type[T]) -> T | None:
    """Return the entry under the key, or `None`. Raises `CorruptState`.

    We wrote the value ourselves, so its form is not compared with the canonical one.
    """
    value = state.get(key)
    if value is None:
        return None
    reader = _readers.get(expected)
    if reader is None:
        decode = msgspec.msgpack.Decoder(expected).decode
        reader = _readers[expected] = lru_cache(ENTRIES_DECODED_MAX)(decode)
    try:
        entry: T = reader(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptState(f"unreadable {expected.__name__} under {short(key)}") from error
    return entry


def _listed(state: StateView, key: bytes) -> bytes:
    value = state.get(key)
    if value is None:
        raise CorruptState(f"nothing is listed under {short(key)}")
    return value
