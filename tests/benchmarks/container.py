"""How fast are records sealed and opened, in one thread, from file to file?

Sealing reads a file, seals its chunks, computes root, SHA-256 and SHA-1, writes and syncs. Taking
in is what a requester does: check each sealed chunk, its place and the root, then write and sync.
Opening reads sealed chunks, checks everything and writes the plaintext. Numbers are MiB/s of
plaintext; the best of some runs, since a busy machine only makes them worse. Those with `_cpu`
count the time on the processor alone: what is possible if disk and machine do not hold us up.

    python -m tests.benchmarks.container [--mebibytes 256] [--runs 3] [--folder DIR]
"""

import argparse
import json
import os
import resource
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from daemon.vault.vault import CHUNKS_PER_READ_MAX, Vault
from protocol.container import Layout
from protocol.record import Description, Manifest

MEBIBYTE = 1024 * 1024

DESCRIPTION = Description(
    subject=bytes(32),
    custodian=bytes(32),
    mime_type="application/dicom",
    categories=("imaging",),
    sensitivity=(),
    author="benchmark",
    authored_at=0,
    title=None,
)


def measure(folder: Path, *, mebibytes: int, runs: int) -> dict[str, float | int]:
    """Return the rates, and how much memory the process needed at most."""
    source = folder / "source"
    _write_noise(source, mebibytes)
    mine = Vault(folder / "mine", secrets.token_bytes(32))
    theirs = Vault(folder / "theirs", secrets.token_bytes(32))
    memory = _peak_memory()
    seconds: dict[str, list[float]] = {}

    def timed(name: str, function: Callable[[], object]) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        function()
        seconds.setdefault(f"{name}_cpu", []).append(time.thread_time() - cpu)
        seconds.setdefault(name, []).append(time.perf_counter() - wall)

    for _ in range(runs):
        manifests: list[Manifest] = []
        timed("seal", lambda: manifests.append(_seal(mine, source)))  # noqa: B023
        manifest = manifests[0]
        timed("take_in", lambda: _take_in(theirs, mine, manifest))  # noqa: B023
        timed("open", lambda: _open(theirs, manifest, folder / "opened"))  # noqa: B023
        timed("verify", lambda: theirs.verify(manifest.id))  # noqa: B023
        assert (folder / "opened").stat().st_size == manifest.content.length
        mine.erase([manifest.id])
        theirs.erase([manifest.id])
    return {
        "mebibytes": mebibytes,
        **{f"{name}_mib_per_second": round(mebibytes / min(s)) for name, s in seconds.items()},
        "memory_growth_mib": round(_peak_memory() - memory, 1),
    }


def _seal(vault: Vault, source: Path) -> Manifest:
    with source.open("rb") as file:
        return vault.add(file, DESCRIPTION)


def _take_in(theirs: Vault, mine: Vault, manifest: Manifest) -> None:
    count = Layout(manifest.content.length).chunk_count
    with theirs.receive(mine.opening(manifest.id)) as arrival:
        for first in range(0, count, CHUNKS_PER_READ_MAX):
            for chunk in mine.sealed_chunks(manifest.id, first, CHUNKS_PER_READ_MAX):
                arrival.write(chunk)
        arrival.finish()


def _open(vault: Vault, manifest: Manifest, target: Path) -> None:
    with target.open("wb", buffering=MEBIBYTE) as file:
        for piece in vault.read(manifest.id):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _write_noise(path: Path, mebibytes: int) -> None:
    noise = secrets.token_bytes(MEBIBYTE)
    with path.open("wb") as file:
        for _ in range(mebibytes):
            file.write(noise)


def _peak_memory() -> float:
    """Return the most memory that the process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the measurements as JSON."""
    parser = argparse.ArgumentParser(description="Measure sealing and opening of records.")
    parser.add_argument("--mebibytes", type=int, default=256)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to write (default: temporary)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        result = measure(Path(folder), mebibytes=options.mebibytes, runs=options.runs)
    sys.stdout.write(json.dumps({"benchmark": "container", **result}) + "\n")


if __name__ == "__main__":
    main()
