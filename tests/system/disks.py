"""A small disk of its own for a node, that a test can fill."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MOUNT = 'mount -t tmpfs -o size={size} tmpfs "$0" && echo mounted && exec cat'
FILLER = "filler"
CHUNK_SIZE = 1024 * 1024


@contextmanager
def small_disk(folder: Path, *, mebibytes: int) -> Iterator[Path]:
    """Yield the folder of a disk that only we see; it is gone afterwards.

    A process in a mount namespace of its own holds it. Everybody else reaches it through that
    process's entry in /proc, so nothing is mounted where others could trip over it.
    """
    folder.mkdir()
    script = MOUNT.format(size=f"{mebibytes}m")
    if shutil.which("unshare") is None:
        pytest.skip("this system has no unshare")
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as holder:
        try:
            assert holder.stdout is not None
            if holder.stdout.readline() != b"mounted\n":
                pytest.skip("only root may mount a small disk")
            yield Path(f"/proc/{holder.pid}/root{folder}")
        finally:
            holder.kill()


def fill(disk: Path) -> None:
    """Leave no byte on the disk."""
    size = CHUNK_SIZE
    with (disk / FILLER).open("ab", buffering=0) as file:
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2


def free(disk: Path) -> None:
    """Give back what `fill` took."""
    (disk / FILLER).unlink()
