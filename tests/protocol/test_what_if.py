"""The preview of a signature says what the decisions say afterwards."""

from hypothesis import given

from protocol.directives import BasePolicy, Directive, decide
from protocol.terms import Purpose, Recipients, WithCategory
from protocol.what_if import Reading, who_could_read
from tests.protocol.directive_examples import (
    CLINIC,
    HOSPITAL,
    NOON,
    OPT_IN,
    RECORDS,
    REQUESTERS,
    ask,
    directives,
    permit,
    policies,
    scope_of,
)


def readings(everything: list[Directive], policy: BasePolicy = OPT_IN) -> set[Reading]:
    members = (HOSPITAL, *REQUESTERS)
    found = who_could_read(members, RECORDS, everything, custodian=HOSPITAL, policy=policy, at=NOON)
    assert len(found) == len(set(found))
    return set(found)


def test_a_permit_shows_what_it_would_open() -> None:
    scope = scope_of(
        recipients=Recipients(members=(CLINIC.id,)),
        purposes=(Purpose.HPAYMT,),
        records=(WithCategory(("imaging",)),),
    )
    assert readings([]) == set()
    assert readings([permit(1, scope=scope)]) == {Reading(CLINIC.id, Purpose.HPAYMT, RECORDS[1].id)}


@given(directives(), policies)
def test_what_could_be_read_is_what_is_permitted(everything, policy) -> None:
    found = readings(everything, policy)
    for member in REQUESTERS:
        for purpose in (Purpose.TREAT, Purpose.HRESCH):
            for record in RECORDS:
                decision = decide(ask(member, purpose), record, everything, policy)
                assert (Reading(member.id, purpose, record.id) in found) == decision.permitted
