"""Bytes that are no message (scenario 24): refused by the codec, and put down to their sender."""

from random import Random

import pytest

from protocol.codec import decode, encode
from protocol.errors import DecodeError
from protocol.messages import PeerMessage, Status
from simulations.adversaries.malformer import MALFORMS, too_large
from tests.simulations.adversaries.stage import play

GOOD = encode(Status(0, 5, 4, None, 0))


@pytest.mark.parametrize("name", sorted(MALFORMS))
def test_no_malformed_message_is_read(name: str) -> None:
    random = Random(name)
    for _ in range(50):
        with pytest.raises(DecodeError):
            decode(MALFORMS[name](GOOD, random), PeerMessage)


def test_what_is_too_large_is_not_even_parsed() -> None:
    with pytest.raises(DecodeError, match="more than"):
        decode(too_large(), PeerMessage)


def test_the_message_that_they_are_made_of_is_read() -> None:
    assert encode(decode(GOOD, PeerMessage)) == GOOD


def test_each_of_them_is_put_down_to_the_sender() -> None:
    played = play("malformer")

    assert played.outcome.violations == ()
    assert played.blames.keys() == {"not-decodable"}
    assert played.blames["not-decodable"] > 50
