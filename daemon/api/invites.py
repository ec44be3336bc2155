"""`invites.*`: tickets of this authority."""

from functools import partial

import trio

from daemon.api.running import Running
from daemon.call import Call
from daemon.joining.invites import Invites
from daemon.joining.ticket import render_ticket
from daemon.node import Node
from daemon.rpc import Json
from daemon.storage.tables import Invite

LIFETIME_SECONDS_DEFAULT = 7 * 86_400


async def create(running: Running, call: Call) -> Json:
    """Return a new ticket: the only time that its secret is to be seen."""
    node = running.node
    create_ticket = partial(
        Invites(node.store).create,
        node.genesis,
        sponsor=node.me,
        addresses=node.config.network.announce or node.transport.addresses,
        now=node.now(),
        lifetime_seconds=call.integer("lifetime_seconds", LIFETIME_SECONDS_DEFAULT),
    )
    ticket = await trio.to_thread.run_sync(create_ticket)
    return {
        "ticket": render_ticket(ticket),
        "network": ticket.name,
        "hash": ticket.network.hex(),
        "addresses": list(ticket.addresses),
        "expires_at": ticket.expires_at,
    }


async def list_all(running: Running, _: Call) -> Json:
    """Return all invitations, without their secrets."""
    node = running.node
    now = node.now()
    return [_view(node, invite, now) for invite in Invites(node.store).all()]


async def revoke(running: Running, call: Call) -> Json:
    """Take one back; whoever joined with it stays."""
    node = running.node
    beginning = call.text("id")
    invite = await trio.to_thread.run_sync(Invites(node.store).revoke, beginning)
    return _view(node, invite, node.now())


def _view(node: Node, invite: Invite, now: int) -> dict[str, Json]:
    state = "used" if invite.used_by else "expired" if now > invite.expires_at else "open"
    return {
        "id": invite.secret_hash.hex(),
        "state": state,
        "created_at": invite.created_at,
        "expires_at": invite.expires_at,
        "used_by": node.members.name(invite.used_by) if invite.used_by else None,
    }
