"""A record's chunks: nothing can be changed, moved, left out, added, or opened twice over."""

import hashlib
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codec import decode, encode
from protocol.container import (
    CHUNK_COUNT_MAX,
    CHUNK_SIZE,
    RECORD_LENGTH_MAX,
    SEALED_CHUNK_SIZE,
    TAG_SIZE,
    ChunkCipher,
    Content,
    Layout,
    Opener,
    Sealer,
    dek_commitment,
)
from protocol.errors import DecodeError, InvalidRecord
from protocol.keys import derive
from protocol.merkle import leaf_hash, merkle_root
from tests.protocol.two_keys import ciphertext_under_two_keys

DEK = bytes(range(32))
PREFIX = b"prefix of 16 by."

LENGTHS = (0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE, 3 * CHUNK_SIZE + 7)
lengths = st.sampled_from(LENGTHS)


def plaintext_of(length: int) -> bytes:
    return hashlib.shake_128(b"plaintext").digest(length)


def pieces_of(plaintext: bytes) -> list[bytes]:
    starts = range(0, max(1, len(plaintext)), CHUNK_SIZE)
    return [plaintext[start : start + CHUNK_SIZE] for start in starts]


def sealed_record(length: int, dek: bytes = DEK) -> tuple[list[bytes], Content]:
    sealer = Sealer(dek, PREFIX)
    pieces = pieces_of(plaintext_of(length))
    chunks = [
        sealer.seal(piece, last=index == len(pieces) - 1) for index, piece in enumerate(pieces)
    ]
    return chunks, sealer.content()


def open_record(chunks: list[bytes], content: Content, dek: bytes = DEK) -> bytes:
    opener = Opener(dek, content)
    plaintext = b"".join([opener.open(chunk) for chunk in chunks])
    opener.finish()
    return plaintext


@pytest.mark.parametrize("length", LENGTHS)
def test_what_is_sealed_opens_again(length: int) -> None:
    chunks, content = sealed_record(length)
    plaintext = plaintext_of(length)
    assert open_record(chunks, content) == plaintext
    assert content.length == length
    assert content.sha256 == hashlib.sha256(plaintext).digest()
    assert content.sha1 == hashlib.sha1(plaintext, usedforsecurity=False).digest()
    assert content.root == merkle_root([leaf_hash(chunk) for chunk in chunks])
    assert decode(encode(content), Content) == content


@pytest.mark.parametrize("length", LENGTHS)
def test_the_layout_is_that_of_the_chunks(length: int) -> None:
    chunks, _ = sealed_record(length)
    layout = Layout(length)
    sealed = b"".join(chunks)
    assert layout.chunk_count == len(chunks)
    assert layout.sealed_length == len(sealed)
    for index, chunk in enumerate(chunks):
        start, end = layout.sealed_range(index)
        assert sealed[start:end] == chunk
        assert layout.chunk_length(index) == len(chunk) - TAG_SIZE
        assert layout.is_last(index) == (index == len(chunks) - 1)


def test_an_empty_record_is_one_empty_last_chunk() -> None:
    chunks, content = sealed_record(0)
    assert [len(chunk) for chunk in chunks] == [TAG_SIZE]
    assert open_record(chunks, content) == b""
    with pytest.raises(InvalidRecord, match="0 of 1"):
        open_record([], content)


@given(st.data())
def test_a_range_of_bytes_is_in_just_the_chunks_that_hold_it(data: st.DataObject) -> None:
    length = data.draw(lengths)
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, length)] * 2)))
    chunks, _ = sealed_record(length)
    cipher, layout = ChunkCipher(DEK, PREFIX), Layout(length)
    between = layout.chunks_between(start, stop)
    opened = b"".join(
        cipher.open(index, chunks[index], last=layout.is_last(index)) for index in between
    )
    skipped = between.start * CHUNK_SIZE
    assert opened[start - skipped : stop - skipped] == plaintext_of(length)[start:stop]
    assert len(between) <= (stop - start) // CHUNK_SIZE + 2


@given(st.data())
def test_one_flipped_bit_is_found_and_its_chunk_named(data: st.DataObject) -> None:
    chunks, content = sealed_record(data.draw(lengths))
    index = data.draw(st.integers(0, len(chunks) - 1))
    bit = data.draw(st.integers(0, len(chunks[index]) * 8 - 1))
    changed = bytearray(chunks[index])
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidRecord, match=f"chunk {index} "):
        open_record([*chunks[:index], bytes(changed), *chunks[index + 1 :]], content)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_truncated_record_does_not_open(length: int) -> None:
    chunks, content = sealed_record(length)
    for count in range(len(chunks)):
        with pytest.raises(InvalidRecord):
            open_record(chunks[:count], content)
        with pytest.raises(InvalidRecord):
            open_record([*chunks[:count], chunks[count][:-1]], content)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_record_that_claims_to_be_shorter_or_longer_does_not_open(length: int) -> None:
    chunks, content = sealed_record(length)
    for claimed in {0, 1, length - 1, length + 1, length - CHUNK_SIZE, length + CHUNK_SIZE}:
        if claimed < 0 or claimed == length:
            continue
        with pytest.raises(InvalidRecord):
            open_record(
                chunks[: Layout(claimed).chunk_count],
                msgspec.structs.replace(content, length=claimed),
            )


def test_chunks_cannot_be_swapped_repeated_added_or_left_out() -> None:
    chunks, content = sealed_record(4 * CHUNK_SIZE)
    first, second, third, last = chunks
    for wrong in (
        [second, first, third, last],
        [first, first, third, last],
        [first, third, last],
        [first, second, third, third],
        [first, second, third, last, last],
        [last, second, third, first],
    ):
        with pytest.raises(InvalidRecord):
            open_record(wrong, content)


def test_chunks_of_another_record_do_not_open() -> None:
    chunks, content = sealed_record(2 * CHUNK_SIZE)
    others, _ = sealed_record(2 * CHUNK_SIZE, dek=bytes(32))
    with pytest.raises(InvalidRecord, match="chunk 1 "):
        open_record([chunks[0], others[1]], content)


def test_a_key_that_was_not_committed_to_opens_nothing() -> None:
    _, content = sealed_record(10)
    with pytest.raises(InvalidRecord, match="committed"):
        Opener(bytes(32), content)
    with pytest.raises(InvalidRecord, match="committed"):
        Opener(DEK[:31], content)


def test_other_chunks_under_the_committed_key_are_refused_at_the_end() -> None:
    # The custodian knows the key, so it can seal another text: only the root tells.
    _, content = sealed_record(5)
    chunk = ChunkCipher(DEK, PREFIX).seal(0, b"other", last=True)
    opener = Opener(DEK, content)
    assert opener.open(chunk) == b"other"
    with pytest.raises(InvalidRecord, match="not those that were committed to"):
        opener.finish()


def test_a_wrong_sha256_in_the_manifest_is_noticed() -> None:
    chunks, content = sealed_record(5)
    with pytest.raises(InvalidRecord, match="SHA-256"):
        open_record(chunks, msgspec.structs.replace(content, sha256=bytes(32)))


def test_a_chunk_that_opens_under_two_keys_is_caught_by_the_commitment() -> None:
    deks = (DEK, bytes(32))
    ciphers = [ChunkCipher(dek, PREFIX) for dek in deks]
    keys = [derive(dek, "record-chunks") for dek in deks]
    chunk = ciphertext_under_two_keys(*keys, nonce=ciphers[0]._nonce(0, last=True))
    one, other = (cipher.open(0, chunk, last=True) for cipher in ciphers)
    assert one != other  # One committed ciphertext, two texts: the cipher alone allows it.

    content = msgspec.structs.replace(
        sealed_record(32)[1], root=leaf_hash(chunk), sha256=hashlib.sha256(one).digest()
    )
    assert open_record([chunk], content) == one
    with pytest.raises(InvalidRecord, match="committed"):
        open_record([chunk], content, dek=deks[1])


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_the_commitment_differs_for_every_key(one: bytes, other: bytes) -> None:
    assert (dek_commitment(one) == dek_commitment(other)) == (one == other)


def test_no_two_chunks_share_a_nonce() -> None:
    cipher = ChunkCipher(DEK, PREFIX)
    nonces = [cipher._nonce(index, last=last) for index in range(300) for last in (False, True)]
    assert len(set(nonces)) == 600
    assert all(one < other for one, other in pairwise(nonces))
    assert cipher._nonce(CHUNK_COUNT_MAX - 1, last=True)[16:] == b"\0\0\0\0\xff\xff\xff\1"
    with pytest.raises(AssertionError):
        cipher._nonce(CHUNK_COUNT_MAX, last=True)


def test_a_record_may_be_as_long_as_the_limit_and_no_longer() -> None:
    _, content = sealed_record(0)
    longest = msgspec.structs.replace(content, length=RECORD_LENGTH_MAX)
    assert decode(encode(longest), Content) == longest
    assert Layout(RECORD_LENGTH_MAX).chunk_count == CHUNK_COUNT_MAX
    assert Layout(RECORD_LENGTH_MAX).sealed_length == CHUNK_COUNT_MAX * SEALED_CHUNK_SIZE
    with pytest.raises(DecodeError):
        decode(encode(msgspec.structs.replace(content, length=RECORD_LENGTH_MAX + 1)), Content)
    with pytest.raises(DecodeError):
        decode(encode(msgspec.structs.replace(content, chunk_size=1_024)), Content)


def test_the_sealed_bytes_never_change() -> None:
    chunks, content = sealed_record(CHUNK_SIZE + 1)
    assert chunks[1].hex() == "8015a5bc31a18a2ff9bc3eefa17ec83734"
    assert content.root.hex() == "8103a2af17d49e1dcc57b9e397bc6a897137ea0565f842446b6d6a0a901a948a"
    assert (
        content.dek_commitment.hex()
        == "4c88f373241360c365ed60870428c256a6ef13f5fc1931e9fa4c740c33effa74"
    )
