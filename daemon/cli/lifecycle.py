"""`placet start`, `stop` and `restart`: the node in the background."""

import os
import time
from pathlib import Path

import click

from daemon.cli.options import (
    common_options,
    confirm,
    passphrase_option,
    read_passphrase,
    yes_option,
)
from daemon.cli.output import mark, show
from daemon.cli.process import STOP_SECONDS_MAX, Started, start_daemon, stop_daemon
from daemon.errors import DaemonError
from daemon.storage.home import Home

timeout_option = click.option(
    "--timeout",
    "seconds_max",
    type=click.FloatRange(0.1, 3_600),
    default=STOP_SECONDS_MAX,
    show_default=True,
    help="Seconds to wait for the end.",
)


class NoNode(DaemonError):
    """The folder is no node's home."""

    code = "no-node"
    next_step = "Make one with `placet init`, or name another folder with --home."


@click.command(epilog="Example: placet start --passphrase-file /run/credentials/placet")
@passphrase_option
@common_options
def start(passphrase_file: Path | None, home: Home, as_json: bool) -> None:
    """Start the node in the background, and wait until it answers."""
    started = start_node(home, passphrase_file)
    show(
        {
            "pid": started.pid,
            "seconds": round(started.seconds, 2),
            "started": not started.was_running,
        },
        lambda _: _started_text(started),
        as_json=as_json,
    )


@click.command(epilog="Example: placet stop --timeout 60")
@timeout_option
@click.option("--kill", is_flag=True, help="End the process without asking it; needs --yes.")
@yes_option
@common_options
def stop(seconds_max: float, kill: bool, yes: bool, home: Home, as_json: bool) -> None:
    """Stop the node, and wait until it is gone. Nothing that was accepted is lost."""
    if kill:
        confirm("End the node at once? It will have to catch up when it starts again.", yes=yes)
    began = time.monotonic()
    was_running = stop_daemon(home, seconds_max=seconds_max, kill=kill)
    seconds = round(time.monotonic() - began, 2)
    text = f"{mark(True)} The node has stopped ({seconds} s)."
    show(
        {"stopped": was_running, "seconds": seconds},
        lambda _: text if was_running else "No node was running.",
        as_json=as_json,
    )


@click.command(epilog="Example: placet restart")
@timeout_option
@passphrase_option
@common_options
def restart(seconds_max: float, passphrase_file: Path | None, home: Home, as_json: bool) -> None:
    """Stop the node if it runs, and start it again.

    What would keep it from starting, such as a mistyped setting or passphrase, leaves it running.
    """
    passphrase = node_passphrase(home, passphrase_file)
    _check_can_start(home, passphrase)
    stop_daemon(home, seconds_max=seconds_max)
    started = start_daemon(home, passphrase)
    show(
        {"pid": started.pid, "seconds": round(started.seconds, 2), "started": True},
        lambda _: _started_text(started),
        as_json=as_json,
    )


def start_node(home: Home, passphrase_file: Path | None) -> Started:
    """Start the node of `home`, asking for a passphrase only if its keys need one."""
    if (pid := home.running_pid()) is not None:
        return Started(pid, 0.0, was_running=True)
    return start_daemon(home, node_passphrase(home, passphrase_file))


def _check_can_start(home: Home, passphrase: str | None) -> None:
    """Raise what a start would end with on this configuration and these keys."""
    from daemon.config import load_config
    from daemon.joining.setup import load_node_keys

    load_config(home.config, environment=os.environ)
    load_node_keys(home, passphrase)


def node_passphrase(home: Home, file: Path | None) -> str | None:
    """Return the passphrase of the node's keys, or None if they are not locked."""
    from daemon.keys.keystore import KeyLocked, is_locked

    if not home.config.exists():
        raise NoNode(f"there is no node in {home.path}")
    if not is_locked(home.node_keys):
        return None
    passphrase = read_passphrase(file, prompt="Passphrase of the node's keys")
    if not passphrase:
        raise KeyLocked(f"the node's keys in {home.node_keys} are locked")
    return passphrase


def _started_text(started: Started) -> str:
    if started.was_running:
        return f"The node is running already (process {started.pid})."
    return f"{mark(True)} The node is running (process {started.pid}, {started.seconds:.1f} s)."
