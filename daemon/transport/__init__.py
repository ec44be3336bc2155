"""Connections and streams between members. The only folder that imports libp2p.

Bottom up: `addresses`, `identity`; `bytestream`, `negotiation` (multistream-select), `noise`,
`yamux_frames`, `yamux_outbox`, `yamux_stream`, `yamux`; `connection` puts these on one another.
`listening`, `dialling`, `admission`, `table`, `reception` and `guards` keep connections and streams
in bounds. `frames` and `stream` are what others see of a stream, and `transport` of it all.
`circuits` lead through a member's `relay` to one that nobody can dial, and that has `reservations`
there.
"""

from daemon.transport.circuits import format_circuit, is_circuit
from daemon.transport.errors import StreamClosed, Unreachable
from daemon.transport.frames import FRAME_SIZE_MAX
from daemon.transport.listening import CannotListen
from daemon.transport.news import Change, News, PeerConnected, PeerDisconnected
from daemon.transport.reception import StreamHandler
from daemon.transport.relay import Relay
from daemon.transport.reservations import Reservations
from daemon.transport.stream import Stream
from daemon.transport.transport import Transport, TransportLimits
from daemon.transport.yamux import YamuxLimits

__all__ = [
    "FRAME_SIZE_MAX",
    "CannotListen",
    "Change",
    "News",
    "PeerConnected",
    "PeerDisconnected",
    "Relay",
    "Reservations",
    "Stream",
    "StreamClosed",
    "StreamHandler",
    "Transport",
    "TransportLimits",
    "Unreachable",
    "YamuxLimits",
    "format_circuit",
    "is_circuit",
]
