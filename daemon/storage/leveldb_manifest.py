"""Which tables a LevelDB consists of, read from its manifest without LevelDB.

A manifest is a log (see `leveldb_files`) of edits, each a list of tagged fields; `NEW_FILE`
and `DELETED_FILE` add and remove tables (LevelDB's db/version_edit.cc). Other tables in the folder
are no part of the store: a process that ended while LevelDB merged tables leaves a half-written
one behind, which LevelDB removes when it opens the store again.
"""

from collections.abc import Iterator
from pathlib import Path

from daemon.storage.snappy import read_varint

LOG_BLOCK_SIZE = 32 * 1024
LOG_HEADER_SIZE = 7

_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4

_COMPARATOR = 1
_LOG_NUMBER, _NEXT_FILE, _LAST_SEQUENCE, _PREVIOUS_LOG = 2, 3, 4, 9
_COMPACT_POINTER, _DELETED_FILE, _NEW_FILE = 5, 6, 7


def live_tables(folder: Path) -> list[str]:
    """Return the names of the tables that are part of the store, sorted.

    Raises `ValueError`, `IndexError` or `OSError` if there is no manifest that can be read.
    """
    current = (folder / "CURRENT").read_text(encoding="ascii").strip()
    numbers: set[int] = set()
    for edit in _records((folder / current).read_bytes()):
        added, removed = _parse_edit(edit)
        numbers = (numbers - removed) | added
    return [f"{number:06}.ldb" for number in sorted(numbers)]


def _records(data: bytes) -> Iterator[bytes]:
    """Yield the records of a log, put together from their fragments; checksums are not checked."""
    offset, record = 0, b""
    while offset + LOG_HEADER_SIZE <= len(data):
        left = LOG_BLOCK_SIZE - offset % LOG_BLOCK_SIZE
        if left < LOG_HEADER_SIZE:
            offset += left
            continue
        length = int.from_bytes(data[offset + 4 : offset + 6], "little")
        kind, begin = data[offset + 6], offset + LOG_HEADER_SIZE
        offset = begin + length
        if offset > len(data):
            return  # A crash interrupted it: it counts for nothing.
        fragment = data[begin:offset]
        record = fragment if kind in (_FULL, _FIRST) else record + fragment
        if kind in (_FULL, _LAST):
            yield record


def _parse_edit(edit: bytes) -> tuple[set[int], set[int]]:
    """Return the numbers of the tables that an edit adds and removes."""
    added, removed = set(), set()
    offset = 0
    while offset < len(edit):
        tag, offset = read_varint(edit, offset)
        if tag in (_LOG_NUMBER, _NEXT_FILE, _LAST_SEQUENCE, _PREVIOUS_LOG):
            _, offset = read_varint(edit, offset)
        elif tag == _COMPARATOR:
            offset = _skip_text(edit, offset)
        elif tag == _COMPACT_POINTER:
            _, offset = read_varint(edit, offset)
            offset = _skip_text(edit, offset)
        elif tag == _DELETED_FILE:
            _, offset = read_varint(edit, offset)
            number, offset = read_varint(edit, offset)
            removed.add(number)
        elif tag == _NEW_FILE:
            number, offset = _read_new_file(edit, offset)
            added.add(number)
        else:
            raise ValueError(f"a manifest has no field {tag}")
    return added, removed


def _read_new_file(edit: bytes, offset: int) -> tuple[int, int]:
    """Return the number of a new table; level, size and the range of its keys are skipped."""
    _, offset = read_varint(edit, offset)
    number, offset = read_varint(edit, offset)
    _, offset = read_varint(edit, offset)
    offset = _skip_text(edit, offset)
    return number, _skip_text(edit, offset)


def _skip_text(edit: bytes, offset: int) -> int:
    length, offset = read_varint(edit, offset)
    return offset + length
