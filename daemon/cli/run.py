"""`placet run`: the node itself. The only command that loads all of the daemon."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from daemon.cli.lifecycle import node_passphrase
from daemon.cli.options import common_options, passphrase_option
from daemon.errors import DaemonError
from daemon.storage.home import Home

LOG_MARKS = "log-marks"
"""The key that hides patients in the log follows from the node's own: marks outlive a restart."""


@click.command(epilog="Example: placet run --log-level debug")
@click.option("--listen", multiple=True, help="Listen here, whatever the configuration says.")
@click.option("--log-level", help="debug, info, warning or error.")
@click.option("--background", is_flag=True, hidden=True, help="Keep off the terminal.")
@passphrase_option
@common_options
def run(
    listen: tuple[str, ...],
    log_level: str | None,
    background: bool,
    passphrase_file: Path | None,
    home: Home,
    as_json: bool,
) -> None:
    """Run the node in the foreground until Ctrl-C. `start` does the same in the background."""
    flags: dict[str, tuple[str, Any]] = {}
    if listen:
        flags["network.listen"] = ("--listen", list(listen))
    if log_level:
        flags["log.level"] = ("--log-level", log_level)
    if background or as_json:
        flags["log.terminal"] = ("--background", "off" if background else "json")
    run_node(home, flags, node_passphrase(home, passphrase_file))


def run_node(home: Home, flags: dict[str, tuple[str, Any]], passphrase: str | None) -> None:
    """Open configuration, log and keys, and run the node until it ends."""
    import trio

    from daemon.config import load_config
    from daemon.joining.setup import load_node_keys
    from daemon.logs.logs import get_logger, open_logs
    from daemon.memory import share_arenas
    from daemon.startup import run_home
    from protocol.keys import derive

    share_arenas()
    config = load_config(home.config, environment=os.environ, flags=flags).config
    keys = load_node_keys(home, passphrase)
    home.prepare()
    marks = derive(keys.vault_master, LOG_MARKS)
    with open_logs(config.log, folder=home.logs, terminal=sys.stderr, key=marks) as logs:
        try:
            trio.run(lambda: run_home(home=home, config=config, keys=keys, logs=logs))
        except BaseExceptionGroup as group:
            error = _only_error(group)
            if error is group:
                get_logger("node").critical("node crashed", exc_info=group)
            raise error from group


def _only_error(group: BaseExceptionGroup[Any]) -> BaseException:
    """Return what the operator can mend, if that is all that went wrong; else the group itself."""
    matching, rest = group.split(DaemonError)
    if matching is None or rest is not None:
        return group
    error: BaseException = matching
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
