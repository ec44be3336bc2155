"""The chain is re-checked from genesis, and damage on the disk is found."""

import shutil
from pathlib import Path

from daemon.demo.stage import Stage
from daemon.errors import Exit


def check_chain(stage: Stage, name: str) -> None:
    """Let the node of `name` check its whole chain again."""
    verified = stage.placet("chain", "verify", home=name)
    report = verified.value
    stage.check(
        report["good"] and report["blocks"] > 0,
        f"{name} re-checks its whole chain from genesis: {report['blocks']} blocks, "
        f"{report['events']} events, every signature and every rule.",
        verified.seconds,
    )


def check_damage(stage: Stage, name: str) -> None:
    """Flip one byte in copies of what the node of `name` has on its disk."""
    stage.placet("stop", home=name)
    chain = _damaged_copy(stage, name, "chain", "*.log", "*.ldb")
    found = stage.placet("chain", "verify", home=chain, code=Exit.VERIFICATION_FAILED)
    stage.check(
        "error" in found.value or not found.value["good"],
        "One byte of the database is flipped on a copy: the check finds it.",
        found.seconds,
    )
    record = _damaged_copy(stage, name, "vault", "records/*/chunks")
    found = stage.placet("record", "verify", home=record, code=Exit.VERIFICATION_FAILED)
    stage.check(
        "error" in found.value or not found.value["good"],
        "One byte of a sealed record is flipped on another copy: that is found, too.",
        found.seconds,
    )
    stage.placet("start", home=name)


def _damaged_copy(stage: Stage, name: str, folder: str, *patterns: str) -> str:
    """Copy a stopped node's home, flip a byte in the middle of its largest file, name the copy."""
    copy = f"{name}-with-a-damaged-{folder}"
    shutil.copytree(
        stage.home(name), stage.home(copy), ignore=shutil.ignore_patterns("control.sock")
    )
    files = [path for pattern in patterns for path in (stage.home(copy) / folder).glob(pattern)]
    _flip(max(files, key=lambda path: path.stat().st_size))
    return copy


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
