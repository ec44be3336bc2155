"""A custodian's ill will is not enough: what it signs must hold for everybody."""

from pathlib import Path

import pytest

from protocol.consent import NoActiveConsent
from protocol.events import ConsentBasis, SignedEvent
from tests.daemon.dishonest_custodian import disclose_regardless
from tests.daemon.librarian_steps import add, disclosures, order
from tests.daemon.town import Town


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
