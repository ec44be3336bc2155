"""A whole report, of a folder as a sweep leaves it: complete, self-contained, and safe to open."""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from simulations.errors import ExtraMissing
from simulations.outcome import Outcome, Series, TraceEvent, Verdict, Violation
from simulations.report.write import read_events, write_diagram, write_report
from simulations.results.folder import Folder
from simulations.results.journal import Journal
from simulations.scenario.load import load
from simulations.scenario.model import Scenario
from tests.simulations.results.examples import example_folder

HOSTILE = "<script>alert('$x^$')</script>"

TEXT = """
name = "example"
question = "Is it <b>kept</b>?"
answer = ["finality_p99_ms"]
repeat = 2
[[link]]
loss = 0.0
[[check.bound]]
metric = "finality_p99_ms"
at_most = 150
[sweep]
"link.0.loss" = [0.0, 0.1]
"""


def outcome(seed: int, *, verdict: Verdict = Verdict.HOLDS) -> Outcome:
    violation = Violation("agreement", 40, "authority-0", f"two blocks {HOSTILE}")
    return Outcome(
        seed=seed,
        verdict=verdict,
        violations=(violation,) if verdict is Verdict.BROKEN else (),
        metrics={"finality_p99_ms": 100.0 + seed, f"hostile {HOSTILE}": 1.0},
        series={
            "finality": Series(("submitted_ms", "latency_ms"), [(10, 30), (20, 900.5)]),
            "height": Series(("at_ms", "node", "height"), [(10, HOSTILE, 1), (20, "$\\frac", 2)]),
            "propagation": Series(("node", "delay_ms"), [(HOSTILE, 0), ("authority-0", 7)]),
            "traffic": Series(("node", "bytes", "messages"), [(HOSTILE, 10, 1)]),
        },
        coverage={"crash": 2},
        trace_hash=f"{seed:032x}",
        steps=1,
        deliveries=1,
        virtual_ms=60_000,
    )


def trace() -> list[TraceEvent]:
    return [
        TraceEvent(10, "send", "authority-0", HOSTILE, "Vote"),
        TraceEvent(30, "deliver", HOSTILE, "authority-0", "Vote"),
        TraceEvent(35, "final", HOSTILE, None, "$1^"),
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Return a folder with a finished sweep of four runs, of which the third is broken."""
    made = example_folder(
        tmp_path_factory.mktemp("results"), Scenario(name="example", question="?", repeat=4)
    )
    made.scenario.write_text(TEXT)
    with Journal(made) as journal:
        for index in range(4):
            verdict = Verdict.BROKEN if index == 2 else Verdict.HOLDS
            loss = (0.0, 0.1)[index // 2]
            journal.add(index, {"link.0.loss": loss}, outcome(1 + index % 2, verdict=verdict))
    lines = [msgspec.json.encode(event) + b"\n" for event in trace()]
    made.events_of(2).write_bytes(b"".join(lines) + b'{"left_out":3}\n')
    write_report(made)
    return made


class Reader(HTMLParser):
    """Collects tags, what they refer to, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page(folder: Folder) -> Reader:
    return Reader(folder.report.read_text(encoding="utf-8"))


def test_the_answers_come_first(page: Reader) -> None:
    titles = [
        "Answer",
        "Bounds",
        "What did not hold",
        "Figures",
        "All metrics",
        "What was exercised",
        "Scenario",
        "How it was run",
    ]
    places = [page.text.index(title, page.text.index("kept")) for title in titles]

    assert places == sorted(places)
    assert "101.5" in page.text[places[0] : places[1]]
    assert "at most 150" in page.text[places[1] : places[2]]


def test_a_failing_run_has_its_replay_command(folder: Folder, page: Reader) -> None:
    assert f"placet sim replay {folder.path} 2" in page.text
    assert "Run 2, seed 1 (link.0.loss = 10 %)" in page.text


def test_the_page_needs_nothing_but_itself(folder: Folder, page: Reader) -> None:
    source = folder.report.read_text(encoding="utf-8")

    assert page.references
    assert all(each.startswith("data:image/svg+xml;base64,") for each in page.references)
    assert not {"link", "script", "iframe", "object", "embed"} & set(page.tags)
    assert "@import" not in source
    assert not re.search(r"url\(", source)


def test_names_of_others_stay_text(page: Reader) -> None:
    assert "script" not in page.tags
    assert page.tags.count("b") == 0
    assert HOSTILE in page.text
    assert "Is it <b>kept</b>?" in page.text


def test_it_has_a_figure_for_each_question_and_series(folder: Folder, page: Reader) -> None:
    plots = sorted(path.name for path in (folder.path / "plots").iterdir())

    names = ["finality", "height", "propagation", "sweep-1", "traffic"]
    assert plots == [f"{name}.{ending}" for name in names for ending in ("pdf", "svg")]
    assert page.tags.count("img") == len(names) + 1  # And the diagram of the failing run.


def test_it_says_how_to_repeat_it(page: Reader) -> None:
    for words in ("placet sim run example", "msgspec", "python", "“fast”"):
        assert words in page.text


def test_it_is_read_in_the_dark_and_on_paper(folder: Folder) -> None:
    source = folder.report.read_text(encoding="utf-8")

    assert "prefers-color-scheme: dark" in source
    assert "@media print" in source


def test_the_same_results_give_the_same_page(folder: Folder) -> None:
    before = folder.report.read_bytes()

    write_report(folder)

    assert folder.report.read_bytes() == before


def test_a_report_without_any_run_can_be_made(tmp_path: Path) -> None:
    empty = example_folder(tmp_path)

    assert "undecided" in write_report(empty).read_text(encoding="utf-8")


@pytest.mark.parametrize(("ending", "begins"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_a_diagram_is_an_image(tmp_path: Path, ending: str, begins: bytes) -> None:
    path = tmp_path / f"run.{ending}"

    write_diagram(path, trace(), load(_scenario(tmp_path)), Violation("agreement", 40, None, "x"))

    assert path.read_bytes().startswith(begins)


def _scenario(folder: Path) -> Path:
    path = folder / "scenario.toml"
    path.write_text(TEXT)
    return path


def test_an_event_log_is_read_up_to_what_was_left_out(folder: Folder) -> None:
    assert read_events(folder.events_of(2)) == trace()


def test_without_matplotlib_it_says_what_to_install(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("simulations.report.write.find_spec", lambda _: None)

    with pytest.raises(ExtraMissing, match="matplotlib"):
        write_report(folder)
