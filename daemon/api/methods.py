"""Which method name stands for which function."""

from collections.abc import Awaitable, Callable
from functools import partial

from daemon.api import (
    authorities,
    chain,
    consents,
    emergencies,
    invites,
    members,
    patients,
    records,
    status,
)
from daemon.api.running import Running
from daemon.call import Call, Method
from daemon.rpc import Json

RunningMethod = Callable[[Running, Call], Awaitable[Json]]

METHODS: dict[str, RunningMethod] = {
    "status": status.status,
    "network": status.show_network,
    "peers.list": status.list_peers,
    "members.list": members.list_all,
    "members.show": members.show,
    "authority.list": authorities.list_all,
    "authority.ready": authorities.ready,
    "authority.preview": authorities.preview,
    "authority.vote": authorities.vote,
    "chain.head": chain.head,
    "chain.show": chain.show_block,
    "chain.verify": chain.verify,
    "chain.prune": chain.prune,
    "events.submit": chain.submit,
    "events.tail": chain.tail,
    "invites.create": invites.create,
    "invites.list": invites.list_all,
    "invites.revoke": invites.revoke,
    "consent.give": consents.give,
    "consent.list": consents.list_known,
    "consent.show": consents.show,
    "consent.why": consents.why,
    "records.add": records.add,
    "records.list": records.list_all,
    "records.show": records.show,
    "records.verify": records.verify,
    "records.fetch": records.fetch,
    "records.erase": records.erase,
    "emergency.list": emergencies.list_all,
    "emergency.review": emergencies.review,
    "patient.audit": patients.audit,
}

QUIET = frozenset(
    {
        "ping",
        "status",
        "network",
        "peers.list",
        "members.list",
        "members.show",
        "authority.list",
        "authority.preview",
        "chain.head",
        "chain.show",
        "events.tail",
        "invites.list",
        "consent.list",
        "consent.show",
        "records.list",
        "emergency.list",
        "logs.tail",
    }
)
"""Methods that change and show nothing that matters: a call is not worth a line in the log."""


def running_methods(running: Running) -> dict[str, Method]:
    """Return the methods of a running node, as the control socket wants them."""
    return {name: partial(method, running) for name, method in METHODS.items()}
