"""Checks every byte of LevelDB's files, without LevelDB.

LevelDB overlooks some damage. Measured with version 1.22 and `paranoid_checks`: a changed length
in the last 32 KiB of a log makes it forget all writes from there on, because it looks like a write
that a crash interrupted; and changed filters and footers of tables go unnoticed. So:

- A log (`*.log`, `MANIFEST-*`; doc/log_format.md) is a chain of records, each with a checksum. One
  that reaches beyond the end of the file was interrupted, unless the checksum fits what is there:
  then its length was changed.
- A table (`*.ldb`; doc/table_format.md) is data blocks, a filter, an index of filters, an index of
  data blocks, and a footer, without a gap. Each block has a checksum, and the footer has only one
  form.
- `CURRENT` names the manifest. `LOG` and `LOG.old` are for people to read, `LOCK` is empty: their
  bytes mean nothing, and nothing here looks at them.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from daemon.storage.crc32c import crc32c, prefix_checksums, unmask
from daemon.storage.leveldb_manifest import live_tables
from daemon.storage.snappy import decompress, read_varint

LOG_BLOCK_SIZE = 32 * 1024
LOG_HEADER_SIZE = 7
FOOTER_SIZE = 48
FOOTER_MAGIC = bytes.fromhex("57fb808b247547db")
TRAILER_SIZE = 5
"""One byte that says how a block is compressed, and its checksum."""

_PLAIN, _SNAPPY = 0, 1
_CURRENT_FORM = re.compile(rb"MANIFEST-\d{6,}\n")


class Damage(NamedTuple):
    """A file that was changed, and about where."""

    file: str
    offset: int

    def __str__(self) -> str:
        return f"{self.file} near byte {self.offset}"


class _Changed(Exception):
    """Bytes near `offset` were changed after they were written."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class _Handle(NamedTuple):
    """Where a block of a table is."""

    offset: int
    size: int

    @property
    def end(self) -> int:
        return self.offset + self.size + TRAILER_SIZE


def check_files(folder: Path) -> Iterator[Damage]:
    """Yield the damage in all files of a LevelDB that nobody uses, at most one for each file."""
    yield from check_logs(folder)
    yield from check_tables(folder, _tables(folder))


def _tables(folder: Path) -> list[str]:
    """Return the tables of the store; all that are there, if its manifest does not tell."""
    try:
        return live_tables(folder)
    except (ValueError, IndexError, OSError):
        return [path.name for path in sorted(folder.glob("*.ldb"))]


def check_logs(folder: Path) -> Iterator[Damage]:
    """Yield the damage in logs and manifests.

    Another process may be writing to them: what it has written half counts as interrupted.
    """
    yield from _check_all_logs(folder, _check_log)


def check_log_ends(folder: Path) -> Iterator[Damage]:
    """Yield such damage in logs as would make LevelDB drop the newest writes without a word.

    It sees damage in all blocks but the last one by itself, when it opens the logs.
    """
    yield from _check_all_logs(folder, _check_log_end)


def check_tables(folder: Path, names: Iterable[str]) -> Iterator[Damage]:
    """Yield the damage in tables, which never change once they are complete."""
    for name in names:
        yield from _check(folder / name, _check_table)


def _check(path: Path, check: Callable[[bytes], None]) -> Iterator[Damage]:
    try:
        check(path.read_bytes())
    except _Changed as changed:
        yield Damage(path.name, changed.offset)
    except FileNotFoundError:
        return  # LevelDB has removed it meanwhile, or will say itself that it misses it.


def _check_all_logs(folder: Path, check: Callable[[bytes], None]) -> Iterator[Damage]:
    logs = sorted(folder.glob("*.log"))
    if logs or any(folder.glob("*.ldb")):
        yield from _check_current(folder)
    for path in (*sorted(folder.glob("MANIFEST-*")), *logs):
        yield from _check(path, check)


def _check_current(folder: Path) -> Iterator[Damage]:
    """Yield damage unless the file names a manifest that is there.

    Without it LevelDB takes a folder full of tables for a new store, and removes them. Before
    there are tables or logs it need not be there: a crash interrupted the making of a store.
    """
    current = folder / "CURRENT"
    name = current.read_bytes() if current.exists() else b""
    if not _CURRENT_FORM.fullmatch(name) or not (folder / name.decode().strip()).exists():
        yield Damage(current.name, 0)


def _check_log_end(data: bytes) -> None:
    _check_log(data, max(0, len(data) - 1) // LOG_BLOCK_SIZE * LOG_BLOCK_SIZE)


def _check_log(data: bytes, offset: int = 0) -> None:
    """Raise `_Changed` unless every record is good, but for one that was interrupted."""
    while offset < len(data):
        left = LOG_BLOCK_SIZE - offset % LOG_BLOCK_SIZE
        if left < LOG_HEADER_SIZE:
            if any(data[offset : offset + left]):
                raise _Changed(offset)
            offset += left
        elif _is_interrupted(data, offset, left):
            return
        else:
            offset = _check_log_record(data, offset, left)


def _is_interrupted(data: bytes, offset: int, left: int) -> bool:
    """Say whether the file ends before the record at `offset` does, and was cut off there.

    `left` is what remains of the log's block. No record goes beyond that.
    """
    if len(data) < offset + LOG_HEADER_SIZE:
        return True
    length = int.from_bytes(data[offset + 4 : offset + 6], "little")
    if length > left - LOG_HEADER_SIZE or len(data) >= offset + LOG_HEADER_SIZE + length:
        return False
    checksum = unmask(int.from_bytes(data[offset : offset + 4], "little"))
    return checksum not in prefix_checksums(data[offset + LOG_HEADER_SIZE - 1 :])


def _check_log_record(data: bytes, offset: int, left: int) -> int:
    """Return where the record at `offset` ends."""
    length = int.from_bytes(data[offset + 4 : offset + 6], "little")
    end = offset + LOG_HEADER_SIZE + length
    checksum = unmask(int.from_bytes(data[offset : offset + 4], "little"))
    content = data[offset + LOG_HEADER_SIZE - 1 : end]
    if length > left - LOG_HEADER_SIZE or end > len(data) or crc32c(content) != checksum:
        raise _Changed(offset)
    return end


def _check_table(data: bytes) -> None:
    """Raise `_Changed` unless all blocks are good, and leave no byte between them."""
    filter_index, index = _read_footer(data)
    handles = [*_handles(data, index), *_handles(data, filter_index), filter_index, index]
    begins = [0, *(handle.end for handle in handles)]
    for begin, handle in zip(begins, handles, strict=False):
        if handle.offset != begin:
            raise _Changed(begin)
        _check_block(data, handle)
    if begins[-1] != len(data) - FOOTER_SIZE:
        raise _Changed(begins[-1])


def _read_footer(data: bytes) -> tuple[_Handle, _Handle]:
    """Return where the index of filters and the index of data blocks are."""
    start = len(data) - FOOTER_SIZE
    footer = data[max(start, 0) :]
    try:
        filter_index, offset = _read_handle(footer, 0)
        index, offset = _read_handle(footer, offset)
    except ValueError as error:
        raise _Changed(start) from error
    form = _write_handle(filter_index) + _write_handle(index)
    if footer != form.ljust(FOOTER_SIZE - len(FOOTER_MAGIC), b"\0") + FOOTER_MAGIC:
        raise _Changed(start)
    return filter_index, index


def _handles(data: bytes, index: _Handle) -> list[_Handle]:
    """Return where the blocks are that an index lists, in its order."""
    _check_block(data, index)
    try:
        return _parse_index(_block_content(data, index))
    except (ValueError, IndexError) as error:
        raise _Changed(index.offset) from error


def _check_block(data: bytes, handle: _Handle) -> None:
    if handle.end > len(data) - FOOTER_SIZE:
        raise _Changed(len(data) - FOOTER_SIZE)
    checked_end = handle.offset + handle.size + 1
    stored = data[checked_end : handle.end]
    content = memoryview(data)[handle.offset : checked_end]
    if crc32c(content) != unmask(int.from_bytes(stored, "little")):
        raise _Changed(handle.offset)


def _block_content(data: bytes, handle: _Handle) -> bytes:
    content = data[handle.offset : handle.offset + handle.size]
    compression = data[handle.offset + handle.size]
    if compression == _SNAPPY:
        return decompress(content)
    if compression != _PLAIN:
        raise ValueError(f"there is no compression {compression}")
    return content


def _parse_index(block: bytes) -> list[_Handle]:
    """Return the values of an index block: entries with shared prefixes, then restart points."""
    restart_count = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 - 4 * restart_count
    handles = []
    offset = 0
    while offset < end:
        _, offset = read_varint(block, offset)
        key_length, offset = read_varint(block, offset)
        value_length, offset = read_varint(block, offset)
        offset += key_length
        handles.append(_read_handle(block, offset)[0])
        offset += value_length
    return handles


def _read_handle(data: bytes, offset: int) -> tuple[_Handle, int]:
    begin, offset = read_varint(data, offset)
    size, offset = read_varint(data, offset)
    return _Handle(begin, size), offset


def _write_handle(handle: _Handle) -> bytes:
    return b"".join(_write_varint(number) for number in handle)


def _write_varint(number: int) -> bytes:
    data = bytearray()
    while number >= 0x80:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*data, number])
