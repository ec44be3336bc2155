"""Made-up patients: skewed over clinics, and good for the protocol."""

from collections import Counter
from random import Random

from protocol.delivery import validate_opening
from protocol.identity import Verifier
from protocol.terms import DirectiveKind
from simulations.workload.patients import Choice, Patient, Wish, directive, withdrawal
from simulations.world.crypto import FastKey, is_valid_fast


def test_a_few_clinics_have_most_of_the_patients() -> None:
    random = Random(1)
    choice = Choice(list(range(20)), random)
    drawn = Counter(choice.draw(random) for _ in range(4_000))
    sizes = [count for _, count in drawn.most_common()]

    assert len(drawn) == 20
    assert sizes[0] > 8 * sizes[-1]
    assert 0.2 < sizes[0] / 4_000 < 0.35


def test_a_choice_can_leave_somebody_out() -> None:
    random = Random(1)
    choice = Choice([1, 2], random)

    assert {choice.draw(random, but=1) for _ in range(20)} == {2}
    assert Choice([1], random).draw(random, but=1) is None


def test_each_directive_is_new_and_signed_by_its_patient() -> None:
    patient = Patient(0, 0, FastKey(b"p" * 32))
    wish = Wish(
        kind=DirectiveKind.PERMIT,
        recipient=b"r" * 32,
        custodian=b"c" * 32,
        at=1_700_000_000_000,
        until=1_700_000_100_000,
    )
    network, verifier = b"n" * 32, Verifier(is_valid_fast)
    first, second = (directive(patient, wish, network) for _ in range(2))

    for given, opening in (first, second):
        validate_opening(opening, given, network, verifier)
    assert first[1].terms.consent != second[1].terms.consent
    taken_back = withdrawal(patient, first[1].terms.consent, network, until=wish.until)
    assert taken_back.event.body.subject == patient.key.public  # type: ignore[union-attr]
