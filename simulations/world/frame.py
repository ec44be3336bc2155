"""One message on a stream of its own between two members, beside the messages of the chain.

A stream neither loses nor repeats what it carries, as TCP does not: a loss makes it late. A cut
breaks it.
"""

from typing import Annotated

import msgspec

from protocol.codec import Counter, Message

FRAME_SIZE_MAX = 2 * 1024 * 1024

RESEND_AFTER = 200
"""How long until TCP sends again what was lost, in milliseconds; doubles each time."""
RESENDS_MAX = 8


class Frame(Message, frozen=True, tag="frame"):
    """One message on stream number `stream` of the member that opened it."""

    stream: Counter
    is_opener: bool
    content: Annotated[bytes, msgspec.Meta(max_length=FRAME_SIZE_MAX)]


class Raw(Message, frozen=True, tag="raw"):
    """Bytes that a hostile member sends instead of a message; they meet the codec as they are."""

    data: bytes
