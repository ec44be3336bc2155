"""What every libp2p peer may ask of us, member or not: `ping` and `identify`.

We answer, but do not ask: members know each other from the chain (libp2p specifications `ping` and
`identify`).
"""

from collections.abc import Iterable

import trio
from libp2p.identity.identify.pb.identify_pb2 import Identify
from multiaddr import Multiaddr

from daemon.transport.bytestream import BufferedStream
from daemon.transport.errors import StreamClosed
from daemon.transport.identity import encode_public_key
from protocol.identity import MemberId

PING_PROTOCOL = "/ipfs/ping/1.0.0"
IDENTIFY_PROTOCOL = "/ipfs/id/1.0.0"

PING_SIZE = 32
PING_SECONDS_MAX = 30
"""How long we wait for the next ping on a stream."""

PROTOCOL_VERSION = "ipfs/0.1.0"
AGENT_VERSION = "placet/1"


async def serve_ping(stream: BufferedStream) -> None:
    """Send back each 32 bytes, until the peer finishes."""
    while True:
        try:
            with trio.fail_after(PING_SECONDS_MAX):
                ping = await stream.receive_exactly(PING_SIZE)
        except StreamClosed:
            return
        with trio.fail_after(PING_SECONDS_MAX):
            await stream.send_all(ping)


def encode_identity(
    me: MemberId, *, addresses: Iterable[str], protocols: Iterable[str], observed: str
) -> bytes:
    """Return who we are and as whom we see the peer, with the length before it."""
    message = Identify(
        protocol_version=PROTOCOL_VERSION,
        agent_version=AGENT_VERSION,
        public_key=encode_public_key(me),
        listen_addrs=[Multiaddr(address).to_bytes() for address in addresses],
        observed_addr=Multiaddr(observed).to_bytes(),
        protocols=list(protocols),
    ).SerializeToString()
    return encode_varint(len(message)) + message


def encode_varint(value: int) -> bytes:
    """Return a length as libp2p writes it before a message (multiformats `unsigned-varint`)."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
