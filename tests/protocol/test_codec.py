"""Sizes, domains and commitments."""

import pytest

from protocol.codec import MESSAGE_SIZE_MAX, commit, decode, digest, encode
from protocol.errors import DecodeError
from protocol.votes import Vote
from tests.protocol.examples import make_network, make_vote

SALT = bytes(range(16))


def test_nothing_larger_than_the_limit_is_even_parsed() -> None:
    with pytest.raises(DecodeError, match="more than"):
        decode(bytes(MESSAGE_SIZE_MAX + 1), Vote)
    with pytest.raises(DecodeError) as caught:
        decode(bytes(MESSAGE_SIZE_MAX), Vote)
    assert "more than" not in str(caught.value)


def test_a_smaller_limit_may_be_set() -> None:
    data = encode(make_vote(make_network(), 0))
    assert decode(data, Vote, size_max=len(data))
    with pytest.raises(DecodeError, match="more than"):
        decode(data, Vote, size_max=len(data) - 1)


def test_digests_of_different_domains_or_parts_differ() -> None:
    digests = {
        digest("one"),
        digest("other"),
        digest("one", b""),
        digest("one", b"ab"),
        digest("one", b"a", b"b"),
        digest("one", b"", b"ab"),
    }
    assert len(digests) == 6


def test_a_commitment_depends_on_domain_salt_and_opening() -> None:
    commitments = {
        commit("terms", SALT, b"yes"),
        commit("terms", SALT, b"no"),
        commit("terms", SALT[::-1], b"yes"),
        commit("request", SALT, b"yes"),
    }
    assert len(commitments) == 4
    assert commit("terms", SALT, b"yes") in commitments


@pytest.mark.parametrize("size", [0, 15, 65])
def test_a_salt_that_hides_nothing_is_our_own_mistake(size: int) -> None:
    with pytest.raises(AssertionError):
        commit("terms", bytes(size), b"yes")


def test_digests_and_commitments_are_what_they_always_were() -> None:
    assert (
        digest("event", b"a", b"bc").hex()
        == "e69fbac6eb050ecf29ddbd22dbbdfed437f882034e7386481c5dfd4644c80443"
    )
    assert (
        commit("terms", SALT, b"yes").hex()
        == "2d5fd7737a870d843be81dbe3e856e3eca0ba43179c6114b4f94ffb32bce51b0"
    )
