"""A core is replaced by another, because the disk below it holds another state.

That happens when a snapshot was adopted: what the old core computed in between does not exist. The
new one starts as after a restart; only what the old one had from others, and on behalf of its own
clients, goes over to it: links, where the peers stand, and events that are not in the state yet.
So this file knows a core from the inside.
"""

from protocol.consensus import Started
from protocol.core import Core
from protocol.effects import EventsSubmitted, Input, MessageReceived, PeerConnected
from protocol.events import EventId, event_id
from protocol.origin import Origin
from protocol.state import seen_key


def renew(old: Core, origin: Origin) -> tuple[Core, tuple[Input, ...]]:
    """Return the new core, and what it must hear first, in order."""
    new = Core(origin)
    inputs: list[Input] = [Started()]
    inputs += [PeerConnected(peer) for peer in old._peers]
    inputs += [MessageReceived(*each) for each in old.catching_up.statuses.items()]
    waiting = tuple(
        signed
        for signed in old._intake.submissions.waiting()
        if new.state.get(seen_key(event_id(signed.event, new.network))) is None
    )
    if waiting:
        inputs.append(EventsSubmitted(waiting))
    return new, tuple(inputs)


def settled(core: Core, events: tuple[EventId, ...]) -> tuple[EventId, ...]:
    """Return those events that are in the state: they became final in blocks that are not here."""
    return tuple(each for each in events if core.state.get(seen_key(each)) is not None)
