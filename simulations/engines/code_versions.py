"""What must be the same on every machine of a cluster for runs to give the same results."""

import platform
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("msgspec", "pynacl", "cryptography")
"""Libraries whose versions can show in a run's bytes."""

PACKAGES = ("protocol", "simulations")


def code_versions() -> dict[str, str]:
    """Return the versions of this machine by name; `placet` is a digest of the code itself."""
    found = {"python": platform.python_version(), "placet": source_digest()}
    return found | {name: _version(name) for name in LIBRARIES}


def source_digest() -> str:
    """Return 16 hex digits that stand for the code that decides how a run goes."""
    root = Path(__file__).resolve().parents[2]
    digest = sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
            digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
