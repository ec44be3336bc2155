"""What the signatures of bundles and peer records cover."""

from msgspec.structs import replace

from protocol.identity import is_valid_signature
from protocol.messages import bundle_signing_bytes, peer_record_signing_bytes
from tests.protocol.examples import (
    make_bundle,
    make_network,
    make_peer_record,
    records_committed,
    token,
)

NETWORK = make_network()
MEMBER = NETWORK.members[0]
BUNDLE = make_bundle(NETWORK, MEMBER, records_committed(NETWORK, MEMBER))
RECORD = make_peer_record(NETWORK, MEMBER)


def is_signed_bundle(bundle, network: bytes = NETWORK.id) -> bool:
    message = bundle_signing_bytes(network, bundle.submitter, bundle.sequence, bundle.events)
    return is_valid_signature(bundle.submitter, message, bundle.signature)


def is_signed_record(record, network: bytes = NETWORK.id) -> bool:
    message = peer_record_signing_bytes(network, record.member, record.issued_at, record.addresses)
    return is_valid_signature(record.member, message, record.signature)


def test_a_bundle_is_signed_with_all_that_is_in_it() -> None:
    other = records_committed(NETWORK, MEMBER, root=token("other"))
    assert is_signed_bundle(BUNDLE)
    assert not is_signed_bundle(BUNDLE, token("other network"))
    assert not is_signed_bundle(replace(BUNDLE, submitter=NETWORK.members[1].id))
    assert not is_signed_bundle(replace(BUNDLE, sequence=2))
    assert not is_signed_bundle(replace(BUNDLE, events=(other,)))
    assert not is_signed_bundle(replace(BUNDLE, events=(*BUNDLE.events, other)))


def test_a_peer_record_is_signed_with_all_that_is_in_it() -> None:
    assert is_signed_record(RECORD)
    assert not is_signed_record(RECORD, token("other network"))
    assert not is_signed_record(replace(RECORD, member=NETWORK.members[1].id))
    assert not is_signed_record(replace(RECORD, issued_at=RECORD.issued_at + 1))
    assert not is_signed_record(replace(RECORD, addresses=("/ip4/203.0.113.1/tcp/4001",)))
