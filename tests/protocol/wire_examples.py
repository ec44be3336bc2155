"""One example of everything that is encoded: each event, each message, votes, blocks, genesis.

`WIRE_EXAMPLES` maps a name to the example and to what it is decoded as. The bytes are the same in
every run; `tests/vectors/wire.json` pins them.
"""

from dataclasses import dataclass
from typing import Any

from protocol.blocks import Block, FinalizedBlocks, Header, block_hash
from protocol.digest import BUCKET_COUNT, StateDigest
from protocol.events import (
    ConsentBasis,
    Event,
    PolicyBasis,
    RequestStatement,
    SignedEvent,
)
from protocol.genesis import Genesis
from protocol.light import EpochProof, FinalHeader
from protocol.messages import (
    BlockSent,
    BlockWanted,
    BucketSent,
    BucketWanted,
    CertificateWanted,
    EpochsSent,
    EpochsWanted,
    Gossiped,
    Graft,
    Have,
    ManifestSent,
    ManifestWanted,
    Payload,
    PeerMessage,
    Proposal,
    Prune,
    RangeWanted,
    RecoverySent,
    RecoveryWanted,
    SnapshotGone,
    Status,
    Topic,
    VotesSeen,
    VotesWanted,
)
from protocol.recovery_proof import (
    RecoveryManifest,
    RecoveryProof,
    RecoverySignature,
    recovery_statement,
)
from protocol.votes import Certificate, Vote, VoteKind
from tests.protocol.authority_examples import authority_ballot, authority_ready, equivocation
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    VALID_UNTIL,
    access_requested,
    consent_given,
    consent_withdrawn,
    disclosure,
    emergency_reviewed,
    erased,
    make_bundle,
    make_certificate,
    make_key,
    make_network,
    make_party,
    make_peer_record,
    make_vote,
    member_admitted,
    member_removed,
    records_committed,
    token,
)


@dataclass(frozen=True)
class WireExample:
    message: Any
    expected: Any
    """The type that it is decoded as."""


def _signed_events() -> dict[str, SignedEvent]:
    patient, authority = make_key("patient"), NETWORK.authorities[0]
    custodian, requester = NETWORK.members
    opened = disclosure(NETWORK, patient, custodian, requester)
    by_consent, by_policy = (
        disclosure(NETWORK, patient, custodian, requester, counter=counter, basis=basis)
        for counter, basis in ((2, ConsentBasis(token("consent", 16))), (3, PolicyBasis()))
    )
    return {
        "member-admitted": member_admitted(NETWORK, make_party("newcomer"), authority),
        "member-removed": member_removed(NETWORK, requester.id),
        "authority-ready": authority_ready(NETWORK, custodian),
        "authority-ballot": authority_ballot(NETWORK, authority, custodian),
        "consent-given": consent_given(NETWORK, patient, custodian),
        "consent-withdrawn": consent_withdrawn(NETWORK, patient),
        "records-committed": records_committed(NETWORK, custodian),
        "access-requested": access_requested(NETWORK, requester, custodian),
        "disclosure-emergency": opened,
        "disclosure-consent": by_consent,
        "disclosure-policy": by_policy,
        "emergency-reviewed": emergency_reviewed(NETWORK, opened, custodian),
        "erased": erased(NETWORK, custodian),
        "equivocation": equivocation(NETWORK, requester, culprit=1),
    }


def _messages() -> dict[str, Any]:
    given = SIGNED_EVENTS["consent-given"]
    nullification = make_certificate(NETWORK, kind=VoteKind.NULLIFY, view=2)
    return {
        "vote-notarize": make_vote(NETWORK, 0),
        "vote-nullify": make_vote(NETWORK, 1, kind=VoteKind.NULLIFY, view=300),
        "vote-finalize": make_vote(NETWORK, 2, kind=VoteKind.FINALIZE, view=70_000),
        "certificate": make_certificate(NETWORK),
        "bundle": make_bundle(NETWORK, NETWORK.members[0], given),
        "peer-record": make_peer_record(NETWORK, NETWORK.members[0]),
        "proposal": Proposal(BLOCK, make_vote(NETWORK, 1), (nullification,)),
        "status": Status(0, 3, 1, CERTIFICATE, 0),
        "status-without-certificate": Status(0, 1, 0, None, 0),
        "block-wanted": BlockWanted(token("block")),
        "block-sent": BlockSent(BLOCK),
        "certificate-wanted": CertificateWanted(0, 7),
        "votes-wanted": VotesWanted(0, 1_800_000_000_000),
        "votes-seen": VotesSeen(0, 1_800_000_000_000, (make_vote(NETWORK, 1),)),
        "range-wanted": RangeWanted(1, 1_024),
        "finalized-blocks": FinalizedBlocks((BLOCK,), CERTIFICATE),
        "payload": Payload(Topic.EVENTS, b"gossip"),
        "have": Have(Topic.BLOCKS, (token("one", 16), token("two", 16))),
        "graft": Graft(Topic.PEERS, (token("one", 16),)),
        "prune": Prune(Topic.EVENTS),
        **_snapshot_messages(),
    }


def _snapshot_messages() -> dict[str, Any]:
    hash_ = block_hash(BLOCK.header)
    final = FinalHeader(BLOCK.header, (BLOCK.header,), CERTIFICATE)
    proof = EpochProof(final, NETWORK.genesis.authorities)
    entries = ((b"a", b"one"), (b"b", b""))
    sizes = tuple(range(BUCKET_COUNT))
    return {
        "manifest-wanted": ManifestWanted(hash_),
        "manifest-sent": ManifestSent(
            BLOCK, (BLOCK.header,), CERTIFICATE, StateDigest().encode(), sizes
        ),
        "epochs-wanted": EpochsWanted(3),
        "epochs-sent": EpochsSent(3, (proof,)),
        "bucket-wanted": BucketWanted(hash_, 15, b"a"),
        "bucket-sent": BucketSent(hash_, 15, entries, is_last=True),
        "snapshot-gone": SnapshotGone(hash_),
        "epochs-sent-recovery": EpochsSent(0, (_recovery_proof(),)),
        "recovery-wanted": RecoveryWanted(2),
        "recovery-sent": RecoverySent(_recovery_proof(), (BLOCK,)),
    }


def _recovery_proof() -> RecoveryProof:
    manifest = RecoveryManifest(
        network=NETWORK.id,
        epoch=0,
        base=block_hash(BLOCK.header),
        base_height=BLOCK.header.height,
        abandoned=(token("abandoned"),),
        authorities=NETWORK.genesis.authorities,
        reason="flood",
        reports=token("reports"),
    )
    signed = NETWORK.authorities[0].recovery_key.sign(recovery_statement(manifest))
    return RecoveryProof(manifest, (RecoverySignature(0, signed),))


NETWORK = make_network()
SIGNED_EVENTS = _signed_events()
BLOCK, CERTIFICATE, _ = ExampleLedger(NETWORK).next_block(
    SIGNED_EVENTS["consent-given"], SIGNED_EVENTS["records-committed"]
)
GOSSIPED = ("bundle", "peer-record", "finalized-blocks")
MESSAGES = _messages()

WIRE_EXAMPLES: dict[str, WireExample] = {
    "genesis": WireExample(NETWORK.genesis, Genesis),
    "header": WireExample(BLOCK.header, Header),
    "block": WireExample(BLOCK, Block),
    "empty-block": WireExample(ExampleLedger(NETWORK).next_block()[0], Block),
    "request-statement": WireExample(
        RequestStatement(
            requester=NETWORK.members[1].id,
            custodian=NETWORK.members[0].id,
            request=token("request"),
            valid_until=VALID_UNTIL,
        ),
        RequestStatement,
    ),
    **{f"event/{name}": WireExample(signed.event, Event) for name, signed in SIGNED_EVENTS.items()},
    **{
        f"signed-event/{name}": WireExample(signed, SignedEvent)
        for name, signed in SIGNED_EVENTS.items()
    },
    **{
        f"message/{name}": WireExample(message, PeerMessage)
        for name, message in MESSAGES.items()
        if name != "peer-record"
    },
    **{f"gossiped/{name}": WireExample(MESSAGES[name], Gossiped) for name in GOSSIPED},
    "certificate-or-vote": WireExample(CERTIFICATE, Vote | Certificate),
}
"""Everything by name. A union of messages is decoded as such, as on the wire."""
