"""What nodes say to each other about the chain, each kind with its limit.

`PeerMessage` is everything that travels on the long-lived streams between two members. Three
kinds of content are gossiped to all (`Gossiped`); votes, proposals and fetches go directly.
"""

from enum import IntEnum
from typing import Annotated

import msgspec

from protocol.blocks import BLOCK_SIZE_MAX, TAIL_MAX, Block, BlockHash, FinalizedBlocks, Header
from protocol.codec import Bytes16, Counter, Message, Timestamp, encode
from protocol.digest import BUCKET_COUNT, DIGEST_SIZE
from protocol.events import SignedEvent
from protocol.identity import MemberId, NetworkId, Signature, SigningKey, signing_bytes
from protocol.light import EpochEnd
from protocol.recovery_proof import RecoveryProof
from protocol.votes import Certificate, Vote

EVENTS_PER_BUNDLE_MAX = 256
BUNDLE_SIZE_MAX = 64 * 1024
JUSTIFICATION_MAX = 17
"""The parent's certificate and at most 16 nullifications."""
BLOCKS_PER_RANGE_MAX = 1_024
VOTES_SEEN_MAX = 256
ADDRESSES_MAX = 8
ADDRESS_LENGTH_MAX = 200
GOSSIP_SIZE_MAX = 2 * 1024 * 1024
HAVE_IDS_MAX = 1_024
EPOCHS_PER_ANSWER_MAX = 32
ENTRY_KEY_MAX = 128
ENTRY_VALUE_MAX = BLOCK_SIZE_MAX
"""The largest key and value in the state, in bytes: no block can make larger ones."""
ENTRIES_PER_PART_MAX = 65_536
PART_SIZE_MIN = 256 * 1024
"""Bytes of keys and values in each part of a bucket but the last; an answer ends as soon as it has
them, so that who is answered knows that it gets on."""

Address = Annotated[str, msgspec.Meta(min_length=1, max_length=ADDRESS_LENGTH_MAX)]
"""A multiaddr without the peer id, such as /ip4/192.0.2.1/tcp/4001."""

GossipId = Bytes16
"""The name of a gossiped message: 16 bytes of BLAKE2b over what makes two of them the same."""


class Bundle(Message, frozen=True, tag="bundle"):
    """Events that enter the network through one member, who answers for them."""

    submitter: MemberId
    sequence: Counter
    """Grows with each bundle of the submitter; so two bundles are never the same."""
    events: Annotated[
        tuple[SignedEvent, ...],
        msgspec.Meta(min_length=1, max_length=EVENTS_PER_BUNDLE_MAX),
    ]
    signature: Signature


class PeerRecord(Message, frozen=True, tag="peer-record"):
    """Where a member can be reached. The newest one counts."""

    member: MemberId
    issued_at: Timestamp
    addresses: Annotated[tuple[Address, ...], msgspec.Meta(max_length=ADDRESSES_MAX)]
    signature: Signature


class Proposal(Message, frozen=True, tag="proposal"):
    """A leader's block with its own notarize vote, and why the block may stand where it does."""

    block: Block
    vote: Vote
    justification: Annotated[tuple[Certificate, ...], msgspec.Meta(max_length=JUSTIFICATION_MAX)]


class Status(Message, frozen=True, tag="status"):
    """Where a node stands: its view, its finalized tip with the proof, its oldest block."""

    epoch: Counter
    view: Counter
    height: Counter
    certificate: Certificate | None
    lowest_height: Counter


class BlockWanted(Message, frozen=True, tag="block-wanted"):
    block: BlockHash


class BlockSent(Message, frozen=True, tag="block-sent"):
    block: Block


class CertificateWanted(Message, frozen=True, tag="certificate-wanted"):
    """Asks for the certificates with which one can leave the view."""

    epoch: Counter
    view: Counter


class VotesWanted(Message, frozen=True, tag="votes-wanted"):
    """An authority that has just started asks which votes of its own others have seen."""

    epoch: Counter
    question: Counter
    """Repeated in the answer, which so cannot be one to an earlier start."""


class VotesSeen(Message, frozen=True, tag="votes-seen"):
    """The newest votes of the asker that the sender knows, as they were signed."""

    epoch: Counter
    question: Counter
    votes: Annotated[tuple[Vote, ...], msgspec.Meta(max_length=VOTES_SEEN_MAX)]


class RangeWanted(Message, frozen=True, tag="range-wanted"):
    """Asks for finalized blocks from `first` on; answered with `FinalizedBlocks`."""

    first: Counter
    last: Counter


class ManifestWanted(Message, frozen=True, tag="manifest-wanted"):
    """Asks for a snapshot: that after `block` if it is at hand, else that after another one."""

    block: BlockHash


class ManifestSent(Message, frozen=True, tag="manifest-sent"):
    """A snapshot: a final block, and what the state after it sums up to, bucket by bucket."""

    head: Block
    descendants: Annotated[tuple[Header, ...], msgspec.Meta(max_length=TAIL_MAX)]
    certificate: Certificate
    accumulators: Annotated[bytes, msgspec.Meta(min_length=DIGEST_SIZE, max_length=DIGEST_SIZE)]
    sizes: Annotated[
        tuple[Counter, ...], msgspec.Meta(min_length=BUCKET_COUNT, max_length=BUCKET_COUNT)
    ]
    """Bytes of keys and values in each bucket. Nobody but the sender answers for them."""


class EpochsWanted(Message, frozen=True, tag="epochs-wanted"):
    """Asks who the authorities were after epoch `first`, and after those that followed."""

    first: Counter


class EpochsSent(Message, frozen=True, tag="epochs-sent"):
    first: Counter
    proofs: Annotated[
        tuple[EpochEnd, ...], msgspec.Meta(min_length=1, max_length=EPOCHS_PER_ANSWER_MAX)
    ]


class RecoveryWanted(Message, frozen=True, tag="recovery-wanted"):
    """Asks for the recovery with which `epoch` ended; answered with `RecoverySent`, if it did."""

    epoch: Counter


class RecoverySent(Message, frozen=True, tag="recovery-sent"):
    """How an epoch ended, and the blocks up to its base that have no certificate but this."""

    proof: RecoveryProof
    blocks: Annotated[tuple[Block, ...], msgspec.Meta(max_length=BLOCKS_PER_RANGE_MAX)]


Bucket = Annotated[int, msgspec.Meta(ge=0, lt=BUCKET_COUNT)]
EntryKey = Annotated[bytes, msgspec.Meta(max_length=ENTRY_KEY_MAX)]
EntryValue = Annotated[bytes, msgspec.Meta(max_length=ENTRY_VALUE_MAX)]


class BucketWanted(Message, frozen=True, tag="bucket-wanted"):
    """Asks for entries of one bucket of the state after `block`: those with keys after `after`."""

    block: BlockHash
    bucket: Bucket
    after: EntryKey


class BucketSent(Message, frozen=True, tag="bucket-sent"):
    """Entries in the order of their keys, without a gap; the last ones of the bucket, or not."""

    block: BlockHash
    bucket: Bucket
    entries: Annotated[
        tuple[tuple[EntryKey, EntryValue], ...], msgspec.Meta(max_length=ENTRIES_PER_PART_MAX)
    ]
    is_last: bool


class SnapshotGone(Message, frozen=True, tag="snapshot-gone"):
    """The state after `block` is not at hand any more."""

    block: BlockHash


class Topic(IntEnum):
    """Gossip of one topic spreads along a tree of its own."""

    EVENTS = 0
    BLOCKS = 1
    PEERS = 2


class Payload(Message, frozen=True, tag="payload"):
    """A gossiped message, pushed along the tree. `content` is an encoded `Gossiped`."""

    topic: Topic
    content: Annotated[bytes, msgspec.Meta(max_length=GOSSIP_SIZE_MAX)]


class Have(Message, frozen=True, tag="have"):
    """Announces payloads along links that are not in the tree."""

    topic: Topic
    ids: Annotated[tuple[GossipId, ...], msgspec.Meta(min_length=1, max_length=HAVE_IDS_MAX)]


class Graft(Message, frozen=True, tag="graft"):
    """Asks for payloads that did not come, and to be in the tree."""

    topic: Topic
    ids: Annotated[tuple[GossipId, ...], msgspec.Meta(min_length=1, max_length=HAVE_IDS_MAX)]


class Prune(Message, frozen=True, tag="prune"):
    """Asks for announcements instead of payloads: they came another way."""

    topic: Topic


Gossiped = Bundle | FinalizedBlocks | PeerRecord
ConsensusMessage = (
    Proposal
    | Vote
    | Certificate
    | Status
    | BlockWanted
    | BlockSent
    | CertificateWanted
    | VotesWanted
    | VotesSeen
)
SnapshotQuestion = ManifestWanted | EpochsWanted | BucketWanted
SnapshotAnswer = ManifestSent | EpochsSent | BucketSent | SnapshotGone
CatchUpMessage = (
    RangeWanted
    | ManifestWanted
    | EpochsWanted
    | BucketWanted
    | ManifestSent
    | EpochsSent
    | BucketSent
    | SnapshotGone
    | RecoveryWanted
    | RecoverySent
)
PeerMessage = (
    Proposal
    | Vote
    | Certificate
    | Status
    | BlockWanted
    | BlockSent
    | CertificateWanted
    | VotesWanted
    | VotesSeen
    | RangeWanted
    | FinalizedBlocks
    | Bundle
    | Payload
    | Have
    | Graft
    | Prune
    | ManifestWanted
    | ManifestSent
    | EpochsWanted
    | EpochsSent
    | BucketWanted
    | BucketSent
    | SnapshotGone
    | RecoveryWanted
    | RecoverySent
)


def bundle_signing_bytes(
    network: NetworkId, submitter: MemberId, sequence: int, events: tuple[SignedEvent, ...]
) -> bytes:
    """Return what the submitter of a bundle signs."""
    return signing_bytes("bundle", network, encode((submitter, sequence, events)))


def sign_bundle(
    key: SigningKey, network: NetworkId, sequence: int, events: tuple[SignedEvent, ...]
) -> Bundle:
    """Return the bundle of `events`, for which the holder of `key` answers."""
    message = bundle_signing_bytes(network, key.public, sequence, events)
    return Bundle(key.public, sequence, events, key.sign(message))


def peer_record_signing_bytes(
    network: NetworkId, member: MemberId, issued_at: int, addresses: tuple[str, ...]
) -> bytes:
    """Return what a member signs to say where it is."""
    return signing_bytes("peer-record", network, encode((member, issued_at, addresses)))


def sign_peer_record(
    key: SigningKey, network: NetworkId, issued_at: int, addresses: tuple[str, ...]
) -> PeerRecord:
    """Return the record that says where the holder of `key` is."""
    message = peer_record_signing_bytes(network, key.public, issued_at, addresses)
    return PeerRecord(key.public, issued_at, addresses, key.sign(message))
