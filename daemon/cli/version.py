"""`placet version`: which version this is, and what it speaks."""

import platform

import click

from daemon.cli.options import json_option
from daemon.cli.output import show

PROTOCOL_VERSION = 1
"""As in `protocol.genesis`, which takes longer to import than this command; a test compares."""


@click.command(epilog="Example: placet version --json")
@json_option
def version(as_json: bool) -> None:
    """Print the version of this program and of the protocol it speaks."""
    from importlib.metadata import version as version_of

    found = {
        "placet": version_of("placet"),
        "protocol": PROTOCOL_VERSION,
        "python": platform.python_version(),
    }
    show(
        found,
        lambda value: (
            f"placet {value['placet']} (protocol {value['protocol']}, Python {value['python']})"
        ),
        as_json=as_json,
    )
