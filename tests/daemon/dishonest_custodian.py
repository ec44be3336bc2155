"""What a custodian would do that ignores its patients.

"Withdrawn means withdrawn" does not rest on the custodian's good will: the event is well formed and
well signed, and every other node refuses it all the same.
"""

from msgspec.structs import replace

from daemon.librarian.node import LibrarianNode
from daemon.storage.tables import records_of
from protocol.envelope import Handover, Release, seal_envelope
from protocol.events import Basis, Event, SignedEvent, sign_event
from protocol.genesis import Member
from protocol.release import build_disclosure
from protocol.request import SignedRequest

RECORDS_MAX = 4


def disclose_regardless(
    node: LibrarianNode, signed: SignedRequest, *, requester: Member, basis: Basis
) -> SignedEvent:
    """Return a disclosure of the subject's records on a basis that need not hold. Blocks.

    All else about it is as it should be: real keys, sealed to the real requester, logged under the
    next counter, signed by both sides.
    """
    me = node.member(node.me)
    assert me is not None
    subject = signed.request.subject
    records = [each.record for each in records_of(node.store, subject) if each.custodian == node.me]
    openings = [node.vault.opening(record) for record in records[:RECORDS_MAX]]
    handover = Handover(network=node.network, custodian=node.me, request=signed.commitment)
    release = Release(
        tuple(
            seal_envelope(
                opening,
                kem_public=requester.kem_key,
                handover=handover,
                not_after=signed.request.valid_until,
            )
            for opening in openings
        )
    )
    body = build_disclosure(
        signed,
        custodian=me,
        requester=requester,
        basis=basis,
        records=tuple(opening.manifest for opening in openings),
        release=release,
    )
    event = Event(
        valid_until=signed.request.valid_until,
        body=replace(body, counter=node.next_counter(subject)),
    )
    return sign_event(event, node.network, node.keys.signing)
