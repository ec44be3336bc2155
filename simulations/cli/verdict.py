"""What a sweep came to, in words: the verdict, the answers, and what did not hold."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from simulations.cli.output import (
    BAD,
    FAINT,
    echo,
    echo_json,
    number,
    paint,
    plural,
    show_seconds,
    show_verdict,
    table,
    wrapped,
)
from simulations.meanings import meanings_of
from simulations.outcome import Verdict
from simulations.results.folder import Folder
from simulations.results.summary import Combination, Failing, Summary
from simulations.scenario.shown import show_value, show_values
from simulations.scenario.units import show_duration

if TYPE_CHECKING:
    from simulations.shrinking.keep import Kept

FAILING_SHOWN_MAX = 5

NO_DIAGRAM = "a diagram of its messages needs: pip install 'placet[research]'"

EXPLAINED = {
    "raised": "raised an error",
    "broken": "broke",
    "undecided": "stayed undecided",
    "holds": "held",
}


def show_summary(
    folder: Folder,
    summary: Summary,
    logs: Sequence[Path] = (),
    kept: "Kept | None" = None,
    *,
    seconds: float | None,
    as_json: bool,
) -> None:
    """Print what came of a sweep, for people or for programs."""
    path = shown_path(folder.path)
    if as_json:
        found = msgspec.to_builtins(summary)
        found |= {"folder": path, "seconds": None if seconds is None else round(seconds, 3)}
        found |= {"event_logs": [shown_path(log) for log in logs]}
        echo_json(found | {"shrunk": None if kept is None else _kept_fields(kept)})
        return
    echo(wrapped(f"{paint(summary.scenario, 'cyan', bold=True)}  ", summary.question))
    echo(wrapped(f"  {show_verdict(summary.verdict)}  ", _counted(summary)))
    echo(f"  {paint(_cost(summary, seconds), FAINT)}")
    echo()
    echo(_answers(summary))
    if meanings := _meanings(summary):
        echo()
        echo(meanings)
    if summary.failing:
        echo()
        _show_failing(summary, path)
    if kept is not None:
        echo()
        echo(wrapped("  smaller: ", kept.text))
        echo(f"    {paint(shown_path(kept.scenario), FAINT)}")
        if kept.diagram is not None:
            echo(f"    {paint(shown_path(kept.diagram), FAINT)}")
        else:
            echo(f"    {paint(NO_DIAGRAM, FAINT)}")
        echo(f"    {paint(kept.replay, FAINT)}")
    echo()
    echo(f"  {paint('results', FAINT)}  {path}")
    echo(f"  {paint('report', FAINT)}   placet sim report {path}")


def _kept_fields(kept: "Kept") -> dict[str, str | None]:
    return {
        "scenario": shown_path(kept.scenario),
        "diagram": None if kept.diagram is None else shown_path(kept.diagram),
        "replay": kept.replay,
        "text": kept.text,
    }


def shown_path(path: Path) -> str:
    """Return the path as a person would type it here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _counted(summary: Summary) -> str:
    parts = [f"{count:,} {EXPLAINED[name]}" for name, count in summary.verdicts.items()]
    text = f"{plural(summary.finished, 'run')}: {', '.join(parts) or 'none ended'}"
    if summary.finished < summary.runs:
        text += f", of {summary.runs:,} in all"
    if summary.expect == "broken":
        text += ". It should show what breaks, and " + (
            "does" if summary.verdict is Verdict.HOLDS else "does not everywhere"
        )
    return text


def _cost(summary: Summary, seconds: float | None) -> str:
    """Say what it took; `seconds` are None if nothing was run just now."""
    crypto = "real signatures" if summary.crypto == "real" else "fast keys instead of signatures"
    simulated = f"{show_duration(summary.virtual_ms)} of {summary.time} time"
    cpu = f"{show_seconds(summary.cpu_seconds)} of CPU"
    took = f" with {cpu}" if seconds is None else f" in {show_seconds(seconds)} ({cpu})"
    return f"{simulated}{took}, {crypto}"


def _answers(summary: Summary) -> str:
    """Return a table with a row for each combination, or for each metric if there is but one."""
    known = [
        name
        for name in summary.answer
        if any(name in each.metrics for each in summary.combinations)
    ]
    if not summary.combinations or not known:
        return paint("  no answers", FAINT)
    if len(summary.combinations) == 1:
        rows = [[name, *_spread(summary.combinations[0], name)] for name in known]
        return table(["answer", "median", "least", "most"], rows)
    fields = list(summary.combinations[0].parameters)
    rows = [
        [
            *(show_value(field, each.parameters[field]) for field in fields),
            paint_verdict(each.verdict),
            *(_spread(each, name)[0] for name in known),
        ]
        for each in summary.combinations
    ]
    return table([*fields, "verdict", *known], rows)


def _meanings(summary: Summary) -> str:
    """Return what the numbers above mean, with their units."""
    rows = [[paint(name, FAINT), words] for name, words in meanings_of(summary.answer)]
    return table(["answer", "means"], rows) if rows else ""


def paint_verdict(verdict: Verdict) -> str:
    return verdict.value if verdict is Verdict.HOLDS else paint(verdict.value, BAD)


def _spread(combination: Combination, name: str) -> list[str]:
    found = combination.metrics.get(name)
    return (
        ["-"] * 3
        if found is None
        else [number(found.median), number(found.least), number(found.most)]
    )


def _show_failing(summary: Summary, path: str) -> None:
    for failing in summary.failing[:FAILING_SHOWN_MAX]:
        echo(f"  run {failing.run}, seed {failing.seed}{_set_to(failing)}: {failing.verdict}")
        for reason in failing.reasons:
            echo(wrapped("    ", reason))
        echo(f"    {paint(f'placet sim replay {shlex.quote(path)} {failing.run}', FAINT)}")
    more = sum(count for name, count in summary.verdicts.items() if name != "holds")
    if (more := more - FAILING_SHOWN_MAX) > 0:
        echo(f"  and {more} more in runs.csv")


def _set_to(failing: Failing) -> str:
    return f", {show_values(failing.parameters)}" if failing.parameters else ""
