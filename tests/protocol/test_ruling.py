"""One basis for one disclosure, and as many records as it permits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.directives import BasePolicy, Directive, Question, decide
from protocol.envelope import ENVELOPES_MAX
from protocol.events import Basis, ConsentBasis, EmergencyBasis, PolicyBasis
from protocol.genesis import Profile
from protocol.record import Manifest
from protocol.request import AccessRequest
from protocol.ruling import OTHERS_MAX, Ruling, rule, still_holds
from protocol.terms import AllRecords, Purpose, TheseRecords, WithCategory
from tests.protocol.directive_examples import (
    JUSTIFICATION,
    NOON,
    OPT_IN,
    RECORDS,
    SUBJECT,
    ask,
    directives,
    manifest_of,
    permit,
    policies,
    questions,
    restriction,
    scope_of,
)

TREATMENT_DEFAULT = BasePolicy(Profile.TREATMENT_DEFAULT, emergency_veto=True)


def permit_of(number: int, *records: Manifest) -> Directive:
    ids = tuple(record.id for record in records)
    return permit(number, scope=scope_of(records=(TheseRecords(ids),)))


def ruling_of(
    everything: list[Directive],
    question: Question | None = None,
    *,
    records: tuple[Manifest, ...] = RECORDS,
    policy: BasePolicy = OPT_IN,
    **changes: Any,
) -> Ruling | None:
    question = question or ask()
    request = AccessRequest(
        version=1,
        subject=SUBJECT,
        records=(),
        purpose=question.purpose,
        role="nurse",
        consent=changes.get("consent"),
        justification=question.justification,
        valid_until=NOON + 1,
    )
    return rule(request, question, records, everything, policy)


def test_nothing_permitted_is_no_ruling() -> None:
    assert ruling_of([]) is None
    assert ruling_of([permit(1)], records=()) is None


def test_the_basis_that_permits_most_is_taken() -> None:
    few, many = permit_of(1, RECORDS[0]), permit_of(2, RECORDS[2], RECORDS[1])
    ruling = ruling_of([few, many])
    assert ruling == Ruling(ConsentBasis(b"\2" * 16), (RECORDS[1], RECORDS[2]), ())


def test_of_equals_the_closest_is_taken() -> None:
    emergency = ask(purpose=Purpose.BTG, justification=JUSTIFICATION)

    def basis(everything: list[Directive], policy: BasePolicy) -> Basis | None:
        ruling = ruling_of(everything, emergency, policy=policy)
        return None if ruling is None else ruling.basis

    assert basis([permit(2), permit(1)], TREATMENT_DEFAULT) == ConsentBasis(b"\1" * 16)
    assert basis([], TREATMENT_DEFAULT) == PolicyBasis()
    assert basis([], OPT_IN) == EmergencyBasis()


def test_in_an_emergency_a_partial_permit_holds_nothing_back() -> None:
    emergency = ask(purpose=Purpose.BTG, justification=JUSTIFICATION)
    ruling = ruling_of([permit_of(1, RECORDS[0])], emergency)
    assert ruling == Ruling(EmergencyBasis(), RECORDS, ())


def test_a_cited_permit_is_the_only_basis() -> None:
    everything = [permit_of(1, RECORDS[0]), permit(2)]
    first = ruling_of(everything, consent=b"\1" * 16)
    assert first == Ruling(ConsentBasis(b"\1" * 16), (RECORDS[0],), ())
    assert ruling_of(everything, policy=TREATMENT_DEFAULT, consent=b"\3" * 16) is None


def test_what_finds_no_room_is_named_the_newest_first() -> None:
    count = ENVELOPES_MAX + OTHERS_MAX + 1
    many = tuple(_numbered(number) for number in range(count))
    ruling = ruling_of([permit(1)], records=many)

    assert ruling is not None
    newest = list(reversed(many))
    assert ruling.records == tuple(reversed(newest[:ENVELOPES_MAX]))
    assert ruling.others == tuple(
        each.id for each in newest[ENVELOPES_MAX : ENVELOPES_MAX + OTHERS_MAX]
    )
    assert len(ruling.others) == OTHERS_MAX


@given(directives(), questions, policies, st.none() | st.sampled_from([b"\1" * 16, b"\2" * 16]))
def test_a_ruling_holds_exactly_what_its_basis_permits(everything, question, policy, cited) -> None:
    ruling = ruling_of(everything, question, policy=policy, consent=cited)
    bases = {record.id: decide(question, record, everything, policy).bases for record in RECORDS}
    if ruling is None:
        usable = [basis for each in bases.values() for basis in each]
        assert not usable or (cited is not None and ConsentBasis(cited) not in usable)
        return
    assert [each.id for each in ruling.records] == [
        identifier for identifier, each in bases.items() if ruling.basis in each
    ]
    assert still_holds(ruling, question, RECORDS, everything, policy)


def test_a_ruling_ends_with_its_basis_or_a_record() -> None:
    ruling = ruling_of([permit(1), permit(2)])
    assert ruling is not None
    assert ruling.basis == ConsentBasis(b"\1" * 16)

    assert still_holds(ruling, ask(), RECORDS, [permit(1)], OPT_IN)
    assert not still_holds(ruling, ask(), RECORDS, [permit(2)], OPT_IN)
    assert not still_holds(ruling, ask(), RECORDS[:2], [permit(1)], OPT_IN)
    assert not still_holds(ruling, ask(), RECORDS, [permit(1), restriction(3)], OPT_IN)
    one_less = restriction(3, scope=scope_of(records=(WithCategory(("imaging",)),)))
    assert not still_holds(ruling, ask(), RECORDS, [permit(1), one_less], OPT_IN)


@pytest.mark.parametrize("at", [NOON, NOON + 3_600_000])
def test_a_ruling_ends_with_the_window_of_its_permit(at: int) -> None:
    ruling = ruling_of([permit(1, scope=scope_of(records=(AllRecords(),)))])
    assert ruling is not None
    assert still_holds(ruling, ask(at=at), RECORDS, [permit(1)], OPT_IN) == (at == NOON)


def _numbered(number: int) -> Manifest:
    record = manifest_of(1, authored_at=number)
    return Manifest(
        id=number.to_bytes(16, "big"),
        description=record.description,
        content=record.content,
        salt=record.salt,
    )
