"""What a newcomer and its sponsor say to each other; see `daemon.joining.join`."""

from typing import Annotated

import msgspec

from protocol.codec import Bytes16, Counter, Message
from protocol.events import Event
from protocol.genesis import Genesis
from protocol.identity import Signature
from protocol.messages import PeerRecord

JOIN_PROTOCOL = "/placet/join/1"

PEERS_MAX = 128
REASON_LENGTH_MAX = 300


class GenesisWanted(Message, frozen=True, tag="genesis-wanted"):
    version: Annotated[int, msgspec.Meta(ge=0, le=255)]
    secret: Bytes16

    def __repr__(self) -> str:
        return "GenesisWanted()"


class GenesisSent(Message, frozen=True, tag="genesis-sent"):
    genesis: Genesis


class AdmissionWanted(Message, frozen=True, tag="admission-wanted"):
    """The admission of the sender, with its own signature; the sponsor's is to be added."""

    event: Event
    signature: Signature


class Admitted(Message, frozen=True, tag="admitted"):
    """The admission is final in the block at `height`."""

    height: Counter
    peers: Annotated[tuple[PeerRecord, ...], msgspec.Meta(max_length=PEERS_MAX)]


class JoinRefused(Message, frozen=True, tag="join-refused"):
    code: Annotated[str, msgspec.Meta(max_length=64)]
    reason: Annotated[str, msgspec.Meta(max_length=REASON_LENGTH_MAX)]


Request = GenesisWanted | AdmissionWanted
Answer = GenesisSent | Admitted | JoinRefused
