"""Makes one folder of the shards of a sweep, done on machines that know nothing of each other."""

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from simulations.errors import ResultsInvalid
from simulations.results.carrying import conclude
from simulations.results.folder import Folder, create_folder
from simulations.results.journal import Journal, read_records
from simulations.results.manifest import Manifest, load_manifest, load_scenario, save_manifest
from simulations.results.record import Record
from simulations.results.summary import Summary

SAME = ("scenario", "crypto", "runs", "changes", "choices", "versions")
"""What the manifests of shards must agree on; of `versions`, all."""


def merge_folders(
    folders: Sequence[Folder], root: Path, *, command: Sequence[str], now: datetime
) -> tuple[Folder, Summary]:
    """Return a new folder below `root` with all their runs, or raise `ResultsInvalid`."""
    manifests = [load_manifest(folder) for folder in folders]
    for folder, manifest in zip(folders, manifests, strict=True):
        _compare(folders[0], manifests[0], folder, manifest)
    merged = create_folder(root, manifests[0].scenario, now)
    shutil.copyfile(folders[0].scenario, merged.scenario)
    began = now.isoformat(timespec="seconds")
    manifest = replace(manifests[0], shard=None, command=tuple(command), began=began)
    save_manifest(merged, manifest)
    load_scenario(merged, manifest)
    _copy_runs(folders, merged)
    return merged, conclude(merged)


def _compare(first: Folder, wanted: Manifest, folder: Folder, found: Manifest) -> None:
    different = [name for name in SAME if getattr(found, name) != getattr(wanted, name)]
    if first.scenario.read_bytes() != folder.scenario.read_bytes():
        different.append("scenario.toml")
    if different:
        raise ResultsInvalid(
            f"{folder.path} and {first.path} are not of one sweep: other {', '.join(different)}",
            "Merge only what was run from one scenario with the same code.",
        )


def _copy_runs(folders: Sequence[Folder], merged: Folder) -> None:
    known: dict[int, Record] = {}
    with Journal(merged) as journal:
        for folder in folders:
            for record in read_records(folder):
                _check_same(known.get(record.index), record, folder)
                if record.index not in known or known[record.index].outcome is None:
                    known[record.index] = record
                    journal.add_record(record)
                    _copy(folder.series_of(record.index), merged.series_of(record.index))
                    _copy(folder.events_of(record.index), merged.events_of(record.index))


def _check_same(known: Record | None, record: Record, folder: Folder) -> None:
    """Raise `ResultsInvalid` if a run that is in two folders went differently."""
    if known is None or known.outcome is None or record.outcome is None:
        return
    if known.outcome.trace_hash != record.outcome.trace_hash:
        raise ResultsInvalid(
            f"run {record.index} of {folder.path} went otherwise in another folder",
            "The same run must give the same trace: look which machine has other code.",
        )


def _copy(source: Path, target: Path) -> None:
    if source.exists():
        shutil.copyfile(source, target)
