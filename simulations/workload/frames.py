"""What two clinics say to each other on a stream of its own, beside the messages of the chain.

A stream is opened by one clinic with a first message, and is one exchange. In the daemon each is a
stream of the transport; here its frames travel along the virtual links.
"""

from protocol.codec import decode, encode
from protocol.delivery import TermsDeclined, TermsKept, TermsSent
from protocol.release import (
    Acknowledged,
    ChunksSent,
    ChunksWanted,
    Granted,
    NotConsidered,
    NotLogged,
    Refused,
)
from protocol.request import SignedRequest
from simulations.world.frame import Frame

Asked = SignedRequest | ChunksWanted | Acknowledged | TermsSent
"""What the opener of a stream says."""

Answered = Refused | NotConsidered | NotLogged | Granted | ChunksSent | TermsKept | TermsDeclined


def asked(stream: int, message: Asked) -> Frame:
    """Return what the opener of the stream sends."""
    return Frame(stream, is_opener=True, content=encode(message))


def answered(stream: int, message: Answered) -> Frame:
    """Return what goes back to the opener of the stream."""
    return Frame(stream, is_opener=False, content=encode(message))


def read_asked(frame: Frame) -> Asked:
    """Return the message of an opener. Raises `DecodeError`."""
    message: Asked = decode(frame.content, Asked)
    return message


def read_answered(frame: Frame) -> Answered:
    """Return the message to an opener. Raises `DecodeError`."""
    message: Answered = decode(frame.content, Answered)
    return message
