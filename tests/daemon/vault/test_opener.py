"""The fast opener takes what the protocol's opener takes, and refuses what it refuses."""

import hashlib
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.vault.opener import LEAF_SIZE, RecordOpener, hchacha20
from protocol.container import CHUNK_SIZE, TAG_SIZE, Content, Opener, Sealer
from protocol.envelope import Opening
from protocol.errors import InvalidRecord
from protocol.merkle import leaf_hash
from protocol.record import Manifest
from tests.protocol.records import DEK, DESCRIPTION, PREFIX, SALT

LENGTHS = (0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE + 7)
ROOM_SIZE = 4 * CHUNK_SIZE


def sealed_record(length: int) -> tuple[bytes, list[bytes], Content]:
    sealer, plaintext = Sealer(DEK, PREFIX), hashlib.shake_128(b"text").digest(length)
    starts = range(0, max(1, length), CHUNK_SIZE)
    chunks = [
        sealer.seal(plaintext[start : start + CHUNK_SIZE], last=start == starts[-1])
        for start in starts
    ]
    return plaintext, chunks, sealer.content()


def opener_of(content: Content) -> RecordOpener:
    manifest = Manifest(id=b"i" * 16, description=DESCRIPTION, content=content, salt=SALT)
    return RecordOpener(Opening(DEK, manifest))


def views(chunks: Sequence[bytes]) -> list[memoryview]:
    return [memoryview(bytearray(chunk)) for chunk in chunks]


def open_all(content: Content, answers: Sequence[Sequence[bytes]]) -> bytes | str:
    """Return the plaintext, or why it was refused."""
    opener, room, plaintext = opener_of(content), memoryview(bytearray(ROOM_SIZE)), b""
    try:
        for answer in answers:
            piece, leaves = opener.open(views(answer), room)
            assert leaves == b"".join(map(leaf_hash, answer))
            plaintext += piece
        opener.finish()
    except InvalidRecord as error:
        return str(error)
    return plaintext


def open_with_the_protocols(content: Content, chunks: Sequence[bytes]) -> bytes | str:
    opener = Opener(DEK, content)
    try:
        plaintext = b"".join([opener.open(chunk) for chunk in chunks])
        opener.finish()
    except InvalidRecord as error:
        return str(error)
    return plaintext


def test_the_inner_key_is_that_of_the_draft() -> None:
    """The vector of draft-irtf-cfrg-xchacha-03, section 2.2.1."""
    nonce = bytes.fromhex("000000090000004a0000000031415927")
    expected = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
    assert hchacha20(bytes(range(32)), nonce).hex() == expected


@pytest.mark.parametrize("length", LENGTHS)
def test_what_was_sealed_opens_however_it_is_grouped(length: int) -> None:
    plaintext, chunks, content = sealed_record(length)
    assert open_all(content, [chunks]) == plaintext
    assert open_all(content, [[chunk] for chunk in chunks]) == plaintext


@given(st.sampled_from(LENGTHS), st.data())
def test_it_judges_as_the_protocols_opener_does(length: int, data: st.DataObject) -> None:
    """Whatever is changed, moved, left out or added, the verdict and its reason are the same."""
    _, chunks, content = sealed_record(length)
    order = data.draw(st.permutations(range(len(chunks))) | st.just(list(range(len(chunks)))))
    given_chunks = [bytearray(chunks[index]) for index in order]
    victim = data.draw(st.sampled_from(given_chunks))
    match data.draw(st.sampled_from(["nothing", "flip", "cut", "leave out", "twice"])):
        case "flip":
            victim[data.draw(st.integers(0, len(victim) - 1))] ^= 1
        case "cut":
            del victim[data.draw(st.integers(0, len(victim))) :]
        case "leave out":
            given_chunks.remove(victim)
        case "twice":
            given_chunks.append(victim)
    sent = [bytes(chunk) for chunk in given_chunks]
    split = data.draw(st.integers(0, len(sent)))
    expected = open_with_the_protocols(content, sent)
    assert open_all(content, [sent[:split], sent[split:]]) == expected


@pytest.mark.parametrize("field", ["root", "sha256"])
def test_a_manifest_that_says_something_else_is_noticed_at_the_end(field: str) -> None:
    _, chunks, content = sealed_record(CHUNK_SIZE + 1)
    wrong = msgspec.structs.replace(content, **{field: bytes(32)})
    assert open_all(wrong, [chunks]) == open_with_the_protocols(wrong, chunks)
    assert isinstance(open_all(wrong, [chunks]), str)


def test_another_key_is_refused_at_once() -> None:
    _, _, content = sealed_record(1)
    manifest = Manifest(id=b"i" * 16, description=DESCRIPTION, content=content, salt=SALT)
    with pytest.raises(InvalidRecord, match="committed"):
        RecordOpener(Opening(bytes(32), manifest))


@pytest.mark.parametrize("length", LENGTHS)
def test_what_was_opened_before_is_taken_again_only_as_it_was(length: int) -> None:
    plaintext, chunks, content = sealed_record(length)
    opener = opener_of(content)
    for index, chunk in enumerate(chunks):
        start = index * CHUNK_SIZE
        piece = bytearray(plaintext[start : start + CHUNK_SIZE])
        if piece:
            piece[-1] ^= 1
            with pytest.raises(InvalidRecord, match="is not what it was"):
                opener.take_again(memoryview(piece), leaf_hash(chunk))
            piece[-1] ^= 1
        with pytest.raises(InvalidRecord):
            opener.take_again(memoryview(piece), bytes(LEAF_SIZE))
        with pytest.raises(InvalidRecord, match="length"):
            opener.take_again(memoryview(bytes(piece) + b"x"), leaf_hash(chunk))
        assert opener.opened_count == index
        assert opener.take_again(memoryview(piece), leaf_hash(chunk)) == chunk
    opener.finish()


def test_what_is_taken_again_and_what_comes_make_one_record() -> None:
    plaintext, chunks, content = sealed_record(3 * CHUNK_SIZE + 7)
    opener, room = opener_of(content), memoryview(bytearray(ROOM_SIZE))
    first = memoryview(plaintext)[:CHUNK_SIZE]
    opener.take_again(first, leaf_hash(chunks[0]))
    rest, _ = opener.open(views(chunks[1:]), room)
    opener.finish()
    assert bytes(first) + bytes(rest) == plaintext
    assert len(rest) == sum(map(len, chunks[1:])) - TAG_SIZE * len(chunks[1:])
