"""What a custodian may hand over for one request: as many records as one basis permits.

A disclosure has one basis. Each record is decided on its own; of all bases, the one that permits
the most records is taken, and of those that permit equally many, the one that binds closest (a
permit before the base policy, the base policy before an emergency). A request that cites a permit
gets what that permit alone gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.directives import BasePolicy, Directive, Question, decide
from protocol.envelope import ENVELOPES_MAX
from protocol.events import Basis, ConsentBasis, EmergencyBasis, PolicyBasis
from protocol.record import Manifest, RecordId
from protocol.request import AccessRequest

OTHERS_MAX = 1_024
"""How many further permitted records an answer names."""

_CLOSENESS = (ConsentBasis, PolicyBasis, EmergencyBasis)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one disclosure may hand over, sorted by id, and what another one might."""

    basis: Basis
    records: tuple[Manifest, ...]
    others: tuple[RecordId, ...]


def rule(
    request: AccessRequest,
    question: Question,
    records: Sequence[Manifest],
    directives: Sequence[Directive],
    policy: BasePolicy,
) -> Ruling | None:
    """Return what `request` may be given out of `records`, or None if it is nothing."""
    permitted: dict[Basis, list[Manifest]] = {}
    for record in records:
        for basis in decide(question, record, directives, policy).bases:
            if request.consent is None or basis == ConsentBasis(request.consent):
                permitted.setdefault(basis, []).append(record)
    if not permitted:
        return None
    basis = min(permitted, key=lambda each: (-len(permitted[each]), _closeness(each)))
    newest_first = sorted(permitted[basis], key=_age)
    chosen = sorted(newest_first[:ENVELOPES_MAX], key=lambda each: each.id)
    others = tuple(each.id for each in newest_first[ENVELOPES_MAX : ENVELOPES_MAX + OTHERS_MAX])
    return Ruling(basis, tuple(chosen), others)


def still_holds(
    ruling: Ruling,
    question: Question,
    records: Sequence[Manifest],
    directives: Sequence[Directive],
    policy: BasePolicy,
) -> bool:
    """Say whether the basis of `ruling` permits all its records, as things are now.

    `records` are those that still exist: what was erased in the meantime is not handed over.
    """
    existing = {record.id: record for record in records}
    return all(
        record.id in existing
        and ruling.basis in decide(question, existing[record.id], directives, policy).bases
        for record in ruling.records
    )


def _closeness(basis: Basis) -> tuple[int, bytes]:
    consent = basis.consent if isinstance(basis, ConsentBasis) else b""
    return _CLOSENESS.index(type(basis)), consent


def _age(record: Manifest) -> tuple[int, RecordId]:
    return -record.description.authored_at, record.id
