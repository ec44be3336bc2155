"""Small vaults for tests, and what one does with them."""

import hashlib
from io import BytesIO
from pathlib import Path

from daemon.vault.vault import Vault
from protocol.container import CHUNK_SIZE, Layout
from protocol.envelope import Opening
from protocol.record import Manifest
from tests.protocol.records import DESCRIPTION

MASTER = bytes(range(32))
LENGTHS = (0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 5 * CHUNK_SIZE, 5 * CHUNK_SIZE + 9)


def text_of(length: int) -> bytes:
    return hashlib.shake_128(b"text").digest(length)


def add(vault: Vault, length: int = 3 * CHUNK_SIZE + 5) -> Manifest:
    return vault.add(BytesIO(text_of(length)), DESCRIPTION)


def read(vault: Vault, record: bytes) -> bytes:
    return b"".join(vault.read(record))


def sealed(vault: Vault, manifest: Manifest) -> bytes:
    count = Layout(manifest.content.length).chunk_count
    chunks = [vault.sealed_chunks(manifest.id, index, 1)[0] for index in range(count)]
    return b"".join(chunks)


def receive(vault: Vault, opening: Opening, data: bytes, *, step: int = 100_000) -> None:
    with vault.receive(opening) as arrival:
        for start in range(0, len(data), step):
            arrival.write(data[start : start + step])
        arrival.finish()


def flip(path: Path, position: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1]))


def is_empty(folder: Path) -> bool:
    """Say whether nothing is half in or half out."""
    return not [*(folder / "incoming").iterdir(), *(folder / "erasing").iterdir()]
