"""The vote log on a real file system."""

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from daemon.storage.vote_log import (
    BALLAST_NAME,
    BALLAST_SIZE,
    LOG_NAME,
    NEW_LOG_NAME,
    VoteLog,
    VoteLogCorrupt,
    VoteLogFailed,
    VoteLogLocked,
)
from protocol.consensus.log import (
    CertificateLogged,
    LogRecord,
    OwnVote,
    ProposalLogged,
    is_settled,
    view_of,
)
from tests.daemon.stored_chains import NETWORK, make_chain
from tests.protocol.examples import make_certificate, make_network, make_vote

BALLAST = 4_096
"""Bytes: enough to see that it is there."""


def open_log(path: Path) -> AbstractContextManager[VoteLog[LogRecord]]:
    return VoteLog[LogRecord].open(path, NETWORK.id, LogRecord, BALLAST)


def vote(view: int) -> OwnVote:
    return OwnVote(make_vote(NETWORK, 0, view=view))


def replayed(path: Path) -> tuple[LogRecord, ...]:
    with open_log(path) as log:
        return log.replayed


def test_a_new_log_is_empty_and_holds_room_on_the_disk(tmp_path: Path) -> None:
    with VoteLog[LogRecord].open(tmp_path / "votes", NETWORK.id, LogRecord) as log:
        assert log.replayed == ()

    ballast = (tmp_path / "votes" / BALLAST_NAME).stat()
    assert ballast.st_size == BALLAST_SIZE
    assert ballast.st_blocks * 512 >= BALLAST_SIZE


def test_every_kind_of_record_is_replayed_in_order(tmp_path: Path) -> None:
    (block,) = make_chain(1, events_per_block=5)
    batches: list[list[LogRecord]] = [
        [ProposalLogged(block, make_vote(NETWORK, 1)), vote(1)],
        [CertificateLogged(make_certificate(NETWORK, view=1)), vote(2)],
        [vote(3)],
    ]
    with open_log(tmp_path) as log:
        for batch in batches:
            log.append(batch)

    assert list(replayed(tmp_path)) == [record for batch in batches for record in batch]


def test_a_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    for view in range(1, 4):
        with open_log(tmp_path) as log:
            log.append([vote(view)])
            assert log.size == (tmp_path / LOG_NAME).stat().st_size

    assert [view_of(record) for record in replayed(tmp_path)] == [1, 2, 3]


def test_pruning_keeps_what_is_needed(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        for view in range(1, 6):
            log.append([vote(view), CertificateLogged(make_certificate(NETWORK, view=view))])
        size = log.size
        log.prune(lambda record: not is_settled(record, 0, 3))
        assert log.size < size
        log.append([vote(6)])

    assert [view_of(record) for record in replayed(tmp_path)] == [4, 4, 5, 5, 6]


def test_a_prune_that_was_interrupted_changes_nothing(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.append([vote(1)])
    (tmp_path / NEW_LOG_NAME).write_bytes(b"half a log")

    assert replayed(tmp_path) == (vote(1),)
    assert not (tmp_path / NEW_LOG_NAME).exists()


def test_a_log_is_open_only_once(tmp_path: Path) -> None:
    with open_log(tmp_path), pytest.raises(VoteLogLocked), open_log(tmp_path):
        pass


def test_the_log_of_another_network_is_refused(tmp_path: Path) -> None:
    with open_log(tmp_path):
        pass
    other = make_network(name="other").id
    with pytest.raises(VoteLogCorrupt), VoteLog.open(tmp_path, other, LogRecord, BALLAST):
        pass


def test_a_log_that_disappeared_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.append([vote(1)])
    (tmp_path / LOG_NAME).unlink()

    with pytest.raises(VoteLogCorrupt), open_log(tmp_path):
        pass


def test_every_changed_byte_makes_the_log_refuse(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        for view in range(1, 4):
            log.append([vote(view)])
    path = tmp_path / LOG_NAME
    good = path.read_bytes()
    for offset in range(0, len(good), 7):
        path.write_bytes(good[:offset] + bytes([good[offset] ^ 32]) + good[offset + 1 :])
        with pytest.raises(VoteLogCorrupt) as caught, open_log(tmp_path):
            pass
        assert "must not vote" in caught.value.next_step
    path.write_bytes(good)
    assert len(replayed(tmp_path)) == 3


def test_every_torn_end_is_cut_off(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.append([vote(1)])
        end = log.size
        log.append([vote(2)])
    path = tmp_path / LOG_NAME
    data = path.read_bytes()
    for length in range(end, len(data), 9):
        path.write_bytes(data[:length])
        with open_log(tmp_path) as log:
            assert log.replayed == (vote(1),)
            assert path.stat().st_size == end
            log.append([vote(3)])
        assert replayed(tmp_path) == (vote(1), vote(3))


def test_damage_that_pruning_meets_silences_the_log(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.append([vote(1)])
        (tmp_path / LOG_NAME).write_bytes(b"something else")
        with pytest.raises(VoteLogFailed):
            log.prune(lambda _: True)
        with pytest.raises(VoteLogFailed):
            log.append([vote(2)])


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(VoteLogFailed), open_log(tmp_path / "file" / "votes"):
        pass
