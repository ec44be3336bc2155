"""What an event's id and its signatures cover."""

from msgspec.structs import replace

from protocol.events import (
    Disclosure,
    RequestStatement,
    event_id,
    event_signing_bytes,
    request_signing_bytes,
    sign_event,
)
from protocol.identity import is_valid_signature
from tests.protocol.examples import (
    consent_given,
    disclosure,
    make_key,
    make_network,
    token,
)

NETWORK = make_network()
PATIENT = make_key("patient")
GIVEN = consent_given(NETWORK, PATIENT, NETWORK.members[0])


def test_an_id_covers_body_time_and_network() -> None:
    event = GIVEN.event
    body = replace(event.body, terms=token("other terms"))
    ids = {
        event_id(event, NETWORK.id),
        event_id(replace(event, valid_until=event.valid_until + 1), NETWORK.id),
        event_id(replace(event, body=body), NETWORK.id),
        event_id(event, token("other network")),
    }
    assert len(ids) == 4


def test_signatures_are_no_part_of_the_id() -> None:
    other = sign_event(GIVEN.event, NETWORK.id, make_key("somebody"))
    assert other != GIVEN
    assert event_id(other.event, NETWORK.id) == event_id(GIVEN.event, NETWORK.id)


def test_signers_sign_in_their_order() -> None:
    keys = [make_key(label) for label in ("one", "two", "three")]
    signed = sign_event(GIVEN.event, NETWORK.id, *keys)
    message = event_signing_bytes(GIVEN.event, NETWORK.id)
    for key, signature in zip(keys, signed.signatures, strict=True):
        assert is_valid_signature(key.public, message, signature)


def test_a_request_and_an_event_are_never_signed_alike() -> None:
    custodian, requester = NETWORK.members
    body = disclosure(NETWORK, PATIENT, custodian, requester).event.body
    assert isinstance(body, Disclosure)
    statement = RequestStatement(
        requester=requester.id,
        custodian=custodian.id,
        request=body.request,
        valid_until=body.request_until,
    )
    message = request_signing_bytes(statement, NETWORK.id)
    assert is_valid_signature(requester.id, message, body.request_signature)
    assert message.startswith(b"placet/request/1\0")
    assert event_signing_bytes(GIVEN.event, NETWORK.id).startswith(b"placet/event/1\0")
