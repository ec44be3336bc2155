"""Member ids and libp2p peer ids follow from each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.rsa import create_new_key_pair as create_rsa_key_pair
from libp2p.peer.id import ID

from daemon.transport.identity import member_of, peer_id_of
from protocol.errors import DecodeError
from protocol.identity import SigningKey

seeds = st.binary(min_size=32, max_size=32)


@given(seeds)
def test_the_libp2p_key_of_a_seed_is_the_members(seed: bytes) -> None:
    public = SigningKey(seed).public
    libp2p_key = create_new_key_pair(seed).public_key
    assert libp2p_key.to_bytes() == public
    assert peer_id_of(public) == ID.from_pubkey(libp2p_key)
    assert member_of(peer_id_of(public)) == public


def test_a_key_of_another_kind_has_no_member_id() -> None:
    peer_id = ID.from_pubkey(create_rsa_key_pair(2048).public_key)
    with pytest.raises(DecodeError):
        member_of(peer_id)


@given(st.binary(max_size=50))
def test_other_bytes_are_no_peer_id_of_a_member(encoded: bytes) -> None:
    try:
        member = member_of(ID(encoded))
    except DecodeError:
        return
    assert peer_id_of(member).to_bytes() == encoded
