"""Voting keys: they survive restarts and crashes, and nothing is left of those that are erased."""

from pathlib import Path

import pytest

from daemon.keys.voting import VotingKeyDamaged, VotingKeys
from daemon.storage.files import DiskFailed
from protocol.identity import PublicKey

MASTER = bytes(range(32))


def publics(keys: VotingKeys) -> list[PublicKey]:
    return [key.public for key in keys.held]


def test_keys_come_back_in_the_order_in_which_they_were_made(tmp_path: Path) -> None:
    keys = VotingKeys(tmp_path / "voting", MASTER)
    made = [keys.add().public for _ in range(12)]

    assert publics(keys) == publics(VotingKeys(tmp_path / "voting", MASTER)) == made
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "voting").iterdir()}
    assert modes == {0o600}


def test_keys_that_come_back_sign(tmp_path: Path) -> None:
    key = VotingKeys(tmp_path, MASTER).add()
    (again,) = VotingKeys(tmp_path, MASTER).held
    assert again.sign(b"vote") == key.sign(b"vote")


def test_nothing_is_left_of_an_erased_key(tmp_path: Path) -> None:
    keys = VotingKeys(tmp_path, MASTER)
    first, second = keys.add(), keys.add()
    (path,) = tmp_path.glob(f"*{first.public.hex()}")
    link = tmp_path.parent / f"{tmp_path.name}-link"
    link.hardlink_to(path)
    keys.erase([first.public, bytes(32)])

    assert publics(keys) == publics(VotingKeys(tmp_path, MASTER)) == [second.public]
    assert not path.exists()
    assert not any(link.read_bytes()), "the bytes were overwritten, not only unlinked"
    assert keys.add().public not in (first.public, second.public)


def test_an_erasure_that_failed_is_tried_again(tmp_path: Path) -> None:
    keys = VotingKeys(tmp_path, MASTER)
    key = keys.add().public
    (path,) = tmp_path.iterdir()
    moved = path.rename(tmp_path / "moved")
    with pytest.raises(DiskFailed):
        keys.erase([key])
    assert publics(keys) == [key]
    moved.rename(path)
    keys.erase([key])

    assert publics(keys) == []
    assert not path.exists()


def test_what_a_crash_left_half_erased_is_erased(tmp_path: Path) -> None:
    key = VotingKeys(tmp_path, MASTER).add()
    (path,) = tmp_path.glob(f"*{key.public.hex()}")
    path.write_bytes(bytes(path.stat().st_size))

    assert VotingKeys(tmp_path, MASTER).held == ()
    assert not path.exists()


def test_drafts_that_crashes_left_are_no_keys_and_go(tmp_path: Path) -> None:
    kept = VotingKeys(tmp_path, MASTER).add().public
    (path,) = tmp_path.iterdir()
    (tmp_path / f".{path.name}.0123").hardlink_to(path)
    for number in range(100):
        (tmp_path / f".000002-00.{number}").write_bytes(b"half")

    assert publics(VotingKeys(tmp_path, MASTER)) == [kept]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", [0, 30, 71])
def test_a_damaged_key_is_not_used(tmp_path: Path, place: int) -> None:
    VotingKeys(tmp_path, MASTER).add()
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(VotingKeyDamaged):
        VotingKeys(tmp_path, MASTER)


def test_keys_of_another_node_do_not_open(tmp_path: Path) -> None:
    VotingKeys(tmp_path, MASTER).add()
    with pytest.raises(VotingKeyDamaged):
        VotingKeys(tmp_path, bytes(32))
