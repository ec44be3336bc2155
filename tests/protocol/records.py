"""Small records for tests. What they say is invented."""

from protocol.container import Sealer
from protocol.record import Description, Manifest

DEK = bytes(range(32))
PREFIX = b"p" * 16
SALT = b"s" * 32
CUSTODIAN = b"c" * 32
DESCRIPTION = Description(
    subject=b"u" * 32,
    custodian=CUSTODIAN,
    mime_type="application/fhir+json",
    categories=("34133-9", "laboratory"),
    sensitivity=(),
    author="Laboratory 7",
    authored_at=1_700_000_000_000,
    title="Blood count",
)


def make_manifest(
    plaintext: bytes = b"text", *, dek: bytes = DEK, record: bytes = b"i" * 16
) -> Manifest:
    """Return the manifest of a record with one chunk."""
    sealer = Sealer(dek, PREFIX)
    sealer.seal(plaintext, last=True)
    return Manifest(id=record, description=DESCRIPTION, content=sealer.content(), salt=SALT)
