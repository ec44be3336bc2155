"""A full disk silences the store and the vote log: they say so, and lose nothing."""

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.storage.errors import StoreFailed, StoreFull
from daemon.storage.store import ChainStore
from daemon.storage.vote_log import BALLAST_NAME, LOG_NAME, VoteLog, VoteLogFailed
from protocol.consensus.log import LogRecord
from tests.daemon.crashing_writers import batch_of
from tests.daemon.stored_chains import (
    DIGEST,
    GENESIS,
    NETWORK,
    digest_of,
    finalize,
    make_chain,
    state_of,
)

DISK_SIZE = 2 * 1024 * 1024
"""Bytes of the disk that real processes fill."""

FILL_DISK = """
mount -t tmpfs -o size={size} tmpfs "$0" || exit 77
{python} -m tests.daemon.crashing_writers {kind} "$0/data"
cp -r "$0/data" "$1"
"""


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Let the kernel refuse to let files of this process grow (it says EFBIG)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def fill_a_disk(kind: str, tmp_path: Path) -> tuple[int, str, Path]:
    """Write on a small disk until it is full; return the last number, the error, and a copy."""
    if shutil.which("unshare") is None:
        pytest.skip("this system has no unshare")
    disk, copied = tmp_path / "disk", tmp_path / "copy"
    disk.mkdir()
    script = FILL_DISK.format(size=DISK_SIZE, python=sys.executable, kind=kind)
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, str(disk), str(copied)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("only root may mount a small disk")
    assert done.stderr == ""
    *numbers, code = done.stdout.split()
    return int(numbers[-1]), code, copied


def test_the_store_says_that_the_disk_is_full_and_keeps_what_it_had(tmp_path: Path) -> None:
    chain = make_chain(40, events_per_block=10)
    with ChainStore.open(tmp_path, NETWORK.id) as store:
        store.begin(GENESIS, {}, DIGEST)

        def append_all() -> None:
            for block in chain:
                height = block.header.height
                store.append([block], finalize(block), state_of(height), digest_of(height))

        with no_file_larger_than(100_000), pytest.raises(StoreFull) as caught:
            append_all()
        assert "space" in caught.value.next_step
        reached = store.height
        assert 0 < reached < 40
        with pytest.raises(StoreFailed, match="before"):
            store.write({b"tkey": b"value"})

    with ChainStore.open(tmp_path, NETWORK.id) as store:
        assert store.height == reached
        assert store.digest == digest_of(reached)
        append_next = chain[reached]
        store.append([append_next], finalize(append_next), {}, DIGEST)


def test_a_disk_that_is_full_at_the_start_is_reported(tmp_path: Path) -> None:
    with no_file_larger_than(0), pytest.raises(StoreFull), ChainStore.open(tmp_path, NETWORK.id):
        pass


def open_log(path: Path, ballast_size: int = 0):
    return VoteLog[LogRecord].open(path, NETWORK.id, LogRecord, ballast_size)


def test_the_vote_log_is_silent_after_the_first_failure(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.append(batch_of(1))
        size = log.size
        with no_file_larger_than(size + 100), pytest.raises(VoteLogFailed):
            log.append(batch_of(2))
        assert (tmp_path / LOG_NAME).stat().st_size == size + 100, "half of it is there"
        with pytest.raises(VoteLogFailed, match="before"):
            log.append(batch_of(3))
        with pytest.raises(VoteLogFailed, match="before"):
            log.prune(lambda _: True)

    with open_log(tmp_path) as log:
        assert log.replayed == batch_of(1)
        log.append(batch_of(3))
    with open_log(tmp_path) as log:
        assert log.replayed == (*batch_of(1), *batch_of(3))


def test_a_prune_without_room_keeps_the_old_log(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.append(batch_of(3))
        with no_file_larger_than(100), pytest.raises(VoteLogFailed):
            log.prune(lambda _: True)

    with open_log(tmp_path) as log:
        assert log.replayed == batch_of(3)


def test_without_room_for_the_ballast_there_is_no_voting(tmp_path: Path) -> None:
    with (
        no_file_larger_than(1_000),
        pytest.raises(VoteLogFailed),
        open_log(tmp_path, ballast_size=2_000),
    ):
        pass
    assert not (tmp_path / BALLAST_NAME).exists()

    with open_log(tmp_path, ballast_size=2_000):
        assert (tmp_path / BALLAST_NAME).stat().st_size == 2_000


def test_room_that_is_not_there_cannot_be_reserved_later(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        with no_file_larger_than(1_000), pytest.raises(VoteLogFailed):
            log.reserve(2_000)
        assert not (tmp_path / BALLAST_NAME).exists()
        log.append(batch_of(1))

        log.reserve(2_000)
        assert (tmp_path / BALLAST_NAME).stat().st_size == 2_000


@pytest.mark.system
def test_a_store_on_a_disk_that_is_really_full_keeps_all_it_promised(tmp_path: Path) -> None:
    height, code, copied = fill_a_disk("store", tmp_path)

    assert code == StoreFull.code
    with ChainStore.open(copied, NETWORK.id) as store:
        assert store.height == height
        assert store.digest == digest_of(height)


@pytest.mark.system
def test_a_vote_log_on_a_disk_that_is_really_full_keeps_all_it_promised(tmp_path: Path) -> None:
    number, code, copied = fill_a_disk("votes-unpruned", tmp_path)

    assert code == VoteLogFailed.code
    with open_log(copied) as log:
        assert log.replayed[-len(batch_of(number)) :] == batch_of(number)


def test_a_sync_that_fails_is_never_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with open_log(tmp_path) as log:
        monkeypatch.setattr(os, "fdatasync", fail)
        with pytest.raises(VoteLogFailed, match="Input/output"):
            log.append(batch_of(1))
        monkeypatch.undo()
        with pytest.raises(VoteLogFailed, match="before"):
            log.append(batch_of(2))
