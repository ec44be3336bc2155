"""Custodians commit to records and to erasures; the state counts both."""

from protocol.membership import NotAMember
from protocol.signers import EventNotSigned
from protocol.state import CustodianEntry, custodian_entry
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    erased,
    make_network,
    make_party,
    records_committed,
    signed_by,
    token,
)

NETWORK = make_network()


def test_batches_records_and_erasures_are_counted() -> None:
    ledger = ExampleLedger(NETWORK)
    custodian = NETWORK.members[0]
    ledger.apply(
        records_committed(NETWORK, custodian, count=8),
        records_committed(NETWORK, custodian, count=16, root=token("second")),
        erased(NETWORK, custodian),
    )

    counts = CustodianEntry(batch_count=2, record_count=24, erasure_count=1)
    assert custodian_entry(ledger.state, custodian.id) == counts
    assert custodian_entry(ledger.state, NETWORK.members[1].id) == CustodianEntry()
    ledger.assert_digest()


def test_only_members_commit_and_erase() -> None:
    ledger, stranger = ExampleLedger(NETWORK), make_party("stranger")

    assert ledger.refusal(records_committed(NETWORK, stranger)) is NotAMember
    assert ledger.refusal(erased(NETWORK, stranger)) is NotAMember


def test_nobody_commits_for_another() -> None:
    ledger = ExampleLedger(NETWORK)
    one, other = NETWORK.members

    for signed in (records_committed(NETWORK, one), erased(NETWORK, one)):
        forged = signed_by(NETWORK, signed.event.body, other.key)
        assert ledger.refusal(forged) is EventNotSigned
