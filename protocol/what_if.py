"""What if I signed this: who could read what?"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.codec import Timestamp
from protocol.directives import BasePolicy, Directive, Question, decide
from protocol.genesis import Member
from protocol.identity import MemberId
from protocol.record import Manifest, RecordId
from protocol.terms import EMERGENCY_PURPOSES, Purpose


@dataclass(frozen=True, slots=True)
class Reading:
    """That a member could read a record for a purpose."""

    member: MemberId
    purpose: Purpose
    record: RecordId


def who_could_read(
    members: Sequence[Member],
    records: Sequence[Manifest],
    directives: Sequence[Directive],
    *,
    custodian: Member,
    policy: BasePolicy,
    at: Timestamp,
) -> tuple[Reading, ...]:
    """Return all that is permitted to others at `at`, emergencies left aside.

    Asked with one directive more, it shows what that directive would change.
    """
    return tuple(
        Reading(member.id, purpose, record.id)
        for member in members
        if member.id != custodian.id
        for purpose in Purpose
        if purpose not in EMERGENCY_PURPOSES
        for record in records
        if decide(Question(member, custodian, purpose, at), record, directives, policy).permitted
    )
