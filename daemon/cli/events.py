"""`placet events`: what becomes final, one line for each event."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from daemon.cli.node import call
from daemon.cli.options import common_options
from daemon.cli.output import CAREFUL, FAINT, echo, moment, paint, short_id
from daemon.client import Client
from daemon.rpc import NodeNotRunning, NodeSilent
from daemon.storage.home import Home

RETRY_SECONDS = 1.0

KINDS = (
    "member-admitted", "member-removed", "authority-ready", "authority-ballot", "consent-given",
    "consent-withdrawn",
    "records-committed", "access-requested", "disclosure", "emergency-reviewed", "erased",
    "equivocation",
)  # fmt: skip
"""As in `protocol.events`; a test compares them."""

Event = Mapping[str, Any]


@click.command(epilog="Example: placet events -f --kind disclosure")
@click.option("-f", "--follow", is_flag=True, help="Go on as events become final, until Ctrl-C.")
@click.option("-n", "--count", type=click.IntRange(0, 500), default=20, show_default=True)
@click.option("--kind", type=click.Choice(KINDS), help="Only events of this kind.")
@common_options
def events(follow: bool, count: int, kind: str | None, home: Home, as_json: bool) -> None:
    """Show the newest events of the chain, or follow them."""
    found = (_follow if follow else _newest)(home, kind or "", count)
    for event in found:
        click.echo(json.dumps(event)) if as_json else echo(render_event(event))


def render_event(event: Event) -> str:
    """Return an event as people read it: when, where, what."""
    text = _TEXTS.get(event["kind"], _other)(event)
    place = paint(f"{moment(event['at'])} {event['height']:>6}.{event['position']:<3}", FAINT)
    return f"{place} {short_id(event['id'])}  {text}"


def _newest(home: Home, kind: str, count: int) -> list[Event]:
    found: list[Event] = call(home, "events.tail", {"kind": kind, "count": count})
    return found


def _follow(home: Home, kind: str, count: int) -> Iterator[Event]:
    params: dict[str, Any] = {"kind": kind, "count": count, "follow": True}
    while True:
        try:
            with Client(home.control_socket) as node:
                for sequence, event in node.follow("events.tail", params):
                    params["after"] = sequence
                    yield event
        except NodeSilent:
            click.echo("The node went away; waiting for it.", err=True)
        except NodeNotRunning:
            if "after" not in params:
                raise
        time.sleep(RETRY_SECONDS)


def _other(event: Event) -> str:
    return str(event["kind"])


def _disclosure(event: Event) -> str:
    basis = event["basis"]["kind"]
    shown = paint("EMERGENCY", CAREFUL) if basis == "emergency" else f"by {basis}"
    return (
        f"{event['custodian_name']} discloses to {event['requester_name']} {shown}"
        f" (subject {short_id(event['subject'])}, number {event['counter']})"
    )


def _consent_given(event: Event) -> str:
    return (
        f"consent {event['consent']} given to {event['custodian_name']}"
        f" (subject {short_id(event['subject'])})"
    )


def _consent_withdrawn(event: Event) -> str:
    return f"consent {event['consent']} withdrawn (subject {short_id(event['subject'])})"


def _member_admitted(event: Event) -> str:
    return f"{event['member']['name']} admitted by {event['sponsor_name']}"


def _authority_ready(event: Event) -> str:
    return f"{event['member_name']} offers a voting key for the next epoch"


def _authority_ballot(event: Event) -> str:
    words = {"add": "adding", "remove": "removing", "rotate": "a new key for"}
    return f"{event['authority_name']} votes for {words[event['choice']]} {event['candidate_name']}"


def _records_committed(event: Event) -> str:
    return f"{event['custodian_name']} commits to {event['count']} records"


def _reviewed(event: Event) -> str:
    verdict = event["verdict"]
    return f"{event['reviewer_name']} finds emergency {short_id(event['disclosure'])} {verdict}"


def _access_requested(event: Event) -> str:
    return f"{event['requester_name']} waits for an answer of {event['custodian_name']}"


def _erased(event: Event) -> str:
    return f"{event['custodian_name']} has erased records"


def _equivocation(event: Event) -> str:
    return paint(f"an authority CONTRADICTED ITSELF, says {event['reporter_name']}", CAREFUL)


_TEXTS: dict[str, Callable[[Event], str]] = {
    "disclosure": _disclosure,
    "consent-given": _consent_given,
    "consent-withdrawn": _consent_withdrawn,
    "member-admitted": _member_admitted,
    "authority-ready": _authority_ready,
    "authority-ballot": _authority_ballot,
    "records-committed": _records_committed,
    "emergency-reviewed": _reviewed,
    "access-requested": _access_requested,
    "erased": _erased,
    "equivocation": _equivocation,
}
