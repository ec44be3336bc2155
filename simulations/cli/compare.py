"""`placet sim compare`: what differs between two sweeps, beyond noise."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulations.cli.options import results_option
from simulations.cli.output import (
    BAD,
    CAREFUL,
    FAINT,
    GOOD,
    echo,
    echo_json,
    json_option,
    number,
    paint,
    table,
)

if TYPE_CHECKING:
    from simulations.results.compare import Difference

WORSE = 1


@click.command(epilog="Example: placet sim compare previous latest --metric finality_p99_ms")
@click.argument("before", default="previous")
@click.argument("after", default="latest")
@click.option(
    "--metric",
    "chosen",
    multiple=True,
    help="A metric that must not get worse; may be repeated. Default: those of the question.",
)
@click.option("--all", "every", is_flag=True, help="Show all metrics.")
@results_option
@json_option
def compare(
    before: str, after: str, chosen: tuple[str, ...], every: bool, results: Path, as_json: bool
) -> None:
    """Compare the metrics of two folders.

    Differences have a confidence interval of 95 %. Exit code 1 if a chosen metric is worse beyond
    noise: less is better, but for final events and shares of success.
    """
    from simulations.errors import ResultsInvalid
    from simulations.results.compare import compare_records, metrics_of
    from simulations.results.folder import open_folder
    from simulations.results.journal import read_records
    from simulations.results.manifest import load_manifest, load_scenario
    from simulations.scenario.hint import did_you_mean

    first, second = open_folder(before, results), open_folder(after, results)
    old, new = read_records(first), read_records(second)
    known = [name for name in metrics_of(old) if name in metrics_of(new)]
    for name in chosen:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ResultsInvalid(
                f"`{name}` is no metric of both{hint}", "See all: placet sim compare --all"
            )
    scenario = load_scenario(second, load_manifest(second))
    judged = chosen or [name for name in scenario.answer if name in known]
    is_same = load_manifest(first).scenario == scenario.name
    differences = compare_records(old, new, known if every else judged, is_same=is_same)
    worse = [each for each in differences if each.is_worse and each.metric in judged]
    if as_json:
        echo_json(_for_programs(first.path, second.path, differences, judged, bool(worse)))
    else:
        echo(f"{paint('before', FAINT)}  {first.path.name}")
        echo(f"{paint('after', FAINT)}   {second.path.name}")
        if not is_same:
            echo(paint("They are of different scenarios.", CAREFUL))
        echo()
        echo(_table(differences, judged))
        echo()
        echo(_conclusion(differences, [each.metric for each in worse]))
    click.get_current_context().exit(WORSE if worse else 0)


def _table(differences: Sequence["Difference"], chosen: Sequence[str]) -> str:
    from simulations.scenario.shown import show_value

    fields = list(dict.fromkeys(name for each in differences for name in each.parameters))
    rows = [
        [
            *(show_value(field, each.parameters.get(field, "")) for field in fields),
            each.metric,
            number(each.before),
            number(each.after),
            f"{_signed(each.change)}{_in_percent(each)}",
            f"{_signed(each.low)} … {_signed(each.high)}",
            _judged(each, is_chosen=each.metric in chosen),
        ]
        for each in differences
    ]
    headers = [*fields, "metric", "before", "after", "change", "95 % interval", ""]
    return table(headers, rows)


def _judged(each: "Difference", *, is_chosen: bool) -> str:
    from simulations.results.compare import RUNS_MIN

    if each.runs < RUNS_MIN:
        return paint("too few runs", FAINT)
    if each.is_noise:
        return paint("same" if each.low == each.high == 0 else "within noise", FAINT)
    if not is_chosen and not each.has_direction:
        return "differs"
    return paint("worse", BAD) if each.is_worse else paint("better", GOOD)


def _conclusion(differences: Sequence["Difference"], worse: Sequence[str]) -> str:
    from simulations.results.compare import RUNS_MIN

    if not differences:
        return "  Nothing can be compared: no metric was measured on both sides. Try --all."
    paired = all(each.paired for each in differences)
    how = "in pairs of equal seeds" if paired else "as independent samples"
    runs = min(each.runs for each in differences)
    text = f"  {runs} runs on each side, compared {how}."
    if worse:
        return f"{text} {paint('Worse', BAD)}: {', '.join(dict.fromkeys(worse))}."
    if runs < RUNS_MIN:
        enough = f"at least {RUNS_MIN} are needed, and 10 are better (--repeat 10)"
        return f"{text} That is too few to tell a difference from luck: {enough}."
    return f"{text} Nothing that was chosen is worse beyond noise."


def _signed(value: float) -> str:
    return number(value) if value <= 0 else f"+{number(value)}"


def _in_percent(each: "Difference") -> str:
    return f" ({each.change / each.before:+.0%})" if each.before else ""


def _for_programs(
    before: Path,
    after: Path,
    differences: Sequence["Difference"],
    judged: Sequence[str],
    is_worse: bool,
) -> dict[str, Any]:
    import msgspec

    rows = [
        msgspec.to_builtins(each)
        | {"change": each.change, "noise": each.is_noise, "worse": each.is_worse}
        for each in differences
    ]
    found = {"before": str(before), "after": str(after), "judged": list(judged)}
    return found | {"worse": is_worse, "differences": rows}
