"""Protocol values as JSON for people's programs: names of fields, bytes as hex, tags as `kind`."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import msgspec

from daemon.call import invalid_params
from daemon.hint import did_you_mean
from daemon.membership import Membership
from daemon.rpc import Json
from protocol.events import SignedEvent, event_id
from protocol.genesis import Member
from protocol.identity import NetworkId

MEMBER_FIELDS = (
    "custodian", "requester", "sponsor", "member", "authority", "candidate", "reviewer", "reporter",
)  # fmt: skip
"""Fields of events that hold a member's id; the name is shown beside it."""


def view(value: Any) -> Json:
    """Return a message or part of one as JSON."""
    if isinstance(value, msgspec.Struct):
        fields = {name: view(getattr(value, name)) for name in value.__struct_fields__}
        tag = value.__struct_config__.tag
        return {"kind": tag, **fields} if isinstance(tag, str) else fields
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return [view(item) for item in value]
    return value


def view_event(
    signed: SignedEvent, network: NetworkId, members: Membership, place: Mapping[str, int]
) -> dict[str, Json]:
    """Return an event with its id, its place on the chain and the names of its members."""
    body = signed.event.body
    found: dict[str, Json] = {"id": event_id(signed.event, network).hex(), **place, **view(body)}
    for field in MEMBER_FIELDS:
        identifier = getattr(body, field, None)
        if isinstance(identifier, bytes):
            found[f"{field}_name"] = members.name(identifier)
    return found


def view_member(member: Member) -> dict[str, Json]:
    return {
        "id": member.id.hex(),
        "name": member.name,
        "kind": member.kind.value,
        "officer": member.officer.hex(),
    }


def find_member(members: Membership, text: str) -> Member:
    """Return the member of that name, or whose id begins so; raises `CallFailed`."""
    found = [each for each in members.all() if each.name == text]
    if not found and len(text) >= 4:
        found = [each for each in members.all() if each.id.hex().startswith(text.lower())]
    if len(found) != 1:
        what = "several members" if found else "no member"
        hint = "" if found else did_you_mean(text, (each.name for each in members.all()))
        raise invalid_params(f"there is {what} called `{text}`{hint}", "See: placet member list")
    return found[0]
