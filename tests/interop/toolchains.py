"""Peers of other implementations, made ready to run, with packages from the user's registries.

What is made stays in a cache outside the source tree, under a name that follows from its sources;
so it is made once on each machine. Where it cannot be made (no toolchain, no network), whoever asks
is skipped, and told why. What does not compile fails.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

FOLDER = Path(__file__).parent
JS_FOLDER = FOLDER / "js_peer"
GO_FOLDER = FOLDER / "go_peer"

FETCH_SECONDS_MAX = 40
"""How long packages may take to arrive; a network that swallows packets looks like a slow one."""

BUILD_SECONDS_MAX = 240

NODE_VERSION_MIN = 20


def make_js_packages() -> Path:
    """Return a folder with js-libp2p's packages, or skip."""
    for program in ("node", "npm"):
        _require(program)
    version = _run("node", ["node", "--version"], seconds=10).strip().removeprefix("v")
    if int(version.partition(".")[0]) < NODE_VERSION_MIN:
        pytest.skip(f"Node {version} is older than {NODE_VERSION_MIN}")
    manifests = [JS_FOLDER / "package.json", JS_FOLDER / "package-lock.json"]
    made = _cached("js", manifests) / "node_modules"
    if made.is_dir():
        return made
    with _workshop(made.parent) as workshop:
        for manifest in manifests:
            shutil.copy(manifest, workshop)
        _run(
            "js-libp2p",
            ["npm", "ci", "--ignore-scripts", "--prefer-offline", "--fetch-retries=0"],
            folder=workshop,
            seconds=FETCH_SECONDS_MAX,
        )
    return made


def make_go_peer() -> Path:
    """Return the program, or skip."""
    _require("go")
    made = _cached("go", [GO_FOLDER / name for name in ("main.go", "go.mod", "go.sum")])
    if made.is_dir():
        return made / "peer"
    environment = {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    _run(
        "go-libp2p",
        ["go", "mod", "download"],
        folder=GO_FOLDER,
        seconds=FETCH_SECONDS_MAX,
        environment=environment,
    )
    with _workshop(made) as workshop:
        build = ["go", "build", "-o", str(workshop / "peer"), "."]
        try:
            subprocess.run(
                build,
                cwd=GO_FOLDER,
                env=os.environ | environment,
                timeout=BUILD_SECONDS_MAX,
                check=True,
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"go-libp2p is not compiled within {BUILD_SECONDS_MAX} seconds")
    return made / "peer"


def _require(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def _run(
    what: str,
    command: Sequence[str],
    *,
    seconds: float,
    folder: Path = FOLDER,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Return what the command prints; skip if it fails or takes too long."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | dict(environment or {}),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=True,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{what} does not arrive within {seconds} seconds")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"{what} is not to be had: `{' '.join(command)}` failed")
        raise AssertionError from error
    return done.stdout


def _cached(kind: str, sources: Sequence[Path]) -> Path:
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "placet-interop" / f"{kind}-{digest}"


@contextmanager
def _workshop(made: Path) -> Iterator[Path]:
    """Lend a folder; what is in it at the end gets its name in one step, so nobody sees half."""
    made.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=made.parent, prefix="making-") as parent:
        workshop = Path(parent, made.name)
        workshop.mkdir()
        yield workshop
        try:
            workshop.rename(made)
        except OSError:  # Somebody else was faster.
            if not made.is_dir():
                raise
