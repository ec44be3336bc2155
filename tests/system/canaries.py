"""Words that must not be found outside of sealed records, and all the ways to write them."""

import base64
import hashlib
import json
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path

from daemon.storage.vote_log import BALLAST_NAME

HASHES = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "blake2b", "blake2s")
HASH_SIZE = 16
"""Bytes of a hash that are looked for: a shortened one tells as much."""

ENCODED_SIZE_MIN = 6
"""Shorter encodings would be found by chance."""


def spellings(word: str) -> dict[str, bytes]:
    """Return every way to write a word that we look for, by its name."""
    found: dict[str, bytes] = {}
    for form, text in _forms(word).items():
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            for name, data in _encodings(text.encode(encoding)).items():
                found[f"{form} {encoding} {name}"] = data
        for algorithm in HASHES:
            digest = hashlib.new(algorithm, text.encode()).digest()[:HASH_SIZE]
            for name, data in _encodings(digest).items():
                found[f"{form} {algorithm} {name}"] = data
        found[f"{form} json"] = json.dumps(text)[1:-1].encode()
        found[f"{form} url"] = urllib.parse.quote(text).encode()
    return {name: data for name, data in found.items() if len(data) >= ENCODED_SIZE_MIN}


def find(words: Mapping[str, str], emitted: Mapping[str, bytes]) -> list[str]:
    """Return which word is where, and how it is written there; nothing if all is well."""
    return [
        f"{label} in {place} as {spelling}"
        for label, word in words.items()
        for spelling, data in spellings(word).items()
        for place, text in emitted.items()
        if data in text
    ]


def read_files(folder: Path, *patterns: str) -> Iterator[tuple[str, bytes]]:
    """Yield the contents of all files below `folder` that match, by their path in it."""
    for pattern in patterns:
        for path in folder.rglob(pattern):
            if path.is_file() and path.name != BALLAST_NAME:
                yield path.relative_to(folder).as_posix(), path.read_bytes()


def _forms(word: str) -> dict[str, str]:
    squeezed = "".join(letter for letter in word if letter.isalnum())
    forms = {"as it is": word, "lower": word.lower(), "upper": word.upper(), "squeezed": squeezed}
    return {name: form for name, form in forms.items() if form}


def _encodings(data: bytes) -> dict[str, bytes]:
    """Return bytes as they are, in hex, and in the middle of longer base64 and base32 texts."""
    found = {"plain": data, "hex": data.hex().encode(), "HEX": data.hex().upper().encode()}
    for offset in range(3):
        text = base64.b64encode(bytes(offset) + data)
        found[f"base64 +{offset}"] = text[(8 * offset + 5) // 6 : (len(data) + offset) * 8 // 6]
    found["base32"] = base64.b32encode(data)[: len(data) * 8 // 5]
    found["base32 small"] = found["base32"].lower()
    return found
