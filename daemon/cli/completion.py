"""`placet completion`: lets the shell complete commands and options."""

import click
from click.shell_completion import get_completion_class


@click.command(
    epilog="Example: placet completion bash > ~/.local/share/bash-completion/completions/placet"
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL."""
    from daemon.cli.main import placet

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(placet, {}, "placet", "_PLACET_COMPLETE").source())
