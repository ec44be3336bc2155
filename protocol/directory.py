"""Where members can be reached: the newest signed peer record of each."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from protocol.errors import InvalidSignature
from protocol.identity import MemberId, NetworkId, Verifier
from protocol.membership import MEMBERS_MAX
from protocol.messages import PeerRecord, peer_record_signing_bytes

RECORDS_MAX = MEMBERS_MAX
CLOCK_TOLERANCE = 3_600_000
"""How far in the future a record may claim to be issued, in milliseconds."""


@dataclass(slots=True)
class Directory:
    network: NetworkId
    verifier: Verifier
    _records: dict[MemberId, PeerRecord] = field(default_factory=dict)

    def load(self, records: Iterable[PeerRecord]) -> None:
        """Take in records that were validated before, in an earlier run."""
        for record in records:
            self._records[record.member] = record

    def addresses(self, member: MemberId) -> tuple[str, ...]:
        record = self._records.get(member)
        return () if record is None else record.addresses

    def take_in(self, record: PeerRecord, now: int) -> bool:
        """Keep the record if it is newer; say whether it was. `now` is wall time in milliseconds.

        A record from the far future is not kept, and nobody is blamed: our clock may be the one
        that is wrong. The caller checks the membership. Raises `InvalidSignature`.
        """
        known = self._records.get(record.member)
        if known is not None and known.issued_at >= record.issued_at:
            return False
        if record.issued_at > now + CLOCK_TOLERANCE:
            return False
        message = peer_record_signing_bytes(
            self.network, record.member, record.issued_at, record.addresses
        )
        if not self.verifier.is_valid(record.member, message, record.signature):
            raise InvalidSignature("a peer record is not signed by its member")
        if known is None and len(self._records) >= RECORDS_MAX:
            return False
        self._records[record.member] = record
        return True
