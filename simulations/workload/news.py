"""What happens at clinics, for those who watch: checkers, figures, and the listener of a run."""

from collections.abc import Callable
from dataclasses import dataclass

from protocol.envelope import Opening
from protocol.events import ConsentId, EventId
from protocol.identity import MemberId
from protocol.release import Granted
from protocol.request import SignedRequest


@dataclass(frozen=True, slots=True)
class KeysSent:
    """A custodian sends the keys of a release, now."""

    custodian: MemberId
    requester: MemberId
    granted: Granted
    signed: SignedRequest


@dataclass(frozen=True, slots=True)
class KeysOpened:
    """A requester has opened the key of one record of a release."""

    requester: MemberId
    custodian: MemberId
    disclosure: EventId
    opening: Opening


@dataclass(frozen=True, slots=True)
class RequestDecided:
    """A custodian permits a request, or (with `is_permitted` false) does not."""

    custodian: MemberId
    signed: SignedRequest
    is_permitted: bool


@dataclass(frozen=True, slots=True)
class FetchEnded:
    """A fetch is over, well or not. `started_at` is virtual."""

    requester: MemberId
    custodian: MemberId
    signed: SignedRequest
    started_at: int
    ending: str
    """done, refused, not-considered, not-final, unreachable, custodian-at-fault."""
    disclosure: EventId | None


@dataclass(frozen=True, slots=True)
class WithdrawalGiven:
    """A patient has handed a withdrawal to the node of `clinic`, now."""

    clinic: MemberId
    consent: ConsentId


@dataclass(frozen=True, slots=True)
class BlamedClinic:
    """A clinic sent what no honest one sends."""

    by: MemberId
    clinic: MemberId
    code: str


News = KeysSent | KeysOpened | RequestDecided | FetchEnded | WithdrawalGiven | BlamedClinic

Tell = Callable[[News], None]
