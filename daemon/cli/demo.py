"""`placet demo`: all of it, on this machine, in a minute."""

import secrets
import time
from pathlib import Path

import click

from daemon.cli.output import FAINT, STRONG, echo, paint
from daemon.errors import Exit

DEFAULT_PARENT = "demo-data"


@click.command(epilog="Example: placet demo --verbose")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path),
              help=f"Where to keep all data; must not exist [{DEFAULT_PARENT}/TIME].")  # fmt: skip
@click.option("--verbose", "-v", is_flag=True, help="Show each command that is run.")
def demo(folder: Path | None, verbose: bool) -> int:
    """See all of it work: six real daemons, one patient, an emergency and a crash."""
    from daemon.demo.stage import DemoFailed, Stage
    from daemon.demo.story import STEPS

    chosen = (folder or Path(DEFAULT_PARENT) / time.strftime("%Y-%m-%d-%H%M%S")).absolute()
    if chosen.exists():
        raise DemoFailed(f"there is something in {chosen} already", "Choose another --folder.")
    stage = Stage(chosen, verbose=verbose)
    stage.facts["passphrase"] = secrets.token_hex(16)
    started = time.perf_counter()
    echo(paint("Placet: consent and records among six organisations, all on this machine", STRONG))
    echo(paint(f"All data is kept in {chosen}", FAINT))
    try:
        for number, (title, step) in enumerate(STEPS, 1):
            stage.begin(number, title)
            step(stage)
    finally:
        stage.stop_all()
    seconds = time.perf_counter() - started
    echo(f"\n{paint(f'All {stage.checked} checks hold', STRONG)}, in {seconds:.0f} s.")
    echo(f"Look around: placet chain head --home {chosen}/st-mary, or start it again with")
    echo(f"placet net up {chosen}")
    return Exit.OK
