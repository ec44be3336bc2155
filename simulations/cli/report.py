"""`placet sim report`: plots, and one page with everything about a sweep."""

from pathlib import Path

import click

from simulations.cli.options import results_option
from simulations.cli.output import FAINT, echo, echo_json, json_option, paint


@click.command(epilog="Example: placet sim report latest")
@click.argument("folder", default="latest")
@results_option
@json_option
def report(folder: str, results: Path, as_json: bool) -> None:
    """Make the report of a folder of results.

    It is one HTML page that needs nothing else, with the answers, the plots and how they were made;
    plots are also there as files of their own.
    """
    from simulations.cli.verdict import shown_path
    from simulations.report.write import write_report
    from simulations.results.folder import open_folder

    opened = open_folder(folder, results)
    page = write_report(opened)
    plots = sorted((opened.path / "plots").glob("*")) if (opened.path / "plots").is_dir() else []
    if as_json:
        echo_json({"report": shown_path(page), "plots": [shown_path(plot) for plot in plots]})
        return
    echo(f"  {paint('report', FAINT)}  {shown_path(page)}")
    for plot in plots:
        if plot.suffix == ".svg":
            echo(f"  {paint('plot', FAINT)}    {shown_path(plot)} (and .pdf)")
