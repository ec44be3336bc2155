"""The report of a sweep as one HTML page that needs nothing but itself.

The answers come first, then what broke and how to see it again, then the figures, then what it
takes to repeat it all. It is read on a screen, bright or dark, and printed.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from simulations.meanings import meanings_of
from simulations.report.bands import RUNS_MIN, Band
from simulations.report.markup import Markup, element, empty, joined, number, table
from simulations.report.style import data_uri
from simulations.results.manifest import Manifest
from simulations.results.summary import Combination, Failing, Spread, Summary
from simulations.scenario.model import Bound, Mode, Scenario, Value
from simulations.scenario.shown import show_value, show_values
from simulations.scenario.units import show_duration

FAILING_SHOWN_MAX = 20
COMBINATIONS_SHOWN_MAX = 200

TRACE = "trace"
"""What `placet sim trace` calls its scenario, which says nothing of what was run."""

ALL_RUNS = "all runs"
"""The name of the only combination of what has no sweep."""

UNSHAPED = Spread(0.0, 0.0, 0.0)

VERDICTS = {
    "holds": "holds",
    "broken": "broken",
    "undecided": "undecided",
    "raised": "error",
}


@dataclass(frozen=True, slots=True)
class Image:
    """A figure on the page."""

    caption: str
    svg: bytes
    file: str = ""
    """Where it is in the folder, without ending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Everything that the page says."""

    scenario: Scenario
    scenario_text: str
    manifest: Manifest
    summary: Summary
    folder: str
    """How commands name the folder of results."""
    images: Sequence[Image] = ()
    bands: Mapping[tuple[str, str], Band] = field(default_factory=dict)
    """Intervals of medians by combination and metric, where there are enough runs."""
    diagrams: Mapping[int, Image] = field(default_factory=dict)
    """Space-time diagrams by the number of the run."""


def render(content: Content) -> str:
    """Return the page."""
    body = joined(
        [
            _header(content),
            _answers(content),
            _bounds(content),
            _failures(content),
            _figures(content),
            _metrics(content),
            _coverage(content),
            _scenario(content),
            _manifest(content),
        ]
    )
    head = joined(
        [
            empty("meta", charset="utf-8"),
            empty("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("title", f"{content.scenario.name}: {content.scenario.question}"),
            element("style", Markup(_css())),
        ]
    )
    page = element("html", element("head", head), element("body", element("main", body)), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"


def _css() -> str:
    return Path(__file__).with_name("report.css").read_text(encoding="utf-8")


def _header(content: Content) -> Markup:
    summary, manifest = content.summary, content.manifest
    runs = f"{summary.finished:,} of {summary.runs:,} runs"
    is_local = content.scenario.mode is Mode.LOCAL
    time = f"{show_duration(summary.virtual_ms)} of {summary.time} time"
    parts = [runs, time, f"{summary.cpu_seconds:,.0f} s of processor time", manifest.began]
    parts.append(f"placet {manifest.version} {(manifest.commit or '')[:12]}".strip())
    words = element("p", " · ".join(parts), class_="meta")
    notes = []
    if summary.crypto == "fast":
        notes.append(
            "Signatures were replaced by keyed hashes for speed (crypto = “fast”); sizes and the "
            "course of messages are those of real ones, processor time is not."
        )
    if summary.expect == "broken":
        notes.append("This scenario shows what breaks: it holds if something does.")
    if is_local:
        notes.append("Real daemons ran in real time: numbers differ a little from run to run.")
        if any(each.metrics.get("links_shaped") == UNSHAPED for each in summary.combinations):
            notes.append("Links were those of loopback: this machine allows no network namespaces.")
    return element(
        "header",
        element("h1", summary.scenario),
        element("p", summary.question, class_="question"),
        element("p", _badge(summary.verdict.value)),
        words,
        *(element("p", note, class_="meta") for note in notes),
    )


def _badge(verdict: str) -> Markup:
    return element("span", VERDICTS.get(verdict, verdict), class_=f"badge {verdict}")


def _answers(content: Content) -> Markup:
    """One row for each combination of swept values, with the metrics that answer the question."""
    summary = content.summary
    fields = list(content.scenario.sweep)
    rows = [
        [
            *(show_value(name, each.parameters.get(name, "")) for name in fields),
            *(
                _spread(
                    each.metrics.get(metric),
                    content.bands.get((show_values(each.parameters) or ALL_RUNS, metric)),
                )
                for metric in summary.answer
            ),
            each.runs,
            _badge(each.verdict.value),
        ]
        for each in summary.combinations[:COMBINATIONS_SHOWN_MAX]
    ]
    caption = "Median over the runs, and from the least to the most."
    if content.bands:
        caption = (
            "Median over the runs, in brackets its 95 % confidence interval (bootstrap), and below"
            " from the least to the most."
        )
    elif summary.finished > 1:
        caption += f" An interval of confidence needs {RUNS_MIN} runs of a combination (--repeat)."
    if len(summary.combinations) > COMBINATIONS_SHOWN_MAX:
        caption += f" The first {COMBINATIONS_SHOWN_MAX} of {len(summary.combinations)}."
    heads = [*fields, *summary.answer, "runs", "verdict"]
    meanings = [
        element("dt", name) + element("dd", words) for name, words in meanings_of(summary.answer)
    ]
    words = element("dl", *map(Markup, meanings))
    return _section("Answer", table(heads, rows, caption=caption), words)


def _spread(spread: Spread | None, band: Band | None) -> Markup:
    if spread is None:
        return element("span", "none", class_="meta")
    middle = element("strong", number(spread.median))
    if spread.least == spread.most:
        return middle
    if band is not None:
        middle = joined([middle, f" [{number(band[0])}, {number(band[2])}]", empty("br")])
    rest = f" {number(spread.least)} … {number(spread.most)}"
    return joined([middle, element("span", rest, class_="meta")])


def _bounds(content: Content) -> Markup:
    bounds = content.scenario.check.bounds
    if not bounds:
        return Markup("")
    rows = [_bound(bound, content.summary.combinations) for bound in bounds]
    heads = ["metric", "must be", "found, over all runs", ""]
    return _section("Bounds", table(heads, rows))


def _bound(bound: Bound, combinations: Sequence[Combination]) -> list[object]:
    found = [each.metrics[bound.metric] for each in combinations if bound.metric in each.metrics]
    wanted = []
    if bound.at_least is not None:
        wanted.append(f"at least {number(bound.at_least)}")
    if bound.at_most is not None:
        wanted.append(f"at most {number(bound.at_most)}")
    if not found:
        return [bound.metric, " and ".join(wanted), "none", _badge("broken")]
    least, most = min(each.least for each in found), max(each.most for each in found)
    is_kept = (bound.at_least is None or least >= bound.at_least) and (
        bound.at_most is None or most <= bound.at_most
    )
    range_ = f"{number(least)} … {number(most)}"
    return [bound.metric, " and ".join(wanted), range_, _badge("holds" if is_kept else "broken")]


def _failures(content: Content) -> Markup:
    failing = content.summary.failing
    if not failing:
        return Markup("")
    count = sum(n for verdict, n in content.summary.verdicts.items() if verdict != "holds")
    drawn = [_failure(content, each) for each in failing if each.run in content.diagrams]
    others = [each for each in failing if each.run not in content.diagrams][:FAILING_SHOWN_MAX]
    parts = list(drawn)
    if others:
        rows = [_failing_row(content, each) for each in others]
        parts.append(table(["run", "seed", "", "why", "see it again"], rows))
    if count > len(drawn) + len(others):
        words = f"{count - len(drawn) - len(others)} more are in runs.csv."
        parts.append(element("p", words, class_="meta"))
    return _section("What did not hold", *parts)


def _failing_row(content: Content, failing: Failing) -> list[object]:
    why = [_assignments(failing.parameters), *failing.reasons]
    return [
        element("strong", failing.run),
        failing.seed,
        _badge(failing.verdict),
        joined(element("div", line) for line in why if line),
        element("code", _replay(content, failing)),
    ]


def _replay(content: Content, failing: Failing) -> str:
    return f"placet sim replay {shlex.quote(content.folder)} {failing.run}"


def _failure(content: Content, failing: Failing) -> Markup:
    parameters = _assignments(failing.parameters)
    title = f"Run {failing.run}, seed {failing.seed}" + (f" ({parameters})" if parameters else "")
    parts = [
        element("h3", title, " ", _badge(failing.verdict)),
        element("ul", *(element("li", reason) for reason in failing.reasons)),
        element("p", "See it again, with a log of every message:"),
        element("pre", _replay(content, failing)),
    ]
    if image := content.diagrams.get(failing.run):
        parts.append(_figure(image))
    return element("article", *parts, class_="violation")


def _figures(content: Content) -> Markup:
    if not content.images:
        return Markup("")
    return _section("Figures", *(_figure(image) for image in content.images))


def _figure(image: Image) -> Markup:
    picture = empty("img", src=data_uri(image.svg), alt=image.caption)
    words: list[object] = [image.caption]
    if image.file:
        words.append(element("span", f" {image.file}.svg, .pdf", class_="file"))
    return element("figure", picture, element("figcaption", *words))


def _metrics(content: Content) -> Markup:
    """All metrics, folded away; of many combinations only the first few."""
    tables = []
    for each in content.summary.combinations[:8]:
        name = _assignments(each.parameters)
        rows = [
            [metric, spread.median, spread.least, spread.most]
            for metric, spread in sorted(each.metrics.items())
        ]
        tables.append(
            table(["metric", "median", "least", "most"], rows, caption=name or "All runs")
        )
    shown = element("details", element("summary", "Show them"), *tables)
    return _section("All metrics", shown, class_="folded")


def _coverage(content: Content) -> Markup:
    coverage = content.summary.coverage
    if not coverage:
        return Markup("")
    rows = sorted(coverage.items(), key=lambda item: (-item[1], item[0]))
    words = "How often these faults, reasons and rules came up, over all runs."
    return _section(
        "What was exercised",
        element("details", element("summary", f"{len(rows)} kinds"), element("p", words),
                table(["what", "times"], rows)),
        class_="folded",
    )  # fmt: skip


def _scenario(content: Content) -> Markup:
    if content.scenario.name == TRACE:
        return Markup("")
    spec, scenario = content.scenario.network, content.scenario
    facts = {
        "nodes": f"{spec.authorities} authorities, {spec.members} other members",
        "time": f"{show_duration(scenario.duration)} with load and faults, then "
        f"{show_duration(scenario.settle)} without faults",
        "consent profile": spec.profile,
        "delay bound": show_duration(spec.delay_bound),
        "faults": ", ".join(fault.kind for fault in scenario.faults) or "none",
        "adversaries": ", ".join(each.kind for each in scenario.adversaries) or "none",
        "seeds": f"{scenario.repeat} for each combination, from {scenario.seed}",
        "mode": scenario.mode.value,
    }
    return _section("Scenario", _facts(facts), element("pre", content.scenario_text))


def _manifest(content: Content) -> Markup:
    manifest = content.manifest
    facts = {
        "command": element("code", shlex.join(manifest.command)),
        "changes": _assignments(manifest.changes) or "none",
        "began": manifest.began,
        "commit": element("code", manifest.commit or "none"),
        "platform": manifest.platform,
        **{name: element("code", text) for name, text in manifest.versions.items()},
    }
    if manifest.shard:
        facts["shard"] = manifest.shard
    words = (
        "The same scenario, seeds and code give the same results, to the last bit of each trace."
    )
    return _section("How it was run", element("p", words), _facts(facts))


def _facts(facts: Mapping[str, object]) -> Markup:
    pairs = [element("dt", key) + element("dd", value) for key, value in facts.items()]
    return element("dl", *map(Markup, pairs))


def _assignments(values: Mapping[str, Value]) -> str:
    return show_values(dict(values))


def _section(title: str, *children: object, class_: str = "") -> Markup:
    return element("section", element("h2", title), *children, **_class(class_))


def _class(name: str) -> dict[str, str]:
    return {"class_": name} if name else {}
