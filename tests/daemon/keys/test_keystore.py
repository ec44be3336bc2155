"""Key files: what is saved comes back, to whoever has the passphrase, and to nobody else."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import Exit
from daemon.keys.keystore import (
    KEY_FILE_SIZE_MAX,
    KeyFileDamaged,
    KeyFileExists,
    KeyFileExposed,
    KeyFileMissing,
    KeyLocked,
    NodeKeys,
    PatientKeys,
    is_locked,
    load_keys,
    new_node_keys,
    new_patient_keys,
    save_keys,
)
from daemon.keys.lock import FOR_TESTS_ONLY, INTERACTIVE, PASSPHRASE_LENGTH_MAX, WrongPassphrase
from daemon.storage.files import DiskForbidden

PASSPHRASE = "correct horse"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "node.json"


def save(path: Path, keys: NodeKeys | PatientKeys, passphrase: str | None = PASSPHRASE) -> None:
    save_keys(path, keys, passphrase, hardness=FOR_TESTS_ONLY)


def load(path: Path, passphrase: str | None = PASSPHRASE) -> NodeKeys:
    return load_keys(path, NodeKeys, passphrase, allow_weak=True)


def test_what_is_locked_comes_back_with_the_passphrase(path: Path) -> None:
    keys = new_node_keys()
    save(path, keys)
    assert load(path) == keys
    assert is_locked(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_wrong_passphrase_opens_nothing(path: Path) -> None:
    save(path, new_node_keys())
    for wrong in ("correct hors", "Correct horse", " correct horse", "x"):
        with pytest.raises(WrongPassphrase) as caught:
            load(path, wrong)
        assert caught.value.exit_code == Exit.KEY_LOCKED
    with pytest.raises(KeyLocked):
        load(path, None)


def test_a_passphrase_may_be_typed_on_another_keyboard(path: Path) -> None:
    keys = new_node_keys()
    save(path, keys, "caf\N{LATIN SMALL LETTER E WITH ACUTE}")
    assert load(path, "cafe\N{COMBINING ACUTE ACCENT}") == keys


@pytest.mark.parametrize("passphrase", ["", "x" * (PASSPHRASE_LENGTH_MAX + 1)])
def test_a_passphrase_is_neither_empty_nor_endless(path: Path, passphrase: str) -> None:
    with pytest.raises(WrongPassphrase, match="1 to 1024"):
        save(path, new_node_keys(), passphrase)
    assert not path.exists()
    save(path, new_node_keys(), "x" * PASSPHRASE_LENGTH_MAX)


def test_without_a_passphrase_the_file_says_that_it_is_in_clear(path: Path) -> None:
    keys = new_node_keys()
    save(path, keys, None)
    assert load(path, None) == load(path, PASSPHRASE) == keys
    assert not is_locked(path)
    assert json.loads(path.read_text())["protection"] == "none"
    assert "in clear" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_locked_file_shows_no_key(path: Path) -> None:
    keys = new_node_keys()
    save(path, keys)
    shown = b64decode(json.loads(path.read_text())["lock"]["sealed"])
    assert keys.signing_seed not in shown
    assert keys.vault_master not in shown
    save_keys(path, keys, None, replace=True)
    assert keys.signing_seed in b64decode(json.loads(path.read_text())["keys"])


def test_weak_locking_is_accepted_only_by_those_who_ask_for_it(path: Path) -> None:
    save(path, new_node_keys())
    with pytest.raises(KeyFileDamaged, match="weakly"):
        load_keys(path, NodeKeys, PASSPHRASE)


def test_the_weakest_locking_of_real_files_is_accepted(path: Path) -> None:
    keys = new_node_keys()
    save_keys(path, keys, PASSPHRASE, hardness=INTERACTIVE)
    assert load_keys(path, NodeKeys, PASSPHRASE) == keys


def test_keys_are_never_overwritten_unless_asked(path: Path) -> None:
    first, second = new_node_keys(), new_node_keys()
    save(path, first)
    with pytest.raises(KeyFileExists):
        save(path, second)
    assert load(path) == first
    save_keys(path, second, PASSPHRASE, hardness=FOR_TESTS_ONLY, replace=True)
    assert load(path) == second


def test_the_keys_of_a_patient_are_not_those_of_a_node(path: Path) -> None:
    keys = new_patient_keys()
    save(path, keys)
    assert load_keys(path, PatientKeys, PASSPHRASE, allow_weak=True) == keys
    with pytest.raises(KeyFileDamaged, match="a node"):
        load(path)


def test_a_file_that_others_may_read_is_refused(path: Path) -> None:
    save(path, new_node_keys())
    path.chmod(0o640)
    with pytest.raises(KeyFileExposed, match="Others"):
        load(path)


def test_a_missing_file_is_named(path: Path) -> None:
    with pytest.raises(KeyFileMissing, match=r"node\.json"):
        load(path)
    with pytest.raises(KeyFileMissing):
        is_locked(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "other"},
        {"version": 2},
        {"protection": "rot13"},
        {"extra": 1},
        {"lock": None},
    ],
)
def test_a_file_of_another_format_is_refused(path: Path, changes: dict[str, Any]) -> None:
    save(path, new_node_keys())
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(KeyFileDamaged):
        load(path)


@pytest.mark.parametrize("name", ["operations", "memory"])
def test_a_lock_that_would_take_forever_is_refused(path: Path, name: str) -> None:
    save(path, new_node_keys())
    content = json.loads(path.read_text())
    content["lock"][name] = 2**40
    path.write_text(json.dumps(content))
    with pytest.raises(KeyFileDamaged, match=name):
        load(path)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"null", b"x" * (KEY_FILE_SIZE_MAX + 1)])
def test_what_is_no_key_file_is_refused(path: Path, data: bytes) -> None:
    save(path, new_node_keys())
    path.write_bytes(data)
    with pytest.raises(KeyFileDamaged):
        load(path)


@pytest.mark.parametrize("name", ["sealed", "salt"])
def test_a_changed_lock_does_not_open(path: Path, name: str) -> None:
    save(path, new_node_keys())
    content = json.loads(path.read_text())
    text = content["lock"][name]
    content["lock"][name] = ("B" if text[0] == "A" else "A") + text[1:]
    path.write_text(json.dumps(content))
    with pytest.raises(WrongPassphrase):
        load(path)


def test_a_folder_that_cannot_be_written_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(DiskForbidden, match="the key file"):
        save(path, new_node_keys(), None)


def test_new_keys_are_all_different_and_never_printed() -> None:
    keys = new_node_keys()
    seeds = {keys.signing_seed, keys.officer_seed, *keys.kem_seeds}
    assert len(seeds | {keys.vault_master}) == 4
    assert repr(keys) == "NodeKeys()"
    assert repr(new_patient_keys()) == "PatientKeys()"
