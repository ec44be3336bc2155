"""Makes `report.html` and `plots/` of a folder of results, and diagrams of event logs."""

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec

from simulations.errors import ExtraMissing, ResultsInvalid
from simulations.outcome import TraceEvent, Violation
from simulations.results.folder import Folder, replaced, write_whole
from simulations.results.journal import read_records, read_series
from simulations.results.manifest import load_manifest, load_scenario
from simulations.results.record import Record
from simulations.results.summary import Summary, summarize
from simulations.scenario.load import with_values
from simulations.scenario.model import Scenario
from simulations.scenario.names import nodes_of
from simulations.scenario.sweep import runs

SERIES_MAX = 500
"""Of how many runs the series are read; more dots would show nothing more."""
DIAGRAMS_MAX = 5
EVENTS_MAX = 1_000_000
"""Of a longer event log, the last so many events are read."""


def write_report(folder: Folder) -> Path:
    """Write the report, and its plots as files beside it; return its path.

    Raises `ExtraMissing` without matplotlib, and `ResultsInvalid` for what is no folder of results.
    """
    need_matplotlib()
    from simulations.report.figures import answer_bands, figures_of  # noqa: PLC0415  # Needs matplotlib.
    from simulations.report.page import Content, Image, render  # noqa: PLC0415
    from simulations.report.style import pdf_of, svg_of  # noqa: PLC0415

    manifest = load_manifest(folder)
    scenario = load_scenario(folder, manifest)
    records = read_records(folder)
    series = {record.index: read_series(folder, record.index) for record in records[:SERIES_MAX]}
    (folder.path / "plots").mkdir(exist_ok=True)
    images = []
    for shown in figures_of(scenario, records, series):
        svg = svg_of(shown.figure)
        write_whole(folder.path / "plots" / f"{shown.name}.svg", svg)
        write_whole(folder.path / "plots" / f"{shown.name}.pdf", pdf_of(shown.figure))
        images.append(Image(shown.caption, svg, f"plots/{shown.name}"))
    images += [Image(caption, svg) for caption, svg in _last_events(folder, records)]
    content = Content(
        scenario=scenario,
        scenario_text=folder.scenario.read_text(encoding="utf-8"),
        manifest=manifest,
        summary=_summary(scenario, records),
        folder=_name_of(folder),
        images=images,
        bands=answer_bands(scenario, records),
        diagrams={
            run: Image(caption, svg) for run, caption, svg in _diagrams(folder, scenario, records)
        },
    )
    write_whole(folder.report, render(content).encode())
    return folder.report


def write_diagram(
    path: Path, events: Sequence[TraceEvent], scenario: Scenario, violation: Violation | None
) -> Path:
    """Draw what happened around the violation as SVG or PNG, as the name of `path` says."""
    need_matplotlib()
    from simulations.report.spacetime import spacetime_figure  # noqa: PLC0415  # matplotlib.
    from simulations.report.style import save  # noqa: PLC0415

    figure = spacetime_figure(
        events, violation=violation, faults=scenario.faults, hostile=hostile_nodes(scenario)
    )
    with replaced(path) as beside:
        save(figure, beside, ending=path.suffix)
    return path


def hostile_nodes(scenario: Scenario) -> dict[str, str]:
    """Return which nodes are adversaries, and of which kind."""
    return {
        node: each.kind for each in scenario.adversaries for node in nodes_of(scenario, each.nodes)
    }


def read_events(path: Path) -> list[TraceEvent]:
    """Return the events of a log as `placet sim replay` writes it; other lines are left out."""
    decoder = msgspec.json.Decoder(TraceEvent)
    events = []
    try:
        with path.open("rb") as file:
            for line in file:
                try:
                    events.append(decoder.decode(line))
                except msgspec.DecodeError:
                    continue  # The last line says how much was left out.
                if len(events) > 2 * EVENTS_MAX:
                    del events[:EVENTS_MAX]
    except OSError as error:
        raise ResultsInvalid(f"{path} cannot be read: {error.strerror}") from error
    return events[-EVENTS_MAX:]


def need_matplotlib() -> None:
    """Raise `ExtraMissing` if there is no matplotlib."""
    if find_spec("matplotlib") is None:
        raise ExtraMissing("plots need matplotlib, which is not installed")


def _name_of(folder: Folder) -> str:
    """Return the folder as commands given here may name it."""
    relative = os.path.relpath(folder.path)
    return str(folder.path) if relative.startswith("..") else relative


def _summary(scenario: Scenario, records: Sequence[Record]) -> Summary:
    planned = {index: parameters for index, parameters, _, _ in runs(scenario)}
    return summarize(scenario, records, planned)


def _last_events(folder: Folder, records: Sequence[Record]) -> Iterator[tuple[str, bytes]]:
    """Yield the diagram of the first logged run in which nothing is broken, if there is one."""
    from simulations.report.spacetime import spacetime_figure  # noqa: PLC0415  # matplotlib.
    from simulations.report.style import svg_of  # noqa: PLC0415

    for record in records:
        path = folder.events_of(record.index)
        if path.exists() and record.outcome and not record.outcome.violations:
            figure = spacetime_figure(read_events(path))
            yield f"The last that happened in run {record.index}.", svg_of(figure)
            return


def _diagrams(
    folder: Folder, scenario: Scenario, records: Sequence[Record]
) -> Iterator[tuple[int, str, bytes]]:
    """Yield run, caption and image of the failing runs that have an event log."""
    from simulations.report.spacetime import spacetime_figure  # noqa: PLC0415  # matplotlib.
    from simulations.report.style import svg_of  # noqa: PLC0415

    logged = [record for record in records if folder.events_of(record.index).exists()]
    for record in [each for each in logged if each.outcome and each.outcome.violations][
        :DIAGRAMS_MAX
    ]:
        assert record.outcome is not None
        violation = record.outcome.violations[0]
        events = read_events(folder.events_of(record.index))
        changed = with_values(scenario, record.parameters)
        figure = spacetime_figure(
            events, violation=violation, faults=changed.faults, hostile=hostile_nodes(changed)
        )
        svg = svg_of(figure)
        caption = f"What led to it: {violation.text}. Arrows are messages between nodes."
        yield record.index, caption, svg
