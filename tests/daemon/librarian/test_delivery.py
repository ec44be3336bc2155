"""Terms reach those who must know them, sealed, signed, and nobody else."""

from pathlib import Path

import pytest

from daemon.librarian.consents import KeptTerms, load_terms
from daemon.librarian.fetch_errors import AccessRefused
from daemon.transport import StreamClosed
from protocol.consent import ConsentIdTaken
from protocol.delivery import TermsDeclined, TermsKept, TermsOpening
from protocol.directives import Standing
from protocol.errors import InvalidSignature
from protocol.identity import SigningKey
from protocol.terms import DirectiveKind, InvalidTerms, Recipients, Scope
from tests.daemon.librarian_steps import add, fetch, order, until
from tests.daemon.town import PATIENT, SUBJECT, Town, TownNode, open_town, seed_of

SALT = seed_of("salt")


def known(node: TownNode) -> list[tuple[bytes, Standing | None]]:
    return [(each.id, each.standing) for each in node.librarian.consents.of(SUBJECT)]


async def test_custodian_and_recipient_learn_of_a_permit_given_elsewhere(
    town: Town, tmp_path: Path
) -> None:
    record = await add(town, tmp_path)
    terms = await town.give(at=town.pharmacy)
    active = [(terms.consent, Standing.ACTIVE)]
    assert known(town.hospital) == active
    await until(lambda: known(town.clinic) == active)  # A slow disk may need another attempt.
    [grant] = town.clinic.librarian.consents.grants()
    assert grant.kept.opening.terms == terms
    assert town.pharmacy.librarian.consents.grants() == []
    found = await fetch(town.clinic, order(town, consent=grant.id), tmp_path)
    assert set(found) == {record}


async def test_whom_a_restriction_restricts_does_not_learn_of_it(
    town: Town, tmp_path: Path
) -> None:
    await town.give(kind=DirectiveKind.RESTRICT, at=town.pharmacy)
    assert known(town.hospital) == [(b"\1" * 16, Standing.ACTIVE)]
    assert town.pharmacy.librarian.delivery._undelivered() == []
    assert known(town.clinic) == []


async def test_who_is_away_gets_the_terms_later(town: Town, tmp_path: Path) -> None:
    await add(town, tmp_path)
    town.hospital.is_reachable = False
    opening = TermsOpening(SALT, town.terms())
    given = await town.pharmacy.librarian.delivery.give(town.given(opening), opening)
    assert town.hospital.me in given.undelivered

    town.hospital.is_reachable = True
    await until(lambda: known(town.hospital) == [(b"\1" * 16, Standing.ACTIVE)])
    assert await fetch(town.clinic, order(town), tmp_path)


async def test_terms_are_there_after_a_restart(tmp_path: Path) -> None:
    async with open_town(tmp_path) as town:
        await town.give()
        kept, damaged = load_terms(town.hospital.vault)
    assert [each.opening.terms for each in kept] == [town.terms()]
    assert damaged == []
    next((tmp_path / "hospital/vault/terms").iterdir()).write_bytes(b"x" * 100)
    assert load_terms(town.hospital.vault) == ([], [b"\1" * 16])


async def test_nobody_gives_consent_for_somebody_else(town: Town) -> None:
    opening = TermsOpening(SALT, town.terms())
    forged = town.given(opening, SigningKey(seed_of("forger")))
    other = TermsOpening(SALT, town.terms(scope=Scope(Recipients(anyone=True), *_rest(town))))
    with pytest.raises(InvalidSignature):
        await town.hospital.librarian.delivery.give(forged, opening)
    with pytest.raises(InvalidTerms):
        await town.hospital.librarian.delivery.give(town.given(opening), other)
    assert known(town.hospital) == []
    assert town.events == []


async def test_a_consent_that_the_network_refuses_leaves_no_terms(town: Town) -> None:
    await town.give(1)
    opening = TermsOpening(SALT, town.terms(1, redisclosure="other terms, same id"))
    with pytest.raises(ConsentIdTaken):
        await town.pharmacy.librarian.delivery.give(town.given(opening), opening)
    assert known(town.pharmacy) == []
    assert known(town.hospital) == [(b"\1" * 16, Standing.ACTIVE)]


async def test_terms_that_never_became_final_are_erased(town: Town) -> None:
    opening = TermsOpening(SALT, town.terms())
    signed = town.given(opening, lifetime=1_500)
    assert await send(town.clinic, signed, opening) == TermsKept(b"\1" * 16)
    assert known(town.hospital) == [(b"\1" * 16, Standing.PENDING)]
    for _ in range(2):  # Blocks whose time is beyond the end of the event.
        town.pass_second()
    await until(lambda: known(town.hospital) == [])
    await until(lambda: load_terms(town.hospital.vault) == ([], []))


async def test_a_permit_counts_when_it_is_final_and_a_restriction_on_sight(
    town: Town, tmp_path: Path
) -> None:
    await add(town, tmp_path)
    permit, restriction = (
        TermsOpening(SALT, town.terms(number, kind=kind))
        for number, kind in ((1, DirectiveKind.PERMIT), (2, DirectiveKind.RESTRICT))
    )
    signed = town.given(permit)
    await send(town.clinic, signed, permit)
    with pytest.raises(AccessRefused):
        await fetch(town.clinic, order(town), tmp_path)
    await town.submit(signed)
    assert await fetch(town.clinic, order(town), tmp_path)
    await send(town.pharmacy, town.given(restriction), restriction)
    with pytest.raises(AccessRefused):
        await fetch(town.clinic, order(town), tmp_path)


async def test_terms_of_a_subject_elsewhere_are_declined(town: Town, tmp_path: Path) -> None:
    await add(town, tmp_path)
    await town.give()
    other = TermsOpening(SALT, town.terms(2, custodian=town.clinic.me))
    answer = await send(town.pharmacy, town.given(other), other, to=town.clinic)
    assert answer == TermsDeclined("other-custodian")


async def test_one_member_cannot_bring_more_than_its_share(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.librarian.delivery.PENDING_PER_MEMBER_MAX", 2)
    answers = []
    for number in range(3):
        opening = TermsOpening(SALT, town.terms(number))
        answers.append(await send(town.clinic, town.given(opening), opening))
    assert answers[2] == TermsDeclined("too-many-pending")
    opening = TermsOpening(SALT, town.terms(3))
    assert await send(town.pharmacy, town.given(opening), opening) == TermsKept(b"\3" * 16)


async def test_terms_that_do_not_concern_us_are_their_senders_fault(town: Town) -> None:
    opening = TermsOpening(SALT, town.terms(kind=DirectiveKind.RESTRICT))
    assert await send(town.hospital, town.given(opening), opening, to=town.clinic) is None
    assert [error.code for error in town.blamed] == ["invalid-terms"]
    assert PATIENT.public == SUBJECT


async def send(sender, signed, opening, to=None):
    """Bring terms to a member by hand; return its answer, or None if it hung up."""
    receiver = (to or sender.town.hospital).member_of_genesis
    try:
        return await sender.librarian.delivery._send(KeptTerms(signed, opening), receiver)
    except StreamClosed:
        return None


def _rest(town: Town) -> tuple:
    permitted = town.terms().scope
    return permitted.purposes, permitted.records
