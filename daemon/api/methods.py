"""Which method name stands for which function."""

from collections.abc import Awaitable, Callable
from functools import partial

from daemon.api import invites, status
from daemon.control import Call, Method
from daemon.node import Node
from daemon.rpc import Json

NodeMethod = Callable[[Node, Call], Awaitable[Json]]

QUIET = frozenset(
    {
        "ping",
        "status",
        "network",
        "peers.list",
        "logs.tail",
        "invites.list",
    }
)
"""Methods that change nothing: a call of one is not worth a line in the log."""

NODE_METHODS: dict[str, NodeMethod] = {
    "peers.list": status.list_peers,
    "invites.create": invites.create,
    "invites.list": invites.list_all,
    "invites.revoke": invites.revoke,
}


def node_methods(node: Node, started_at: int) -> dict[str, Method]:
    """Return the methods of a running node, as the control socket wants them."""

    async def tell_status(_: Call) -> Json:
        return status.status(node, started_at)

    async def tell_network(_: Call) -> Json:
        return status.network(node)

    bound: dict[str, Method] = {
        name: partial(method, node) for name, method in NODE_METHODS.items()
    }
    return {**bound, "status": tell_status, "network": tell_network}
