"""The bytes of the protocol change only on purpose: see `tests/vectors/wire.py`."""

import json
from hashlib import sha256

import pytest

from protocol import events, messages, votes
from protocol.codec import decode, encode
from tests.protocol.wire_examples import SIGNED_EVENTS, WIRE_EXAMPLES
from tests.vectors.wire import WIRE_PATH, wire_vectors

PINNED = json.loads(WIRE_PATH.read_text(encoding="utf-8"))


def test_ids_are_what_they_always_were() -> None:
    assert wire_vectors()["ids"] == PINNED["ids"]


def test_every_example_is_pinned() -> None:
    assert PINNED["encodings"].keys() == WIRE_EXAMPLES.keys()


@pytest.mark.parametrize("name", WIRE_EXAMPLES)
def test_bytes_are_what_they_always_were(name: str) -> None:
    pinned, example = PINNED["encodings"][name], WIRE_EXAMPLES[name]
    data = encode(example.message)
    assert (len(data), sha256(data).hexdigest()) == (pinned["size"], pinned["sha256"])
    if "bytes" in pinned:
        assert decode(bytes.fromhex(pinned["bytes"]), example.expected) == example.message


def test_there_is_an_example_of_every_event_and_every_message() -> None:
    bodies = {type(signed.event.body) for signed in SIGNED_EVENTS.values()}
    assert bodies == set(events.Body.__args__)
    bases = {
        type(signed.event.body.basis)
        for signed in SIGNED_EVENTS.values()
        if isinstance(signed.event.body, events.Disclosure)
    }
    assert bases == set(events.Basis.__args__)
    known = {type(example.message) for example in WIRE_EXAMPLES.values()}
    assert known >= {*messages.PeerMessage.__args__, *messages.Gossiped.__args__}
    kinds = {
        example.message.kind
        for example in WIRE_EXAMPLES.values()
        if isinstance(example.message, votes.Vote)
    }
    assert kinds == set(votes.VoteKind)
