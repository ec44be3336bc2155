"""`events.*`: bring signed events onto the chain."""

from daemon.control import Call
from daemon.node import Node
from daemon.rpc import Json
from protocol.codec import decode
from protocol.events import EVENT_SIZE_MAX, SignedEvent


async def submit(node: Node, call: Call) -> Json:
    """Submit an event that was signed elsewhere; return when it is final and stored here."""
    signed = decode(call.data("event"), SignedEvent, EVENT_SIZE_MAX)
    receipt = await node.submit(signed)
    return {"event": receipt.event.hex(), "height": receipt.height}
