"""`placet`: finds the command, and turns whatever it raises into an exit code."""

import sys
from collections.abc import Sequence

import click

from daemon.cli.errors import show_error
from daemon.cli.lazy import LazyGroup
from daemon.errors import DaemonError, Exit
from daemon.next_steps import next_step_for
from protocol.errors import ProtocolError

INTERRUPTED = 130
"""What shells say of a command that was ended with Ctrl-C."""

SECTIONS = {
    "The node": {
        "init": ("daemon.cli.setup:init", "Make the home of a new node."),
        "join": ("daemon.cli.join:join", "Join a network with a ticket."),
        "run": ("daemon.cli.run:run", "Run the node in the foreground."),
        "start": ("daemon.cli.lifecycle:start", "Start the node in the background."),
        "stop": ("daemon.cli.lifecycle:stop", "Stop the node."),
        "restart": ("daemon.cli.lifecycle:restart", "Stop the node and start it again."),
        "status": ("daemon.cli.status:status", "Say what the node does, and what is wrong."),
        "logs": ("daemon.cli.logs:logs", "Show or follow the log."),
        "events": ("daemon.cli.events:events", "Show or follow what becomes final."),
        "doctor": ("daemon.cli.doctor:doctor", "Look for what may go wrong on this machine."),
        "config": ("daemon.cli.config:config", "Check or show the configuration."),
    },
    "The network": {
        "peer": ("daemon.cli.peer:peer", "Nodes that this one talks to."),
        "member": ("daemon.cli.member:member", "Organisations in the network."),
        "authority": ("daemon.cli.authority:authority", "Who votes on blocks, and who will."),
        "invite": ("daemon.cli.invite:invite", "Tickets with which others join."),
        "chain": ("daemon.cli.chain:chain", "What all have agreed on."),
        "recovery": ("daemon.cli.recovery:recovery", "Go on after too many losses."),
        "genesis": ("daemon.cli.genesis:genesis", "Found a network."),
        "net": ("daemon.cli.net:net", "A throw-away network on this machine."),
        "demo": ("daemon.cli.demo:demo", "See all of it work, on this machine."),
    },
    "Patients and records": {
        "patient": ("daemon.cli.patient:patient", "A patient's keys, and who read what."),
        "consent": ("daemon.cli.consent:consent", "Grant, withdraw and understand consent."),
        "record": ("daemon.cli.record:record", "Add, fetch, list and erase records."),
        "emergency": ("daemon.cli.emergency:emergency", "Access without consent, and its review."),
    },
    "Research": {
        "sim": ("simulations.cli.main:sim", "Ask what happens, in a virtual network."),
    },
    "Other": {
        "version": ("daemon.cli.version:version", "Say which version this is."),
        "completion": ("daemon.cli.completion:completion", "Completion for your shell."),
    },
}


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: placet status --home ~/.placet",
)
def placet() -> None:
    """Medical consent and record access between clinics, without a server in the middle."""


def main() -> None:
    """Run the command of this process's arguments."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors are printed."""
    as_json = "--json" in arguments
    try:
        result = placet.main(list(arguments), prog_name="placet", standalone_mode=False)
    except (DaemonError, ProtocolError) as error:
        exit_code = int(getattr(error, "exit_code", Exit.FAILED))
        show_error(
            code=error.code,
            cause=str(error),
            next_step=getattr(error, "next_step", "") or next_step_for(error.code),
            exit_code=exit_code,
            as_json=as_json,
        )
        return exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return Exit.USAGE
    except click.ClickException as error:
        return _click_error(error, as_json=as_json)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        return Exit.OK  # Whoever reads us, such as `head`, has seen enough.
    return result if isinstance(result, int) else Exit.OK


def _click_error(error: click.ClickException, *, as_json: bool) -> int:
    """Print what was wrong with the arguments, or an error that knows its code and next step."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "placet"
    exit_code = error.exit_code if hasattr(error, "code") else Exit.USAGE
    show_error(
        code=getattr(error, "code", "usage"),
        cause=error.format_message(),
        next_step=getattr(error, "next_step", f"See: {path} --help"),
        exit_code=exit_code,
        as_json=as_json,
    )
    return exit_code


if __name__ == "__main__":
    main()
