"""What a node starts from: its keys, and what was durable when it last stopped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from protocol.blocks import Block, BlockHash
from protocol.codec import Digest
from protocol.consensus import LogRecord
from protocol.digest import StateDigest
from protocol.genesis import Genesis
from protocol.identity import SigningKey, Verifier
from protocol.ledger import Execute, execute
from protocol.messages import PeerRecord
from protocol.relay import Item, read_item
from protocol.state import EpochEntry, StateView
from protocol.sync import SNAPSHOT_LAG
from protocol.votes import Certificate


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """What a core starts from: keys, and what was durable when the node last stopped."""

    genesis: Genesis
    key: SigningKey
    voting_keys: tuple[SigningKey, ...] = ()
    """All that we hold, the oldest first; none if we must not vote."""
    head: Block
    certificate: Certificate | None
    """The finalization of the head; `None` at the genesis."""
    state: StateView
    digest: StateDigest
    lowest_height: int = 0
    """Of the oldest block that is stored; older ones were pruned."""
    snapshot_lag: int | None = SNAPSHOT_LAG
    """How many blocks behind we rather copy a state than execute them; `None`: never copy one."""
    staged_buckets: Mapping[int, int] = field(default_factory=dict)
    """Accumulators of the buckets of a state whose copy was begun."""
    recoveries: Mapping[BlockHash, EpochEntry] = field(default_factory=dict)
    """Which epochs begin on which blocks by recoveries that the operator accepted."""
    accepted: Mapping[int, Digest] = field(default_factory=dict)
    """The hashes of these recoveries, by the epochs that they end."""
    log: Sequence[LogRecord] = ()
    peer_records: Sequence[PeerRecord] = ()
    sequence: int
    """Of bundles: greater than any before, such as a clock gives."""
    verifier: Verifier = field(default_factory=Verifier)
    execute: Execute = execute
    """May remember what blocks do, where many nodes execute the same."""
    read_item: Callable[[bytes], Item] = read_item
    """May remember what bytes hold, where many nodes read the same."""
