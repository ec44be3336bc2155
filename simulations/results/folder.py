"""The folder of one sweep, `results/NAME-TIME/`, and the link `results/latest` to the newest.

scenario.toml   as it was given
manifest.json   how it was run; see `manifest`
runs.jsonl      one line for each finished run, durable before the next; see `journal`
runs.csv        one row for each run; runs.parquet the same
verdict.json    the verdict and the answers; see `summary`
series/         points for plots, one file for a run
events/         the event logs of failing runs, and of replays
report.html, plots/   made by `placet sim report`
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from simulations.errors import ResultsInvalid

RESULTS_DEFAULT = Path("results")
LATEST = "latest"
PREVIOUS = "previous"
"""Names that mean the newest folder, and the one before it."""

TRIES_MAX = 100
"""How many sweeps of one name may begin in one second."""

_NAME = re.compile(r".+-\d{8}-\d{6}(-\d+)?")


class FolderBusy(ResultsInvalid):
    """Two commands want to work in one folder."""

    code = "folder-busy"
    next_step = "Wait until it has ended, or end it."


class Folder:
    """The paths of one sweep's results."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.scenario = path / "scenario.toml"
        self.manifest = path / "manifest.json"
        self.journal = path / "runs.jsonl"
        self.csv = path / "runs.csv"
        self.parquet = path / "runs.parquet"
        self.verdict = path / "verdict.json"
        self.series = path / "series"
        self.events = path / "events"
        self.report = path / "report.html"

    def series_of(self, index: int) -> Path:
        return self.series / f"{index:06}.json"

    def events_of(self, index: int) -> Path:
        return self.events / f"{index:06}.jsonl"


def create_folder(root: Path, name: str, now: datetime) -> Folder:
    """Make a new folder below `root`, and let `latest` point to it."""
    root.mkdir(parents=True, exist_ok=True)
    stem = f"{name}-{now:%Y%m%d-%H%M%S}"
    for number in range(TRIES_MAX):
        folder = Folder(root / (f"{stem}-{number}" if number else stem))
        try:
            folder.path.mkdir()
        except FileExistsError:
            continue
        folder.series.mkdir()
        folder.events.mkdir()
        _point_latest(root, folder.path.name)
        return folder
    raise ResultsInvalid(f"there are {TRIES_MAX} folders called {stem} in {root}")


def discard_folder(folder: Folder) -> None:
    """Remove a folder in which nothing is; `latest` points to the newest of the others again."""
    root = folder.path.parent
    shutil.rmtree(folder.path)
    latest = root / LATEST
    if latest.is_symlink() and not latest.exists():
        if others := folders_of(root):
            _point_latest(root, others[-1].name)
        else:
            latest.unlink()
    with suppress(OSError):  # Others may have put something there.
        root.rmdir()


@contextmanager
def working_alone(folder: Folder) -> Iterator[None]:
    """Refuse to work in a folder in which another process is at work."""
    handle = os.open(folder.path, os.O_RDONLY)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Folder) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise FolderBusy(f"another command is at work in {folder.path}") from error
    except OSError:
        return  # Some shared file systems have no locks.


def open_folder(text: str, root: Path = RESULTS_DEFAULT) -> Folder:
    """Return the folder that `text` means: a path, a name below `root`, `latest`, `previous`."""
    candidates = [Path(text), root / text]
    if text == PREVIOUS:
        candidates = folders_of(root)[-2:-1]
    elif text == LATEST:
        candidates = [root / LATEST, *folders_of(root)[-1:]]
    for path in candidates:
        if path.is_dir() and Folder(path).manifest.exists():
            return Folder(path.resolve())
    raise ResultsInvalid(f"there are no results in {text}", _what_there_is(root))


def folders_of(root: Path) -> list[Path]:
    """Return the folders of results below `root`, the oldest first."""
    if not root.is_dir():
        return []
    found = [path for path in root.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=lambda path: (_stamp(path.name), path.name))


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield another path to write to; what is there takes the place of `path` at once, durably."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, whenever the power fails."""
    with replaced(path) as beside:
        beside.write_bytes(data)


def _stamp(name: str) -> tuple[str, int]:
    found = re.search(r"-(\d{8}-\d{6})(?:-(\d+))?$", name)
    assert found is not None
    return found[1], int(found[2] or 0)


def _point_latest(root: Path, name: str) -> None:
    beside = root / f".{LATEST}.{os.getpid()}"
    beside.unlink(missing_ok=True)
    beside.symlink_to(name)
    beside.replace(root / LATEST)


def _what_there_is(root: Path) -> str:
    names = [path.name for path in folders_of(root)[-3:]]
    if not names:
        return "Run something first: placet sim run rural-clinic"
    return f"The newest in {root}: {', '.join(reversed(names))}"
