"""What was run, with which code and by which command: enough to run it again anywhere."""

import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from simulations.engines.code_versions import code_versions
from simulations.errors import ResultsInvalid
from simulations.results.folder import Folder, write_whole
from simulations.scenario.load import load
from simulations.scenario.model import Scenario, Value

FORMAT = 1
"""Of the folder. Other formats are refused."""

GIT_SECONDS_MAX = 5.0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    format: int = FORMAT
    scenario: str
    crypto: str
    runs: int
    """Of the whole sweep, in all shards."""
    shard: str | None = None
    changes: dict[str, Value] = {}
    """What the command line set in the scenario."""
    choices: dict[str, list[Value]] = {}
    """What it put into the sweep."""
    command: tuple[str, ...]
    began: str
    version: str
    commit: str | None
    """The commit of the checkout, with a plus if files were changed since; None outside of one."""
    versions: dict[str, str]
    platform: str


def make_manifest(  # noqa: PLR0913 (Each is a line of the file.)
    scenario: Scenario,
    *,
    runs: int,
    shard: str | None,
    changes: Mapping[str, Value],
    choices: Mapping[str, Sequence[Value]] | None = None,
    command: Sequence[str],
    now: datetime,
) -> Manifest:
    """Return what there is to say; `runs` are those of the whole sweep."""
    return Manifest(
        scenario=scenario.name,
        crypto=scenario.network.crypto,
        runs=runs,
        shard=shard,
        changes=dict(changes),
        choices={field: list(values) for field, values in (choices or {}).items()},
        command=tuple(command),
        began=now.isoformat(timespec="seconds"),
        version=_version(),
        commit=_commit(Path(__file__).resolve().parents[2]),
        versions=code_versions(),
        platform=f"{platform.system()} {platform.machine()}, {sys.implementation.name}",
    )


def save_manifest(folder: Folder, manifest: Manifest) -> None:
    write_whole(folder.manifest, msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")


def load_manifest(folder: Folder) -> Manifest:
    try:
        manifest = msgspec.json.decode(folder.manifest.read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise ResultsInvalid(f"{folder.manifest} cannot be read: {error}") from error
    if manifest.format != FORMAT:
        raise ResultsInvalid(f"{folder.path} has format {manifest.format}, not {FORMAT}")
    return manifest


def load_scenario(folder: Folder, manifest: Manifest) -> Scenario:
    """Return the scenario as it was run."""
    return load(folder.scenario, manifest.changes, manifest.choices)


def _version() -> str:
    try:
        return version("placet")
    except PackageNotFoundError:
        return "unknown"


def _commit(root: Path) -> str | None:
    if not (root / ".git").exists():
        return None
    git = ["git", "-c", "safe.directory=*", "-C", str(root)]
    try:
        head = _output([*git, "rev-parse", "HEAD"])
        changed = _output([*git, "status", "--porcelain", "--untracked-files=no"])
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head}+" if changed else head


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=GIT_SECONDS_MAX, check=True
    )
    return done.stdout.strip()
