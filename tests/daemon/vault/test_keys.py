"""The vault's keys: kept, destroyed, and never lost or resurrected by a crash."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from daemon.vault.errors import VaultDamaged
from daemon.vault.keys import ENTRY_SIZE, HEADER_SIZE, VaultKeys, entry_name
from tests.daemon.crashes import Crash, crash_at, steps_of

MASTER = bytes(range(32))
NAMES = [entry_name("record", bytes([number]) * 16) for number in range(4)]
KEYS = [bytes([number]) * 32 for number in range(4)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def keys(path: Path) -> VaultKeys:
    keys = VaultKeys(path, MASTER)
    for name, key in zip(NAMES, KEYS, strict=True):
        keys.put(name, key)
    return keys


def contents(keys: VaultKeys) -> list[bytes | None]:
    return [keys.get(name) if name in keys else None for name in NAMES]


@pytest.mark.usefixtures("keys")
def test_keys_are_there_after_a_restart(path: Path) -> None:
    assert contents(VaultKeys(path, MASTER)) == KEYS
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size == HEADER_SIZE + 4 * ENTRY_SIZE


def test_destroyed_keys_are_gone_and_the_others_are_not(keys: VaultKeys, path: Path) -> None:
    old_file = path.read_bytes()
    generation, generation_key = keys.generation, keys._generation.key
    keys.destroy([NAMES[1], NAMES[2], entry_name("record", b"unknown")])
    for reader in (keys, VaultKeys(path, MASTER)):
        assert contents(reader) == [KEYS[0], None, None, KEYS[3]]
        assert reader.generation == generation + 1
        assert reader._generation.key != generation_key
    # Not one sealed key of the old file is in the new one.
    for start in range(HEADER_SIZE, len(old_file), ENTRY_SIZE):
        assert old_file[start + 32 : start + ENTRY_SIZE] not in path.read_bytes()
    assert list(path.parent.iterdir()) == [path]


def test_an_old_entry_is_worthless_in_the_new_file(keys: VaultKeys, path: Path) -> None:
    old_entry = path.read_bytes()[HEADER_SIZE : HEADER_SIZE + ENTRY_SIZE]
    keys.destroy([NAMES[0]])
    with path.open("ab") as file:
        file.write(old_entry)
    with pytest.raises(VaultDamaged):
        VaultKeys(path, MASTER).get(NAMES[0])


def test_the_old_file_is_overwritten(keys: VaultKeys, path: Path) -> None:
    with path.open("rb") as old_file:
        size = os.fstat(old_file.fileno()).st_size
        keys.destroy([NAMES[0]])
        assert old_file.read() == bytes(size)


def test_destroying_what_is_not_there_changes_nothing(keys: VaultKeys, path: Path) -> None:
    before = path.read_bytes()
    keys.destroy([entry_name("terms", bytes(16))])
    keys.destroy([])
    assert path.read_bytes() == before


@pytest.mark.usefixtures("keys")
def test_the_keys_do_not_open_with_another_master(path: Path) -> None:
    with pytest.raises(VaultDamaged, match="this node's keys"):
        VaultKeys(path, bytes(32))


@pytest.mark.usefixtures("keys")
def test_a_changed_byte_costs_one_key_at_most_or_is_noticed_at_once(path: Path) -> None:
    original = path.read_bytes()
    for position in range(len(original)):
        changed = bytearray(original)
        changed[position] ^= 1
        path.write_bytes(changed)
        if position < HEADER_SIZE:
            with pytest.raises(VaultDamaged):
                VaultKeys(path, MASTER)
            continue
        keys, damaged = VaultKeys(path, MASTER), (position - HEADER_SIZE) // ENTRY_SIZE
        assert sum(name in keys and _is_readable(keys, name) for name in NAMES) == 3
        assert NAMES[damaged] not in keys or not _is_readable(keys, NAMES[damaged])


def _is_readable(keys: VaultKeys, name: bytes) -> bool:
    try:
        return len(keys.get(name)) == 32
    except VaultDamaged:
        return False


@pytest.mark.usefixtures("keys")
def test_an_unreadable_key_does_not_stop_an_erasure(path: Path) -> None:
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    keys = VaultKeys(path, MASTER)
    keys.destroy([NAMES[0]])
    assert contents(keys) == [None, KEYS[1], KEYS[2], None]


@pytest.mark.parametrize("size", [0, 1, HEADER_SIZE - 1])
@pytest.mark.usefixtures("keys")
def test_a_truncated_header_is_noticed(path: Path, size: int) -> None:
    os.truncate(path, size)
    with pytest.raises(VaultDamaged):
        VaultKeys(path, MASTER)


@pytest.mark.parametrize("missing", [1, ENTRY_SIZE // 2, ENTRY_SIZE - 1])
@pytest.mark.usefixtures("keys")
def test_an_entry_that_a_crash_cut_short_was_never_there(path: Path, missing: int) -> None:
    os.truncate(path, path.stat().st_size - missing)
    keys = VaultKeys(path, MASTER)
    assert contents(keys) == [*KEYS[:3], None]
    keys.put(NAMES[3], KEYS[3])
    assert contents(VaultKeys(path, MASTER)) == KEYS


def test_a_key_that_could_not_be_synced_is_not_there(
    keys: VaultKeys, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = entry_name("record", b"fifth")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space"):
            keys.put(name, bytes(32))
    assert name not in keys
    assert path.read_bytes() == before


@pytest.mark.parametrize("failing", ["fsync", "link", "rename", "unlink"])
@pytest.mark.parametrize("after", range(5))
def test_after_a_failed_erasure_the_keys_still_work_and_it_can_be_repeated(
    keys: VaultKeys, path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, after: int
) -> None:
    real, calls = getattr(os, failing), iter(range(1_000))

    def fail(*arguments: object) -> object:
        if next(calls) >= after:
            raise OSError(5, "Input/output error")
        return real(*arguments)

    with monkeypatch.context() as patch, suppress(OSError):
        patch.setattr(os, failing, fail)
        keys.destroy(NAMES[:2])
    keys.put(NAMES[0], KEYS[0])  # Under whatever generation is in the file.
    assert contents(VaultKeys(path, MASTER))[2:] == KEYS[2:]
    keys.destroy(NAMES[:2])
    assert contents(keys) == contents(VaultKeys(path, MASTER)) == [None, None, *KEYS[2:]]
    assert list(path.parent.iterdir()) == [path]


def test_a_crash_while_destroying_leaves_the_old_keys_or_the_new(tmp_path: Path) -> None:
    def make(folder: Path) -> VaultKeys:
        folder.mkdir()
        keys = VaultKeys(folder / "keys", MASTER)
        for name, key in zip(NAMES, KEYS, strict=True):
            keys.put(name, key)
        return keys

    counted = make(tmp_path / "counted")
    count = steps_of(lambda: counted.destroy(NAMES[:2]))
    assert count >= 7
    outcomes = set()
    for step in range(count):
        path = tmp_path / f"crash-{step}" / "keys"
        keys = make(path.parent)
        with pytest.raises(Crash), crash_at(step):
            keys.destroy(NAMES[:2])
        left = contents(VaultKeys(path, MASTER))
        assert left in (KEYS, [None, None, *KEYS[2:]])
        assert list(path.parent.iterdir()) == [path]  # Neither a draft nor an old file stays.
        outcomes.add(left[0])
    assert outcomes == {KEYS[0], None}
