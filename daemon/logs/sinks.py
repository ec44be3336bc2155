"""Where log entries are written: a terminal, a file that rotates, and the thread that does it.

The node's loop only puts entries into a bounded queue. If the disk is slower than the log, entries
are dropped and counted; nothing waits. If a sink fails (the disk is full), the others are told
once, and each later entry is tried again.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TextIO

from daemon.logs.entry import LogEntry

QUEUE_ENTRIES_MAX = 10_000
"""How many entries may wait for a slow sink."""

CLOSE_SECONDS_MAX = 5.0
"""How long the last entries may take when the node stops."""

Render = Callable[[LogEntry], str]


class Sink(Protocol):
    name: str

    def write(self, entry: LogEntry, /) -> None:
        """Write the entry, or raise `OSError` or `ValueError` (a closed stream)."""

    def close(self) -> None: ...


class StreamSink:
    """Writes to a stream that somebody else opened."""

    name = "terminal"

    def __init__(self, stream: TextIO, render: Render) -> None:
        self._stream = stream
        self._render = render

    def write(self, entry: LogEntry) -> None:
        self._stream.write(self._render(entry) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Leave the stream open: it is not ours."""


class FileSink:
    """Writes to `path`; a full file becomes `path.1`, and that `path.2`, up to `count`."""

    name = "file"

    def __init__(self, path: Path, render: Render, *, size_max: int, count: int) -> None:
        self._path = path
        self._render = render
        self._size_max = size_max
        self._count = count
        self._file = path.open("a", encoding="utf-8")
        self._size = path.stat().st_size

    def write(self, entry: LogEntry) -> None:
        line = self._render(entry) + "\n"
        size = len(line.encode("utf-8", "replace"))
        if self._size and self._size + size > self._size_max:
            self._rotate()
        self._file.write(line)
        self._file.flush()
        self._size += size

    def close(self) -> None:
        self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        for number in range(self._count - 1, 0, -1):
            old = self._numbered(number)
            if old.exists():
                old.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))
        self._file = self._path.open("a", encoding="utf-8")
        self._size = 0

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class Writer:
    """The thread that feeds the sinks."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = tuple(sinks)
        self._failing: set[str] = set()
        self._queue: queue.Queue[LogEntry | None] = queue.Queue(QUEUE_ENTRIES_MAX)
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def put(self, entry: LogEntry) -> None:
        """Hand over an entry; never waits."""
        try:
            self._queue.put_nowait(entry)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write what waits, for as long as that may take, and close the sinks."""
        try:
            self._queue.put(None, timeout=CLOSE_SECONDS_MAX)
        except queue.Full:
            return  # A sink hangs. The thread is a daemon and ends with the process.
        self._thread.join(CLOSE_SECONDS_MAX)

    def _run(self) -> None:
        while (entry := self._queue.get()) is not None:
            self._write(entry)
            if self._queue.empty():
                self._tell_dropped()
        self._tell_dropped()
        for sink in self._sinks:
            sink.close()

    def _write(self, entry: LogEntry) -> None:
        for sink in self._sinks:
            try:
                sink.write(entry)
            except (OSError, ValueError) as error:
                self._tell_others(sink, error)
            else:
                self._failing.discard(sink.name)

    def _tell_others(self, failed: Sink, error: Exception) -> None:
        if failed.name in self._failing:
            return
        self._failing.add(failed.name)
        self._write(_report("log cannot be written", sink=failed.name, cause=str(error)))

    def _tell_dropped(self) -> None:
        if self.dropped:
            count, self.dropped = self.dropped, 0
            self._write(_report("log lines were dropped", count=count))


def _report(event: str, **fields: str | int) -> LogEntry:
    return LogEntry(0, time.time(), "error", "logs", event, fields)
