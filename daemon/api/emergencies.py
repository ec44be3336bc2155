"""`emergency.*`: accesses without consent, and their reviews. (`records.fetch` opens them.)"""

from daemon.api.running import Running
from daemon.api.views import view
from daemon.call import Call, invalid_params
from daemon.rpc import Json
from protocol.events import EmergencyReviewed, Event, EventId, Verdict, sign_event
from protocol.state import ReviewEntry, emergencies

EVENT_LIFETIME = 86_400_000
"""How long a signed review may wait for a block, in milliseconds."""


async def list_all(running: Running, call: Call) -> Json:
    """Return emergency accesses; with `open`, those that wait for a review alone."""
    only_open = call.flag("open")
    return [
        _view(running, disclosure, entry)
        for disclosure, entry in emergencies(running.node.state)
        if not only_open or entry.reviewer is None
    ]


async def review(running: Running, call: Call) -> Json:
    """Sign, with our privacy officer's key, whether an emergency access was justified."""
    node = running.node
    verdict = call.text("verdict")
    if verdict not in {each.value for each in Verdict}:
        raise invalid_params("`verdict` is `justified` or `not-justified`")
    body = EmergencyReviewed(
        disclosure=call.data("disclosure", size=32), reviewer=node.me, verdict=Verdict(verdict)
    )
    event = Event(valid_until=node.now() + EVENT_LIFETIME, body=body)
    receipt = await node.submit(sign_event(event, node.network, node.keys.officer))
    return {"event": receipt.event.hex(), "height": receipt.height, "verdict": verdict}


def _view(running: Running, disclosure: EventId, entry: ReviewEntry) -> dict[str, Json]:
    node = running.node
    shown: dict[str, Json] = view(entry)
    reviewer = None if entry.reviewer is None else node.members.name(entry.reviewer)
    return {
        "disclosure": disclosure.hex(),
        **shown,
        "custodian_name": node.members.name(entry.custodian),
        "requester_name": node.members.name(entry.requester),
        "reviewer_name": reviewer,
        "overdue": entry.is_overdue(node.now()),
    }
