"""What can go wrong between two nodes without anybody being to blame.

A peer that breaks the rules raises a `ProtocolError` instead; a port that is taken is a
`DaemonError`.
"""


class StreamClosed(Exception):
    """The stream cannot be used any more: the peer finished, reset or lost it, or we did."""


class Unreachable(Exception):
    """The member cannot be reached now. The text says why, for each address that was tried."""
