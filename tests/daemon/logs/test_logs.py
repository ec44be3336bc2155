"""What operators read: one line for each thing that matters, and nothing about a patient."""

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from daemon.config import LogSection
from daemon.logs.entry import (
    LogEntry,
    LogFilter,
    LogRing,
    parse_json,
    render_json,
    render_pretty,
)
from daemon.logs.folding import KEYS_MAX, WINDOW_SECONDS, Folding
from daemon.logs.logs import LOG_FILE_NAME, Logs, LogUnwritable, get_logger, open_logs
from daemon.logs.privacy import TEXT_LENGTH_MAX, VALUES_MAX, redact, subject_mark
from daemon.logs.sinks import QUEUE_ENTRIES_MAX, FileSink, StreamSink, Writer

KEY = b"k" * 32


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    for name in ("daemon", *logging.root.manager.loggerDict):
        if name.partition(".")[0] in ("daemon", "libp2p"):
            logging.getLogger(name).setLevel(logging.NOTSET)


def entry(event: str = "peer connected", **changes: object) -> LogEntry:
    values: dict[str, object] = {
        "sequence": 7,
        "time": 1_000_000_000.25,
        "level": "info",
        "component": "swarm",
    }
    return LogEntry(event=event, **(values | changes))  # type: ignore[arg-type]


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / LOG_FILE_NAME).read_text().splitlines()]


def logged(folder: Path, write: Callable[[Logs], None], **section: object) -> str:
    """Return what the terminal showed; the file is in `folder`."""
    terminal = io.StringIO()
    settings = LogSection(**section)  # type: ignore[arg-type]
    with open_logs(settings, folder=folder, terminal=terminal, key=KEY) as logs:
        write(logs)
    return terminal.getvalue()


def test_a_line_of_ours_reaches_file_terminal_and_ring(tmp_path: Path) -> None:
    def write(logs: Logs) -> None:
        get_logger("swarm").info("peer connected", peer=bytes(range(32)), address="/ip4/1.2.3.4")
        assert [entry.event for entry in logs.ring.after(0)] == ["peer connected"]

    shown = logged(tmp_path, write, terminal="pretty")
    assert "swarm       peer connected" in shown
    assert "peer=00010203  address=/ip4/1.2.3.4" in shown
    [line] = lines(tmp_path)
    assert line["component"] == "swarm"
    assert line["fields"] == {"peer": "00010203", "address": "/ip4/1.2.3.4"}


def test_off_a_terminal_lines_are_json(tmp_path: Path) -> None:
    shown = logged(tmp_path, lambda _: get_logger("node").warning("clock is off"))
    assert json.loads(shown)["event"] == "clock is off"


def test_a_library_obeys_our_levels_and_its_lines_come_through(tmp_path: Path) -> None:
    library = logging.getLogger("libp2p.host")
    logging.getLogger("libp2p").propagate = False  # What importing libp2p does.

    def write(logs: Logs) -> None:
        library.warning("stream %d failed", 3)
        library.info("chatter")
        logs.set_level("libp2p", "info")
        library.info("wanted")

    logged(tmp_path, write, terminal="off")
    assert [line["event"] for line in lines(tmp_path)] == ["stream 3 failed", "wanted"]
    assert lines(tmp_path)[0]["component"] == "libp2p.host"


def test_libraries_can_be_adopted_again_after_their_import(tmp_path: Path) -> None:
    def write(logs: Logs) -> None:
        logging.getLogger("libp2p").propagate = False
        logging.getLogger("libp2p.host").warning("lost")
        logs.adopt_libraries()
        logging.getLogger("libp2p.host").warning("heard")

    logged(tmp_path, write, terminal="off")
    assert [line["event"] for line in lines(tmp_path)] == ["heard"]


def test_levels_hold_for_a_component_and_those_below_it(tmp_path: Path) -> None:
    def write(logs: Logs) -> None:
        get_logger("transport.noise").debug("shown")
        get_logger("swarm").debug("hidden")
        logs.set_level("", "error")
        get_logger("swarm").warning("hidden too")
        assert logs.levels()["transport"] == "debug"
        assert logs.levels()["node"] == "error"

    logged(tmp_path, write, terminal="off", components={"transport": "debug"})
    assert [line["event"] for line in lines(tmp_path)] == ["shown"]


def test_a_module_that_logs_by_its_own_name_is_a_component(tmp_path: Path) -> None:
    logged(tmp_path, lambda _: logging.getLogger("daemon.node").info("opened"), terminal="off")
    assert lines(tmp_path)[0]["component"] == "node"


def test_a_module_that_gives_no_name_is_a_component_all_the_same(tmp_path: Path) -> None:
    logged(tmp_path, lambda _: structlog.get_logger().info("here"), terminal="off", level="debug")
    assert lines(tmp_path)[0]["component"] == __name__


def test_values_bound_to_the_context_are_in_each_line(tmp_path: Path) -> None:
    def write(_: Logs) -> None:
        with structlog.contextvars.bound_contextvars(correlation=b"\xab" * 32):
            get_logger("librarian").info("record sent")

    logged(tmp_path, write, terminal="off")
    assert lines(tmp_path)[0]["fields"] == {"correlation": "abababab"}


def test_an_exception_is_logged_with_its_traceback(tmp_path: Path) -> None:
    def write(_: Logs) -> None:
        try:
            raise ValueError("broken")
        except ValueError:
            get_logger("node").exception("task failed")

    shown = logged(tmp_path, write, terminal="pretty")
    assert "ValueError: broken" in shown
    assert "ValueError: broken" in str(lines(tmp_path)[0]["traceback"])


def test_percent_signs_are_letters(tmp_path: Path) -> None:
    logged(tmp_path, lambda _: get_logger("store").info("disk 91% full %s"), terminal="off")
    assert lines(tmp_path)[0]["event"] == "disk 91% full %s"


def test_a_repeated_line_is_counted_when_the_log_closes(tmp_path: Path) -> None:
    def write(_: Logs) -> None:
        for _attempt in range(100):
            get_logger("swarm").warning("peer not reached", peer="ab")

    logged(tmp_path, write, terminal="off")
    assert [line.get("repeated", 0) for line in lines(tmp_path)] == [0, 99]


def test_sequence_numbers_grow_by_one(tmp_path: Path) -> None:
    def write(logs: Logs) -> None:
        for number in range(3):
            get_logger("node").info("counted", number=number)
        first, second, third = (entry.sequence for entry in logs.ring.after(0))
        assert (second, third) == (first + 1, first + 2)
        assert len(logs.ring.after(second)) == 1

    logged(tmp_path, write, terminal="off")


def test_a_log_folder_that_cannot_be_written_is_the_operators_matter(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file in place of the folder")
    with pytest.raises(LogUnwritable, match="cannot write") as caught:
        logged(tmp_path / "logs", lambda _: None)
    assert "writable" in caught.value.next_step


def test_nothing_about_a_patient_passes() -> None:
    shown = redact(
        {
            "subject": b"\x01" * 32,
            "patient": "Ida Canary",
            "justification": "Ida Canary lies unconscious",
            "terms": {"name": "Ida Canary"},
            "reader": object(),
            "blocks": [b"\x02" * 32, {"Ida": "Canary"}],
        },
        KEY,
    )
    assert "Canary" not in repr(shown)
    assert "0101" not in repr(shown)
    assert shown["subject"] == subject_mark(b"\x01" * 32, KEY)
    assert len(shown["subject"]) == 6
    assert shown["justification"] == shown["terms"] == "withheld"
    assert shown["blocks"] == ["02020202", "dict"]


def test_marks_of_one_patient_agree_only_under_one_key() -> None:
    assert subject_mark(b"\x01" * 32, KEY) == subject_mark(b"\x01" * 32, KEY)
    assert subject_mark(b"\x01" * 32, KEY) != subject_mark(b"\x01" * 32, b"l" * 32)


def test_what_a_peer_wrote_cannot_forge_lines_or_colours() -> None:
    shown = redact({"agent": "x\n10:00:00 fake\033[31m", "many": list(range(99))}, KEY)
    assert shown["agent"] == "x 10:00:00 fake [31m"
    assert len(shown["many"]) == VALUES_MAX
    assert len(redact({"text": "x" * 9_999}, KEY)["text"]) == TEXT_LENGTH_MAX + 1


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (LogFilter(), True),
        (LogFilter(level="info"), True),
        (LogFilter(level="warning"), False),
        (LogFilter(component="swarm"), True),
        (LogFilter(component="swa"), False),
        (LogFilter(peer="abcd"), True),
        (LogFilter(peer="bcd"), False),
        (LogFilter(correlation="12"), True),
        (LogFilter(correlation="21"), False),
        (LogFilter(since=1_000_000_000.25), True),
        (LogFilter(since=1_000_000_000.26), False),
        (LogFilter(grep=r"con+ected.*peer=ab"), True),
        (LogFilter(grep="refused"), False),
    ],
)
def test_a_filter_lets_through_what_it_names(wanted: LogFilter, matches: bool) -> None:
    assert wanted.matches(entry(fields={"peer": "abcd1234", "correlation": "12"})) is matches


def test_a_filter_that_means_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="not one of debug, info"):
        LogFilter(level="loud")
    with pytest.raises(ValueError, match="not a regular expression"):
        LogFilter(grep="(")


def test_a_component_includes_those_below_it() -> None:
    assert LogFilter(component="transport").matches(entry(component="transport.noise"))


def test_json_is_read_back() -> None:
    original = entry(fields={"n": 1, "text": "a b"}, repeated=3, traceback="x")
    assert parse_json(render_json(original)) == original


@pytest.mark.parametrize("line", ["", "x", "[]", "{}", '{"time": 1}', '{"time":"2000-01-01"}'])
def test_anything_else_is_not_an_entry(line: str) -> None:
    assert parse_json(line) is None


def test_a_pretty_line_quotes_values_with_spaces() -> None:
    shown = render_pretty(entry(fields={"cause": "no route", "n": 3, "ok": True}, repeated=2))
    assert shown.endswith('cause="no route"  n=3  ok=true  (and 2 more like this)')
    assert "\033" not in shown
    assert "\033[31m" in render_pretty(entry(level="error"), colours=True)


def test_a_ring_forgets_the_oldest() -> None:
    ring = LogRing(entries_max=2)
    for sequence in range(5):
        ring.append(entry(sequence=sequence))
    assert [kept.sequence for kept in ring.after(0)] == [3, 4]


def test_a_listener_is_told_until_it_has_enough() -> None:
    ring, heard = LogRing(), []
    stop = ring.listen(lambda: heard.append(1))
    ring.append(entry())
    stop()
    ring.append(entry())
    assert heard == [1]


def test_a_fold_ends_with_its_window() -> None:
    folding = Folding()
    assert folding.feed(entry(time=0.0)) == [entry(time=0.0)]
    assert folding.feed(entry(time=1.0)) == []
    assert folding.feed(entry("other", time=2.0)) == [entry("other", time=2.0)]
    late = WINDOW_SECONDS + 1
    assert folding.feed(entry("third", time=late)) == [
        entry(time=late, repeated=1),
        entry("third", time=late),
    ]
    assert folding.flush() == []


def test_lines_that_differ_in_a_value_are_not_folded() -> None:
    folding = Folding()
    assert folding.feed(entry(fields={"n": 1}))
    assert folding.feed(entry(fields={"n": 2}))


def test_folding_remembers_a_bounded_number_of_lines() -> None:
    folding = Folding()
    for number in range(KEYS_MAX + 50):
        folding.feed(entry(fields={"n": number}))
    assert folding.feed(entry(fields={"n": KEYS_MAX + 49})) == []  # Still remembered.
    assert folding.feed(entry(fields={"n": 0})) != []  # Long forgotten.


def test_a_full_file_is_rotated_and_the_oldest_goes(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "node.log", lambda entry: entry.event, size_max=20, count=2)
    for number in range(10):
        sink.write(entry(f"line {number:04d}"))  # 10 bytes with the end of line.
    sink.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "node.log",
        "node.log.1",
        "node.log.2",
    ]
    assert (tmp_path / "node.log").read_text() == "line 0008\nline 0009\n"
    assert (tmp_path / "node.log.2").read_text() == "line 0004\nline 0005\n"


class Stuck:
    """A sink that hangs like a dead network disk, until it is let go."""

    name = "stuck"

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.let_go = threading.Event()

    def write(self, _: LogEntry) -> None:
        self.entered.set()
        assert self.let_go.wait(10)

    def close(self) -> None: ...


def test_a_sink_that_hangs_makes_nobody_wait() -> None:
    stuck, shown = Stuck(), io.StringIO()
    writer = Writer([stuck, StreamSink(shown, lambda entry: f"{entry.event} {entry.fields}")])
    writer.put(entry("first"))
    assert stuck.entered.wait(10)
    for _ in range(QUEUE_ENTRIES_MAX + 3):
        writer.put(entry("more"))
    assert writer.dropped == 3
    stuck.let_go.set()
    writer.close()
    assert "log lines were dropped {'count': 3}" in shown.getvalue()


class Full:
    """A sink on a full disk."""

    name = "file"

    def write(self, _: LogEntry) -> None:
        raise OSError(28, "No space left on device")

    def close(self) -> None: ...


def test_a_sink_that_fails_is_reported_once_by_the_others() -> None:
    shown = io.StringIO()
    writer = Writer([Full(), StreamSink(shown, lambda entry: entry.event)])
    for number in range(3):
        writer.put(entry(f"line {number}"))
    writer.close()
    assert shown.getvalue().splitlines() == ["log cannot be written", "line 0", "line 1", "line 2"]
