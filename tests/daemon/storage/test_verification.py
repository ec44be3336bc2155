"""Whatever is wrong with a stored chain is found, even where all checksums are right."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from daemon.storage.errors import StoreLocked, StoreMismatch
from daemon.storage.layout import BLOCK, CERTIFICATE, DIGEST, EVENT, STATE, TABLE, Entries, at
from daemon.storage.store import ChainStore
from daemon.storage.tables import NOTES, Note
from daemon.storage.verification import verify_chain, verify_folder
from daemon.storage.verification_report import Report
from protocol.blocks import Block, block_hash
from protocol.codec import encode
from protocol.votes import VoteKind
from tests.daemon.executed_chains import ExecutedChain, fill
from tests.daemon.stored_chains import NETWORK
from tests.protocol.examples import consent_given, make_certificate, make_key, make_network, token

GENESIS = NETWORK.genesis
HEAD = 4


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "chain"
    with ChainStore.open(path, NETWORK.id) as store:
        fill(store, block_count=2, events_per_block=2)
        NOTES.put(store, b"note", Note(b"of a part of the daemon"))
    return path


@pytest.fixture
def copied(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy"))


def verify(folder: Path) -> Report:
    return verify_folder(folder, GENESIS, lambda _: None)


def assert_found(report: Report, words: str) -> None:
    assert not report.is_good
    assert words in report.findings[0]


def test_a_good_chain_has_no_findings(copied: Path) -> None:
    report = verify(copied)

    assert report.findings == ()
    assert (report.head, report.blocks, report.events) == (HEAD, HEAD, 7)
    assert report.certificates == 3
    assert report.state_entries > 20


def test_a_chain_of_the_genesis_alone_is_good(tmp_path: Path) -> None:
    with ChainStore.open(tmp_path, NETWORK.id) as store:
        ExecutedChain(store, NETWORK)
    assert verify(tmp_path).is_good


def test_the_caller_hears_of_the_end(copied: Path) -> None:
    heard: list[Report] = []

    report = verify_folder(copied, GENESIS, heard.append)

    assert heard[-1] == report


def test_a_store_in_use_is_checked_as_it_was_when_the_check_began(copied: Path) -> None:
    with ChainStore.open(copied, NETWORK.id) as store, store.frozen() as frozen:
        store.write({at(BLOCK, 1): b"gone"})
        assert frozen.block(1) is not None
        assert_found(verify_chain(store, GENESIS, lambda _: None), "unreadable Block")


def test_nothing_is_written_to_what_is_frozen(copied: Path) -> None:
    with (
        ChainStore.open(copied, NETWORK.id) as store,
        store.frozen() as frozen,
        pytest.raises(AssertionError),
    ):
        frozen.write({b"key": b"value"})


def test_one_changed_byte_is_found_in_every_kind_of_file(copied: Path) -> None:
    with ChainStore.open(copied, NETWORK.id) as store:
        store.write({b"tn": encode(Note(b"in the log"))})
    for path in sorted(copied.iterdir()):
        if path.name in {"LOCK", "LOG", "LOG.old"}:
            continue
        data = path.read_bytes()
        for offset in (0, len(data) // 2, len(data) - 1):
            path.write_bytes(data[:offset] + bytes([data[offset] ^ 4]) + data[offset + 1 :])
            assert_found(verify(copied), f"changed bytes in {path.name}")
        path.write_bytes(data)
    assert verify(copied).is_good


def test_a_changed_byte_is_found_while_the_store_is_in_use(copied: Path) -> None:
    with ChainStore.open(copied, NETWORK.id) as store:
        (table,) = copied.glob("*.ldb")
        data = bytearray(table.read_bytes())
        data[-40] ^= 1
        table.write_bytes(data)

        assert_found(verify_chain(store, GENESIS, lambda _: None), table.name)


def test_a_store_that_a_daemon_uses_is_not_opened(copied: Path) -> None:
    with ChainStore.open(copied, NETWORK.id), pytest.raises(StoreLocked):
        verify(copied)


def test_a_store_of_another_network_is_not_judged(copied: Path) -> None:
    with pytest.raises(StoreMismatch):
        verify_folder(copied, make_network(name="other").genesis, lambda _: None)


def block_at(store: ChainStore, height: int) -> Block:
    block = store.block(height)
    assert block is not None
    return block


def another_event(store: ChainStore) -> Entries:
    block = block_at(store, 2)
    forged = consent_given(NETWORK, make_key("nobody"), NETWORK.authorities[0])
    return {at(BLOCK, 2): encode(Block(block.header, (forged, *block.events[1:])))}


def another_signature(store: ChainStore) -> Entries:
    block = block_at(store, 2)
    event = block.events[0]
    forged = type(event)(event.event, (bytes(64),))
    return {at(BLOCK, 2): encode(Block(block.header, (forged, *block.events[1:])))}


def a_block_twice(store: ChainStore) -> Entries:
    return {at(BLOCK, 3): encode(block_at(store, 2))}


def a_certificate_about_another_block(_: ChainStore) -> Entries:
    certificate = make_certificate(NETWORK, view=2, block=token("another"))
    return {at(CERTIFICATE, 2): encode(certificate)}


def a_notarization(store: ChainStore) -> Entries:
    certificate = make_certificate(
        NETWORK, kind=VoteKind.NOTARIZE, view=2, block=block_hash(block_at(store, 2).header)
    )
    return {at(CERTIFICATE, 2): encode(certificate)}


def a_forged_certificate(store: ChainStore) -> Entries:
    certificate = store.certificate(2)
    assert certificate is not None
    signatures = (bytes(64), *certificate.signatures[1:])
    return {at(CERTIFICATE, 2): encode(structs.replace(certificate, signatures=signatures))}


def a_state_entry(store: ChainStore, change: Callable[[bytes], bytes | None]) -> Entries:
    key, value = next(store.state_items())
    return {STATE + key: change(value)}


@pytest.mark.parametrize(
    ("forge", "finding"),
    [
        (another_event, "block 2 is not valid"),
        (another_signature, "block 2 is not valid"),
        (a_block_twice, "block 3 does not follow"),
        (a_certificate_about_another_block, "certificate of block 2"),
        (a_notarization, "certificate of block 2"),
        (a_forged_certificate, "certificate of block 2 is not valid"),
        (lambda _: {at(BLOCK, 1): None}, "block 1 is missing"),
        (lambda store: {at(BLOCK, 0): encode(block_at(store, 1))}, "block 0 is not"),
        (lambda _: {at(BLOCK, HEAD): None}, "no certificate makes block 3 final"),
        (lambda _: {at(CERTIFICATE, HEAD): None}, f"no certificate makes block {HEAD} final"),
        (lambda _: {at(CERTIFICATE, 1): None}, ""),
        (lambda store: a_state_entry(store, lambda value: value + b"!"), "stored state"),
        (lambda store: a_state_entry(store, lambda _: None), "stored state"),
        (lambda _: {STATE + b"more": b""}, "stored state"),
        (lambda _: {DIGEST + bytes(2): bytes(2_048)}, "stored digest"),
        (lambda _: {EVENT + token("no event"): bytes(12)}, "belong to no block"),
        (lambda _: {b"?": b""}, "belong to no block"),
        (lambda _: {TABLE + NOTES.prefix: b"?"}, "unreadable Note"),
    ],
)
def test_forged_contents_are_found(
    copied: Path, forge: Callable[[ChainStore], Entries], finding: str
) -> None:
    with ChainStore.open(copied, NETWORK.id) as store:
        store.write(forge(store))

    report = verify(copied)
    if finding:
        assert_found(report, finding)
    else:
        assert report.is_good, "the next certificate covers the block"


def test_no_index_entry_can_be_missing(copied: Path) -> None:
    with ChainStore.open(copied, NETWORK.id) as store:
        for prefix in (b"h", b"e", b"x"):
            key, value = next((key, value) for key, value in store.entries() if key[:1] == prefix)
            store.write({key: None})
            assert_found(verify_chain(store, GENESIS, lambda _: None), "an index is wrong")
            store.write({key: value})
        assert verify_chain(store, GENESIS, lambda _: None).is_good
