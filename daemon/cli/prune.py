"""`placet chain prune`: older blocks go, and the disk gets its room back."""

from collections.abc import Mapping
from typing import Any

import click

from daemon.cli.bar import Bar
from daemon.cli.errors import UsageWrong
from daemon.cli.node import call
from daemon.cli.options import common_options, confirm, yes_option
from daemon.cli.output import FAINT, mark, paint, show, size
from daemon.rpc import NodeNotRunning
from daemon.storage.home import Home

PRUNE_SECONDS_MAX = 24 * 3_600.0

WARNING = (
    "Older blocks are deleted from this node for good, and with them what they say about single"
    " events: audits of patients reach back to the oldest block that is kept. Go on?"
)


@click.command(epilog="Example: placet chain prune --keep 10000")
@click.option(
    "--keep",
    type=click.IntRange(1),
    required=True,
    help="How many of the newest blocks to keep.",
)
@yes_option
@common_options
def prune(keep: int, yes: bool, home: Home, as_json: bool) -> None:
    """Delete all but the newest blocks, and give the room back to the disk.

    The state stays: consents and memberships hold as before. Works on a running node, and on the
    files of a stopped one.
    """
    confirm(WARNING, yes=yes)
    with Bar(is_hidden=as_json) as bar:

        def tell(fields: Mapping[str, Any]) -> None:
            if fields["compacted"]:
                bar.show("files rewritten", fields["compacted"], fields["compacted_total"])
            else:
                bar.show("blocks deleted", fields["blocks"], fields["blocks_total"])

        if home.running_pid() is None:
            found = _prune_files(home, keep, tell)
        else:
            found = call(
                home,
                "chain.prune",
                {"keep": keep},
                progress=tell,
                timeout_seconds=PRUNE_SECONDS_MAX,
            )
    show(found, _render, as_json=as_json)


def _prune_files(home: Home, keep: int, tell: Any) -> dict[str, Any]:
    """Prune the files of a node that does not run."""
    if not home.chain.exists():
        raise NodeNotRunning(f"there is no chain in {home.path}")
    if not home.genesis.exists():
        raise UsageWrong(f"there is no genesis in {home.path}", "Choose another --home.")
    from daemon.api.reports import view_pruned, view_pruning
    from daemon.joining.genesis_file import load_genesis
    from daemon.storage.pruning import prune as prune_store
    from daemon.storage.store import ChainStore
    from protocol.genesis import network_id

    network = network_id(load_genesis(home.genesis))
    with home.locked(), ChainStore.open(home.chain, network) as store:
        pruned = prune_store(
            store,
            keep_from=store.height + 1 - keep,
            report_progress=lambda progress: tell(view_pruning(progress)),
        )
    return view_pruned(pruned)


def _render(found: dict[str, Any]) -> str:
    came_back = found["size_before"] - found["size_after"]
    sizes = f"{size(found['size_before'])} before, {size(found['size_after'])} now"
    text = f"{found['blocks']} blocks deleted; the oldest is now {found['lowest_height']}."
    freed = f"  {size(max(0, came_back))} came back to the disk ({sizes})."
    return "\n".join([f"{mark(True)} {text}", paint(freed, FAINT)])
