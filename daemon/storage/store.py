"""The finalized chain and its state on disk. Nothing else in the daemon knows that LevelDB exists.

`daemon.storage.layout` says what lies under which key. All that a block brings is written in one
synced batch: after a crash all of it is there, or nothing. All reads check checksums. A store
that failed to write once refuses to write until it is opened anew.

One task appends; any thread may read, and write local tables.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from daemon.storage import layout
from daemon.storage.errors import (
    CorruptStore,
    StoreFailed,
    StoreMismatch,
    explain,
)
from daemon.storage.files import create_folder
from daemon.storage.layout import Entries, Location, after, at, block_entries, changed_pieces
from daemon.storage.leveldb_files import Damage, check_log_ends, check_logs, check_tables
from protocol.blocks import Block, BlockHash, FinalizedBlocks, block_hash
from protocol.codec import MESSAGE_SIZE_MAX, decode, encode
from protocol.errors import DecodeError
from protocol.events import EventId, SignedEvent
from protocol.identity import NetworkId, SubjectId
from protocol.messages import BLOCKS_PER_RANGE_MAX
from protocol.votes import NO_BLOCK, Certificate, VoteKind

if sys.version_info < (3, 12):
    import plyvel as leveldb
else:
    import plyvel_next as leveldb  # The same, where plyvel has no wheels.

SCHEMA = (2).to_bytes(4, "big")
"""The version of the layout."""

COMPRESSION: str | None = None
"""Keys and values are hashes, for the most part: Snappy saves little of them, and takes most of the
time in which LevelDB sorts its tables. Blocks that an earlier version has packed stay readable."""

CACHE_SIZE = 8 * 1024 * 1024
"""Only for packed blocks: all others are read where their table is mapped into memory."""

OPEN_FILES_MAX = 74
"""The least that LevelDB takes: 64 tables of 2 MiB, each of which is mapped into memory."""

BLOOM_BITS_PER_KEY = 10

_TABLE_LINE = re.compile(r"^ (\d+):\d+\[", re.MULTILINE)
"""A line of LevelDB's property `leveldb.sstables`, which names a table by its number."""

T = TypeVar("T")


class ChainStore:
    """Finalized blocks in their order, the state after the last of them, and local tables."""

    def __init__(self, db: Any, network: NetworkId, path: Path) -> None:
        self._db = db
        self._is_frozen = False
        self._path = path
        self._failed = False
        self.network = network
        self._check_bookkeeping()
        self._read_position()

    def _read_position(self) -> None:
        """Read where we are: for `daemon.storage.staging`, which moves it."""
        self._state = self._get(layout.STATE_KEY) or layout.STATE
        self._lowest = int.from_bytes(self._get(layout.LOWEST_KEY) or b"", "big")
        self._digest_pieces = dict(self.items(layout.DIGEST))
        self._head = self._read_head()

    @classmethod
    @contextmanager
    def open(cls, path: Path, network: NetworkId) -> Iterator[Self]:
        """Open the store in the folder `path`, or make a new one if there is none.

        Raises `StoreLocked`, `StoreMismatch`, `CorruptStore`, `StoreFull` or `StoreFailed`.
        """
        for damage in check_log_ends(path):
            raise CorruptStore(f"the store in {path} is damaged: {damage}")
        try:
            create_folder(path)
        except OSError as error:
            raise StoreFailed(f"cannot make the folder {path}: {error.strerror}") from error
        with _daemon_errors(path):
            db = leveldb.DB(
                str(path),
                create_if_missing=True,
                paranoid_checks=True,
                compression=COMPRESSION,
                lru_cache_size=CACHE_SIZE,
                max_open_files=OPEN_FILES_MAX,
                bloom_filter_bits=BLOOM_BITS_PER_KEY,
            )
        with closing(db):
            yield cls(db, network, path)

    @property
    def is_new(self) -> bool:
        """Whether the store does not even have the genesis block."""
        return self._head is None

    @property
    def head(self) -> Block:
        """The newest block; at height 0 that of the genesis."""
        assert self._head is not None, "call `begin` first"
        return self._head

    @property
    def height(self) -> int:
        return self.head.header.height

    @property
    def lowest_height(self) -> int:
        """The height of the oldest block: 0, or how far the chain was pruned."""
        return self._lowest

    @property
    def path(self) -> Path:
        return self._path

    @property
    def digest_pieces(self) -> Mapping[bytes, bytes]:
        """The pieces of the accumulators, as they are stored."""
        return self._digest_pieces

    @property
    def digest(self) -> bytes:
        """The accumulators of the state digest, as they were handed to `append`."""
        return b"".join(piece for _, piece in sorted(self._digest_pieces.items()))

    def get(self, key: bytes) -> bytes | None:
        """Return the state entry under `key`: the store is a `StateView`."""
        return self._get(self._state + key)

    def entry(self, key: bytes) -> bytes | None:
        """For `verification`: return what lies under a key of `layout`."""
        return self._get(key)

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """For `daemon.storage.verification`: yield all that is stored, in the order of the keys."""
        return self.items(b"")

    def state_items(self, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield all state entries from the key `start` on, in the order of their keys."""
        return self.items(self._state, start)

    @property
    def spare_state(self) -> bytes:
        """The prefix under which a snapshot is copied while the state is elsewhere."""
        return layout.STATE if self._state == layout.OTHER_STATE else layout.OTHER_STATE

    def block(self, height: int) -> Block | None:
        return self._message(at(layout.BLOCK, height), Block)

    def height_of(self, block: BlockHash) -> int | None:
        value = self._get(layout.HASH + block)
        return None if value is None else int.from_bytes(value, "big")

    def certificate(self, height: int) -> Certificate | None:
        """Return the finalization of exactly this block; most blocks below another have none."""
        return self._message(at(layout.CERTIFICATE, height), Certificate)

    def tail(self, height: int) -> tuple[Block, ...]:
        """Return what leads from the block to the one that its certificate is for."""
        tail = self._message(at(layout.TAIL, height), tuple[Block, ...])
        return () if tail is None else tail

    def finalization(self, height: int) -> tuple[int, Certificate] | None:
        """Return the certificate that makes the block at `height` final, and where it stands."""
        for key, value in self.items(layout.CERTIFICATE, start=height.to_bytes(8, "big")):
            return int.from_bytes(key, "big"), decode_stored(value, Certificate)
        return None

    def finalized_range(
        self, first: int, last: int, size_max: int, size_wanted: int = MESSAGE_SIZE_MAX
    ) -> FinalizedBlocks | None:
        """Return the blocks from `first` to the last one up to `last` that has a certificate.

        They are of one epoch, the end of which has a certificate. It goes beyond `last` or
        `size_wanted` bytes only where nothing before has one. None if `first` is not there, or if
        none comes within `size_max` bytes and `BLOCKS_PER_RANGE_MAX` blocks.
        """
        encoded, count, certificate, size = list[bytes](), 0, None, 0
        for height in range(first, first + BLOCKS_PER_RANGE_MAX):
            value = self._get(at(layout.BLOCK, height))
            size += len(value or b"")
            is_more = height > last or size > size_wanted
            if value is None or size > size_max or (is_more and certificate):
                break
            encoded.append(value)
            if found := self.certificate(height):
                if found.epoch != decode_stored(encoded[0], Block).header.epoch:
                    break
                count, certificate = len(encoded), found
        if certificate is None:
            return None
        blocks = tuple(decode_stored(value, Block) for value in encoded[:count])
        return FinalizedBlocks(blocks, certificate, self.tail(first + count - 1))

    def event_location(self, event: EventId) -> Location | None:
        value = self._get(layout.EVENT + event)
        return None if value is None else Location.from_bytes(value)

    def event_at(self, location: Location) -> SignedEvent:
        """Return the event at a location that one of the indexes gave."""
        block = self.block(location.height)
        if block is None or location.position >= len(block.events):
            raise CorruptStore(f"an index points to nothing in block {location.height}")
        return block.events[location.position]

    def disclosures(self, subject: SubjectId) -> list[Location]:
        """Return where the disclosures about `subject` stand, the oldest first."""
        return self._locations(layout.DISCLOSURE + subject)

    def begin(self, genesis: Block, changes: Mapping[bytes, bytes | None], digest: bytes) -> None:
        """Write the genesis block and its state into a store that is new."""
        assert self.is_new
        assert genesis.header.height == 0
        assert genesis.header.network == self.network
        self._write_chain((genesis,), None, changes, digest)

    def append(
        self,
        blocks: Sequence[Block],
        certificate: Certificate,
        changes: Mapping[bytes, bytes | None],
        digest: bytes,
        tail: tuple[Block, ...] = (),
    ) -> None:
        """Write the next blocks, the last of which `certificate` finalizes, with their state.

        On return all of it is on the disk. After an error or a crash all of it is there, or none.
        """
        parent = self.head.header
        for block in blocks:
            assert block.header.height == parent.height + 1
            assert block.header.parent == block_hash(parent)
            parent = block.header
        for block in tail:
            assert block.header.is_tail
            assert block.header.parent == block_hash(parent)
            parent = block.header
        assert certificate.kind == VoteKind.FINALIZE
        assert certificate.block == block_hash(parent) != NO_BLOCK
        self._write_chain(blocks, certificate, changes, digest, tail)

    def recover(
        self, blocks: Sequence[Block], changes: Mapping[bytes, bytes | None], digest: bytes
    ) -> None:
        """Write blocks that a recovery keeps without a finalization, and what begins on the last.

        The caller has checked the recovery. There may be no blocks, only the state after the head.
        """
        self._write_chain(tuple(blocks) or (self.head,), None, changes, digest)

    def _write_chain(
        self,
        blocks: Sequence[Block],
        certificate: Certificate | None,
        changes: Mapping[bytes, bytes | None],
        digest: bytes,
        tail: tuple[Block, ...] = (),
    ) -> None:
        entries: Entries = {self._state + key: new for key, new in changes.items()}
        for block in blocks:
            entries |= block_entries(block, self.network)
        if certificate is not None:
            entries[at(layout.CERTIFICATE, blocks[-1].header.height)] = encode(certificate)
        if tail:
            entries[at(layout.TAIL, blocks[-1].header.height)] = encode(tail)
        pieces = changed_pieces(self._digest_pieces, digest)
        entries |= {layout.DIGEST + key: piece for key, piece in pieces.items()}
        self.write(entries)
        self._digest_pieces = self._digest_pieces | pieces
        self._head = blocks[-1]

    def move(self, entries: Mapping[bytes, bytes | None]) -> None:
        """For `daemon.storage.staging`: write what makes another block the newest one."""
        self.write(entries)
        self._read_position()

    def raise_lowest(self, height: int) -> None:
        """For `daemon.storage.pruning`: from now on, nothing below `height` counts as stored."""
        assert self._lowest <= height <= self.height
        self.write({layout.LOWEST_KEY: height.to_bytes(8, "big")})
        self._lowest = height

    def compact(self, start: bytes, stop: bytes) -> None:
        """Give back the room of what was deleted between two keys. Takes long."""
        with _daemon_errors(self._path):
            self._db.compact_range(start=start, stop=stop)

    def damaged_files(self) -> Iterator[Damage]:
        """Yield damage in any byte of the files that hold the store; it may be in use meanwhile."""
        yield from check_logs(self._path)
        tables = self._db.get_property(b"leveldb.sstables").decode()
        names = [f"{int(number):06}.ldb" for number in _TABLE_LINE.findall(tables)]
        yield from check_tables(self._path, names)

    @contextmanager
    def frozen(self) -> Iterator[Self]:
        """Yield the store as it is now, to be read while this one goes on."""
        with closing(self._db.snapshot()) as snapshot:
            frozen = type(self)(snapshot, self.network, self._path)
            frozen._is_frozen = True
            yield frozen

    def items(
        self, prefix: bytes, start: bytes = b"", stop: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield what follows `prefix` in each key, from `start` up to `stop`, and the value.

        For the other files of this folder.
        """
        with _daemon_errors(self._path):
            entries = self._db.iterator(
                start=prefix + start, stop=stop or after(prefix), verify_checksums=True
            )
            with closing(entries):
                for key, value in entries:
                    yield key[len(prefix) :], value

    def write(self, entries: Mapping[bytes, bytes | None]) -> None:
        """Put and delete all of `entries` in one synced batch."""
        assert not self._is_frozen
        if self._failed:
            raise StoreFailed(f"the store in {self._path} failed to write before")
        try:
            with self._db.write_batch(sync=True) as batch:
                for key, value in entries.items():
                    if value is None:
                        batch.delete(key)
                    else:
                        batch.put(key, value)
        except leveldb.Error as error:
            self._failed = True
            raise explain(error, self._path) from error

    def _get(self, key: bytes) -> bytes | None:
        try:
            value: bytes | None = self._db.get(key, verify_checksums=True)
        except leveldb.Error as error:
            raise explain(error, self._path) from error
        return value

    def _locations(self, prefix: bytes) -> list[Location]:
        return [Location.from_bytes(key) for key, _ in self.items(prefix)]

    def _message(self, key: bytes, expected: type[T]) -> T | None:
        value = self._get(key)
        return None if value is None else decode_stored(value, expected)

    def _read_head(self) -> Block | None:
        with (
            _daemon_errors(self._path),
            self._db.iterator(prefix=layout.BLOCK, reverse=True, verify_checksums=True) as entries,
        ):
            newest = next(entries, None)
        return None if newest is None else decode_stored(newest[1], Block)

    def _check_bookkeeping(self) -> None:
        """Refuse the store of another network or version; mark a new store as ours."""
        schema, network = self._get(layout.SCHEMA_KEY), self._get(layout.NETWORK_KEY)
        if schema is None and network is None:
            if next(self.items(b""), None) is not None:
                raise CorruptStore(f"the store in {self._path} does not know whose it is")
            self.write({layout.SCHEMA_KEY: SCHEMA, layout.NETWORK_KEY: self.network})
            return
        if schema != SCHEMA:
            found = int.from_bytes(schema or b"", "big")
            raise StoreMismatch(f"the store in {self._path} has schema {found}: we do not know it")
        if network != self.network:
            raise StoreMismatch(f"the store in {self._path} belongs to another network")


def decode_stored(value: bytes, expected: type[T]) -> T:
    """Decode what we wrote ourselves: if that fails, the disk lied to us."""
    try:
        return decode(value, expected)
    except DecodeError as error:
        raise CorruptStore(f"unreadable {expected.__name__} in the store: {error}") from error


@contextmanager
def _daemon_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except leveldb.Error as error:
        raise explain(error, path) from error
