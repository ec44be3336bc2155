"""What a patient can see of every access, and what is left after erasure."""

from pathlib import Path

import msgspec
import pytest
import trio

from daemon.librarian import librarian as module
from daemon.librarian.audits import AuditDamaged
from daemon.librarian.fetch_errors import AccessRefused, CustodianUnreachable
from daemon.librarian.librarian import NothingToErase
from daemon.receipts import Receipt
from protocol.audit_question import QUESTION_LIFETIME, AuditWanted, sign_audit_question
from protocol.codec import commit, encode
from protocol.events import Erased, SignedEvent
from protocol.identity import SigningKey
from tests.daemon.librarian_steps import JUSTIFICATION, add, emergency, fetch, order, until
from tests.daemon.town import PATIENT, SUBJECT, Town, TownNode
from tests.daemon.vaults import flip


async def test_a_patient_sees_every_access_and_what_it_was_for(town: Town, tmp_path: Path) -> None:
    record = await add(town, tmp_path)
    await town.give()
    await fetch(town.clinic, order(town), tmp_path)
    await fetch(town.pharmacy, emergency(town, role="pharmacist"), tmp_path)
    releases = tmp_path / "hospital" / "releases"
    await until(lambda: not list(releases.iterdir()))  # The receipts came.

    for audit in (
        await town.hospital.librarian.audit(SUBJECT),
        await town.pharmacy.librarian.audit(SUBJECT, audit_question(town.pharmacy, PATIENT)),
    ):
        assert audit.is_complete
        first, second = audit.accesses
        assert first.request is not None
        assert (first.request.role, first.records) == ("physician", (record,))
        assert first.review is None
        assert second.request is not None
        assert second.request.justification == JUSTIFICATION
        assert second.review is not None
        assert first.is_acknowledged
        assert second.is_acknowledged

    bare = await town.pharmacy.librarian.audit(SUBJECT)
    assert bare.is_complete
    assert [access.request for access in bare.accesses] == [None, None]


async def test_nobody_asks_for_an_audit_in_the_patients_name(town: Town, tmp_path: Path) -> None:
    await add(town, tmp_path)
    await fetch(town.pharmacy, emergency(town), tmp_path)
    own = audit_question(town.pharmacy, town.pharmacy.keys.signing)
    for forged in (
        msgspec.structs.replace(own, subject=SUBJECT),
        audit_question(town.clinic, PATIENT),
        audit_question(town.pharmacy, PATIENT, age=QUESTION_LIFETIME + 60_000),
    ):
        with pytest.raises(CustodianUnreachable):
            await town.pharmacy.librarian.audit(SUBJECT, forged)
    assert [error.code for error in town.blamed] == ["invalid-signature"] * 3


def audit_question(through: TownNode, key: SigningKey, age: int = 0) -> AuditWanted:
    return sign_audit_question(
        key, through.network, through=through.me, first=0, asked_at=through.now() - age
    )


async def test_what_is_erased_is_gone_and_logged(town: Town, tmp_path: Path) -> None:
    await add(town, tmp_path)
    await town.give()
    await fetch(town.clinic, order(town), tmp_path)
    erasure = await town.hospital.librarian.erase(SUBJECT)

    body = town.events[-1].event.body
    assert isinstance(body, Erased)
    assert body.what == commit("erased", erasure.salt, encode((SUBJECT, erasure.records)))
    assert len(erasure.records) == 1
    assert town.hospital.vault.record_ids() == town.hospital.vault.consent_ids() == ()
    assert town.hospital.librarian.shelf.list(SUBJECT) == []
    audit = await town.hospital.librarian.audit(SUBJECT)
    assert audit.is_complete  # The chain forgets nothing; what opened it is gone.
    assert [access.request for access in audit.accesses] == [None]
    with pytest.raises(AccessRefused):
        await fetch(town.pharmacy, emergency(town), tmp_path)


async def test_who_is_not_known_cannot_be_erased(town: Town, tmp_path: Path) -> None:
    await add(town, tmp_path)
    events = len(town.events)
    with pytest.raises(NothingToErase):
        await town.hospital.librarian.erase(bytes(32))
    await town.hospital.librarian.erase(SUBJECT)
    with pytest.raises(NothingToErase):
        await town.hospital.librarian.erase(SUBJECT)
    assert len(town.events) == events + 1


async def never(_: SignedEvent) -> Receipt:
    await trio.sleep_forever()
    raise AssertionError


async def test_an_erasure_does_not_wait_for_a_network_that_is_away(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(town, tmp_path)
    monkeypatch.setattr(module, "LOG_SECONDS_MAX", 0.001)
    monkeypatch.setattr(town, "submit", never)
    erasure = await town.hospital.librarian.erase(SUBJECT)
    assert erasure.receipt is None
    assert town.hospital.vault.record_ids() == ()


async def test_a_damaged_audit_is_the_custodians_trouble(town: Town, tmp_path: Path) -> None:
    await add(town, tmp_path)
    await fetch(town.pharmacy, emergency(town), tmp_path)
    [file] = (tmp_path / "hospital" / "audit").iterdir()
    flip(file, 60)
    with pytest.raises(AuditDamaged):
        await town.hospital.librarian.audit(SUBJECT)
    with pytest.raises(CustodianUnreachable):
        await town.clinic.librarian.audit(SUBJECT, audit_question(town.clinic, PATIENT))
    assert town.blamed == []


async def test_a_damaged_record_hides_no_other(town: Town, tmp_path: Path) -> None:
    damaged, good = await add(town, tmp_path), await add(town, tmp_path)
    flip(tmp_path / "hospital" / "vault" / "records" / damaged.hex() / "manifest", 40)
    town.hospital.vault._manifests.clear()
    for subject in (SUBJECT, None):
        assert [each.id for each in town.hospital.librarian.shelf.list(subject)] == [good]
    assert set(await fetch(town.pharmacy, emergency(town), tmp_path)) == {good}
