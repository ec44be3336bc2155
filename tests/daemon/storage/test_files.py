"""Writing files: all of one or nothing, for the owner only, and plain words when it fails."""

import errno
import os
from pathlib import Path

import pytest

from daemon.errors import DaemonError
from daemon.storage.files import (
    DiskFailed,
    DiskForbidden,
    DiskFull,
    create_folder,
    disk_errors,
    overwrite_file,
    write_file,
)


@pytest.mark.parametrize("replace", [True, False])
def test_a_written_file_is_for_its_owner_only(tmp_path: Path, replace: bool) -> None:
    path = tmp_path / "file"
    write_file(path, b"data", replace=replace)
    assert path.read_bytes() == b"data"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_replaced_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_file(path, b"old", replace=False)
    with pytest.raises(FileExistsError):
        write_file(path, b"new", replace=False)
    assert path.read_bytes() == b"old"
    write_file(path, b"new", replace=True)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failing", ["fsync", "rename"])
def test_when_writing_fails_the_old_file_is_still_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    path = tmp_path / "file"
    write_file(path, b"old", replace=False)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(DiskFull), disk_errors("the test"):
        write_file(path, b"new", replace=True)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EROFS, DiskForbidden),
        (errno.EACCES, DiskForbidden),
        (errno.EIO, DiskFailed),
    ],
)
def test_each_failure_has_a_cause_and_a_next_step(number: int, expected: type[DaemonError]) -> None:
    with pytest.raises(expected, match="the test") as caught, disk_errors("the test"):
        raise OSError(number, os.strerror(number), "secret name")
    assert caught.value.next_step
    assert "secret name" not in str(caught.value)


def test_a_new_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "outer" / "inner"
    create_folder(folder)
    create_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_an_overwritten_file_is_gone_and_so_are_its_bytes(tmp_path: Path) -> None:
    path, other_name = tmp_path / "file", tmp_path / "other name"
    path.write_bytes(b"secret" * 1_000)
    os.link(path, other_name)
    overwrite_file(path)
    assert not path.exists()
    assert other_name.read_bytes() == bytes(6_000)
