"""Members as libp2p knows them.

A member's id is its Ed25519 public key. A libp2p peer id of such a key contains the key itself
(an identity multihash of its protobuf encoding; libp2p specification `peer-ids`), so each follows
from the other.
"""

from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.keys import KeyPair
from libp2p.peer.id import ID

from protocol.errors import DecodeError
from protocol.identity import MemberId

PEER_ID_PREFIX = bytes.fromhex("002408011220")
"""Identity multihash of 36 bytes: a protobuf of key type 1 (Ed25519) with 32 bytes of key."""


def key_pair_of(seed: bytes) -> KeyPair:
    """Return the libp2p key pair that belongs to a node's 32-byte seed."""
    assert len(seed) == 32
    return create_new_key_pair(seed)


def peer_id_of(member: MemberId) -> ID:
    assert len(member) == 32
    return ID(PEER_ID_PREFIX + member)


def member_of(peer_id: ID) -> MemberId:
    """Return the key inside a peer id; only Ed25519 keys have a place in the network."""
    encoded = peer_id.to_bytes()
    if len(encoded) != len(PEER_ID_PREFIX) + 32 or not encoded.startswith(PEER_ID_PREFIX):
        raise DecodeError("the peer's key is not an Ed25519 key")
    return encoded[len(PEER_ID_PREFIX) :]
