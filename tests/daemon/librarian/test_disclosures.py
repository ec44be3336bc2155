"""A custodian's ill will is not enough: what it signs must hold for everybody."""

from pathlib import Path

import pytest
import trio
import trio.testing

from daemon.librarian.disclosures import Disclosures
from daemon.librarian.releases import Releases
from protocol.consent import NoActiveConsent
from protocol.envelope import Handover
from protocol.errors import ProtocolError
from protocol.events import ConsentBasis, SignedEvent
from protocol.release_effects import AwaitDisclosure, DisclosureFailed, Remembered
from tests.daemon.dishonest_custodian import disclose_regardless
from tests.daemon.librarian_steps import add, disclosures, order
from tests.daemon.town import Town
from tests.protocol.directive_examples import NETWORK
from tests.protocol.release_examples import CLINIC, FIRST, HOSPITAL, release_of


async def test_a_custodian_that_ignores_a_withdrawal_is_refused_by_the_network(
    town: Town, tmp_path: Path
) -> None:
    await add(town, tmp_path)
    terms = await town.give()
    signed = town.clinic.librarian.requester.sign(order(town), ())
    basis = ConsentBasis(terms.consent)
    clinic = town.clinic.member_of_genesis

    def disclosed() -> SignedEvent:
        return disclose_regardless(town.hospital, signed, requester=clinic, basis=basis)

    await town.submit(town.withdrawal())
    with pytest.raises(NoActiveConsent):
        await town.clinic.submit(disclosed())
    with pytest.raises(NoActiveConsent):
        await town.pharmacy.submit(disclosed())
    assert disclosures(town) == []


async def test_without_a_withdrawal_the_same_disclosure_is_good(town: Town, tmp_path: Path) -> None:
    await add(town, tmp_path)
    terms = await town.give()
    signed = town.clinic.librarian.requester.sign(order(town), ())
    event = disclose_regardless(
        town.hospital,
        signed,
        requester=town.clinic.member_of_genesis,
        basis=ConsentBasis(terms.consent),
    )
    await town.clinic.submit(event)
    assert len(disclosures(town)) == 1


AWAITED = AwaitDisclosure(b"e" * 32, request=b"r" * 32, until=1_000)


async def wait_in_vain(
    town: Town, releases: Releases, error: ProtocolError | None
) -> DisclosureFailed:
    """Wait for a disclosure that the network refuses with `error`, or does not make final."""
    hospital = town.hospital
    disclosures = Disclosures(hospital, hospital.receipts, releases)
    handover = Handover(network=NETWORK, custodian=HOSPITAL.member.id, request=AWAITED.request)
    release = release_of((FIRST,), kem_public=CLINIC.kem.public, handover=handover, not_after=1_000)
    remembered = Remembered(AWAITED.disclosure, ConsentBasis(b"c" * 16), release, ())
    releases.put(AWAITED.request, AWAITED.until, remembered)
    results = []

    async def wait() -> None:
        results.append(await disclosures.wait(AWAITED))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        if error is not None:
            hospital.receipts.refused(AWAITED.disclosure, error)
    [result] = results
    assert isinstance(result, DisclosureFailed)
    return result


async def test_a_disclosure_that_is_refused_while_it_is_awaited_is_pending_no_more(
    town: Town, tmp_path: Path
) -> None:
    releases = Releases(tmp_path / "kept")
    refusal = NoActiveConsent(b"c" * 16)
    assert await wait_in_vain(town, releases, refusal) == DisclosureFailed(is_pending=False)
    assert releases.get(AWAITED.request, AWAITED.until) is None


async def test_a_disclosure_that_is_not_final_in_time_may_still_be(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.librarian.disclosures.FINALITY_SECONDS_MAX", 0.01)
    releases = Releases(tmp_path / "kept")
    assert await wait_in_vain(town, releases, None) == DisclosureFailed(is_pending=True)
    assert releases.get(AWAITED.request, AWAITED.until) is not None
