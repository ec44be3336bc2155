"""`placet sim merge`: one folder of the shards of a sweep."""

import sys
from pathlib import Path

import click

from simulations.cli.options import results_option
from simulations.cli.output import json_option

EXIT_CODES = {"holds": 0, "broken": 1, "undecided": 2}


@click.command(epilog="Example: placet sim merge shard-1 shard-2")
@click.argument("folders", nargs=-1, required=True)
@results_option
@json_option
def merge(folders: tuple[str, ...], results: Path, as_json: bool) -> None:
    """Make one folder of several shards.

    FOLDERS are the parts of one sweep that were run with --shard. They must come from the same
    scenario and the same code. Exit codes are those of the verdict.
    """
    from datetime import datetime

    from simulations.cli.verdict import show_summary
    from simulations.results.folder import open_folder
    from simulations.results.merging import merge_folders

    opened = [open_folder(text, results) for text in folders]
    merged, summary = merge_folders(
        opened,
        results,
        command=["placet", *sys.argv[1:]],
        now=datetime.now().astimezone(),
    )
    show_summary(merged, summary, seconds=None, as_json=as_json)
    click.get_current_context().exit(EXIT_CODES[summary.verdict])
