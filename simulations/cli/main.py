"""`placet sim`: the group, and what becomes of errors in it.

Exit codes: 0 if the scenario holds, 1 if it is broken, 2 if that is undecided. A command that could
not do what it was asked ends with 2 as well, and says `Error (code): cause` where errors go.
"""

import errno
from typing import Any

import click

from simulations.cli.compare import compare
from simulations.cli.listing import check, list_scenarios, schema
from simulations.cli.merge import merge
from simulations.cli.replay import replay
from simulations.cli.report import report
from simulations.cli.run import resume, run, sweep
from simulations.cli.trace import trace
from simulations.errors import FilesFailed, SimulationError
from simulations.plain_text import plain
from simulations.scenario.hint import did_you_mean

MENDABLE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO,
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP,
}  # fmt: skip
"""What is wrong with files or disks, and not with the code."""


class Failed(click.ClickException):
    """A `SimulationError`, as the command line shows errors."""

    exit_code = 2

    def __init__(self, error: SimulationError) -> None:
        super().__init__(plain(str(error)))
        self.code = error.code
        self.next_step = error.next_step


class SimulationGroup(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SimulationError as error:
            raise Failed(error) from error
        except OSError as error:
            if error.errno not in MENDABLE:
                raise
            raise Failed(FilesFailed(_said_of(error))) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            hint = did_you_mean(args[0], self.commands)
            ctx.fail(f"there is no command `sim {args[0]}`{hint}")
        return super().resolve_command(ctx, args)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(self.commands)


def _said_of(error: OSError) -> str:
    cause = (error.strerror or "it failed").lower()
    return f"{error.filename}: {cause}" if error.filename else f"a file cannot be used: {cause}"


@click.group(cls=SimulationGroup, epilog="Example: placet sim run rural-clinic")
def sim() -> None:
    """Ask what happens, in a virtual network that runs the protocol's real code.

    A scenario is a file that asks a question. Its runs end with a verdict and with numbers: exit
    code 0 if it holds, 1 if it is broken, 2 if that is undecided or the command could not run.
    """


for command in (
    list_scenarios, check, run, sweep, resume, replay, report, compare, merge, trace, schema
):  # fmt: skip
    sim.add_command(command)
