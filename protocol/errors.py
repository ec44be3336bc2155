"""Everything that can be wrong with something a peer sent us.

Raising one of these means "reject the input and blame its sender". A broken promise of our own is
an `AssertionError`, and crashes the node; an error that only the operator can mend is a
`DaemonError` and lives in the daemon.

Each error has a `code`: a short stable word that programs and the command line may rely on.
The text never says anything about a patient: ids are shortened to eight hex digits.
"""


class ProtocolError(Exception):
    """Base class of every error that a remote party can cause."""

    code = "protocol-error"


class DecodeError(ProtocolError):
    """The bytes are not the canonical encoding of the expected message."""

    code = "not-decodable"


class InvalidSignature(ProtocolError):
    """A signature does not belong to the key and the message it came with."""

    code = "invalid-signature"


class InvalidEvent(ProtocolError):
    """The event is well formed, but the rules forbid it in this state."""

    code = "invalid-event"


class InvalidBlock(ProtocolError):
    """The block breaks a rule that every node checks."""

    code = "invalid-block"


class InvalidCertificate(ProtocolError):
    """The certificate does not prove that a quorum signed the statement."""

    code = "invalid-certificate"


class InvalidRecord(ProtocolError):
    """Sealed bytes, a manifest or an envelope are not what was committed to."""

    code = "invalid-record"


class InvalidSnapshot(ProtocolError):
    """What was sent is not the state after a final block."""

    code = "invalid-snapshot"


class LimitExceeded(ProtocolError):
    """A peer sent more than the protocol allows."""

    code = "limit-exceeded"
