"""The log of a node: structlog on top of stdlib logging, so that libraries obey the same rules.

Every line, ours or a library's, becomes one `LogEntry`: nothing about a patient in it (see
`log_privacy`), repetitions folded (`log_folding`). It goes into a ring in memory, which `placet
logs -f` follows, and through a bounded queue to the terminal and a rotating file (`log_sinks`).

A component is the name of a logger without `daemon.`: `structlog.get_logger("swarm")` and a module
that asks for its own name both log as `swarm`. Log an event's id as `correlation` and a member's
as `peer`: these two follow a matter across components and nodes.
"""

import itertools
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import structlog

from daemon.config import Level, LogSection
from daemon.errors import DaemonError
from daemon.logs.entry import LogEntry, LogRing, render_json, render_pretty
from daemon.logs.folding import Folding
from daemon.logs.privacy import plain, redact
from daemon.logs.sinks import FileSink, Render, Sink, StreamSink, Writer

LOG_FILE_NAME = "node.log"

TRACEBACK_LENGTH_MAX = 8_000
"""Characters of a traceback that are kept; the end tells most."""

OURS = "daemon"
LIBRARIES = ("libp2p", "zeroconf", "trio", "hypercorn")
"""Loggers whose names stay as they are. All other components are ours."""


class LogUnwritable(DaemonError):
    """The log file cannot be opened."""

    code = "log-unwritable"


class Logs:
    """The running log of this process."""

    def __init__(self, ring: LogRing, writer: Writer, key: bytes) -> None:
        self.ring = ring
        self._distributor = _Distributor(ring, writer, key)
        self._writer = writer

    def adopt_libraries(self) -> None:
        """Let libp2p's loggers pass their lines on to us.

        Importing libp2p takes their handlers away and cuts them off, so call this once more after
        that import. Nothing is imported here.
        """
        library = logging.getLogger("libp2p")
        library.handlers.clear()
        library.propagate = True

    def set_level(self, component: str, level: Level) -> None:
        """Change the level of a component and those below it; "" is all of ours."""
        _logger_of(component).setLevel(level.upper())

    def levels(self) -> dict[str, str]:
        """Return the levels that were set, by component."""
        names = [OURS, *sorted(logging.root.manager.loggerDict)]
        loggers = [logging.getLogger(name) for name in names if _is_known(name)]
        return {
            _component(logger.name): logging.getLevelName(logger.level).lower()
            for logger in loggers
            if logger.level
        }

    def attach(self) -> None:
        logging.getLogger().addHandler(self._distributor)
        self.adopt_libraries()

    def close(self) -> None:
        """Write what waits and let go of the loggers."""
        logging.getLogger().removeHandler(self._distributor)
        self._distributor.flush_folded()
        self._writer.close()


@contextmanager
def open_logs(
    section: LogSection, *, folder: Path, terminal: TextIO, key: bytes | None = None
) -> Iterator[Logs]:
    """Log as `section` says until the end of the block, or raise `LogUnwritable`.

    `key` hides patients: pass the same one after each start, and marks stay comparable.
    """
    sinks = [*_terminal_sinks(section, terminal), *_file_sinks(section, folder)]
    logs = Logs(LogRing(), Writer(sinks), key or secrets.token_bytes(32))
    _configure_structlog()
    logs.set_level("", section.level)
    for component, level in section.components.items():
        logs.set_level(component, level)
    logs.attach()
    try:
        yield logs
    finally:
        logs.close()


def get_logger(component: str) -> Any:
    """Return the structlog logger of a component; usable before the log is open."""
    return structlog.get_logger(component)


_asking_module = structlog.stdlib.LoggerFactory(ignore_frame_names=[__name__])


class _Distributor(logging.Handler):
    """Turns records into entries, and hands these to the ring and the writer."""

    def __init__(self, ring: LogRing, writer: Writer, key: bytes) -> None:
        super().__init__()
        self._ring = ring
        self._writer = writer
        self._key = key
        self._folding = Folding()
        self._sequence: Iterator[int] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self._write(self._folding.feed(_entry_of(record, self._key)))

    def flush_folded(self) -> None:
        self.acquire()
        try:
            self._write(self._folding.flush())
        finally:
            self.release()

    def _write(self, entries: list[LogEntry]) -> None:
        for entry in entries:
            numbered = replace(entry, sequence=self._number(entry.time))
            self._ring.append(numbered)
            self._writer.put(numbered)

    def _number(self, time: float) -> int:
        """Count from the time of the first line, so that numbers grow across restarts too."""
        if self._sequence is None:
            self._sequence = itertools.count(int(time * 1000))
        return next(self._sequence)


def _entry_of(record: logging.LogRecord, key: bytes) -> LogEntry:
    fields = redact(getattr(record, "fields", {}), key)
    traceback = ""
    if record.exc_info:
        traceback = logging.Formatter().formatException(record.exc_info)[-TRACEBACK_LENGTH_MAX:]
    return LogEntry(
        sequence=0,
        time=record.created,
        level=record.levelname.lower(),
        component=_component(record.name),
        event=plain(record.getMessage()),
        fields=fields,
        traceback=traceback,
    )


def _terminal_sinks(section: LogSection, terminal: TextIO) -> list[Sink]:
    style = section.terminal
    if style == "off":
        return []
    if style == "auto":
        style = "pretty" if terminal.isatty() else "json"
    render: Render = partial(render_pretty, colours=terminal.isatty())
    return [StreamSink(terminal, render if style == "pretty" else render_json)]


def _file_sinks(section: LogSection, folder: Path) -> list[Sink]:
    if section.file == "off":
        return []
    render = render_pretty if section.file == "pretty" else render_json
    path = folder / LOG_FILE_NAME
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sink = FileSink(path, render, size_max=section.file_size_max, count=section.file_count)
    except OSError as error:
        next_step = 'Make the folder writable for this user, or set file = "off" in [log].'
        raise LogUnwritable(f"cannot write {path}: {error.strerror}", next_step) from error
    return [sink]


def _configure_structlog() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.PositionalArgumentsFormatter(),
            _as_record,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=_make_logger,
    )


def _as_record(_logger: Any, _method: str, event: structlog.typing.EventDict) -> dict[str, Any]:
    """Return the arguments of the stdlib logger: the event, and the rest as `fields`."""
    text = str(event.pop("event"))
    exc_info = event.pop("exc_info", None)
    return {"msg": text, "exc_info": exc_info, "extra": {"fields": event}}


def _make_logger(*names: str) -> logging.Logger:
    """Return the logger that was asked for by name, or else that of the asking module."""
    return _logger_of(names[0] if names else _asking_module().name)


def _logger_of(component: str = "") -> logging.Logger:
    if _is_known(component):
        return logging.getLogger(component)
    return logging.getLogger(f"{OURS}.{component}" if component else OURS)


def _component(name: str) -> str:
    return name.removeprefix(f"{OURS}.") if name != OURS else "node"


def _is_known(name: str) -> bool:
    return name.partition(".")[0] in (OURS, *LIBRARIES)
