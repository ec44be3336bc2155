"""Members as libp2p knows them.

A member's id is its Ed25519 public key. libp2p writes such a key as a protobuf of 36 bytes, and a
peer id is an identity multihash of that (libp2p specification `peer-ids`), so each follows from the
others.
"""

from libp2p.peer.id import ID

from protocol.errors import DecodeError
from protocol.identity import MemberId

KEY_PREFIX = bytes.fromhex("08011220")
"""A protobuf of key type 1 (Ed25519) with 32 bytes of key."""

PEER_ID_PREFIX = bytes.fromhex("0024")
"""An identity multihash of 36 bytes."""


def encode_public_key(member: MemberId) -> bytes:
    assert len(member) == 32
    return KEY_PREFIX + member


def decode_public_key(encoded: bytes) -> MemberId:
    """Return the key; only Ed25519 keys have a place in the network."""
    if len(encoded) != len(KEY_PREFIX) + 32 or not encoded.startswith(KEY_PREFIX):
        raise DecodeError("the peer's key is not an Ed25519 key")
    return encoded[len(KEY_PREFIX) :]


def peer_id_of(member: MemberId) -> ID:
    return ID(PEER_ID_PREFIX + encode_public_key(member))


def member_of(peer_id: ID) -> MemberId:
    """Return the key inside a peer id, or raise `DecodeError`."""
    encoded = peer_id.to_bytes()
    if not encoded.startswith(PEER_ID_PREFIX):
        raise DecodeError("the peer id does not contain a key")
    return decode_public_key(encoded[len(PEER_ID_PREFIX) :])
