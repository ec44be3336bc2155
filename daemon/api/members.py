"""`members.*`: who belongs to the network."""

from daemon.api.running import Running
from daemon.api.views import find_member, view_member
from daemon.call import Call
from daemon.rpc import Json
from protocol.genesis import Member
from protocol.state import custodian_entry, members


async def list_all(running: Running, call: Call) -> Json:
    """Return the members, with `removed` those that were put out as well."""
    with_removed = call.flag("removed")
    found = []
    for entry in members(running.node.state):
        if entry.removed_height is None or with_removed:
            heights = {
                "admitted_height": entry.admitted_height,
                "removed_height": entry.removed_height,
            }
            found.append({**_view(running, entry.member), **heights})
    return found


async def show(running: Running, call: Call) -> Json:
    """Return one member, by name or by the beginning of its id, with what it did as custodian."""
    member = find_member(running.node.members, call.text("member"))
    did = custodian_entry(running.node.state, member.id)
    return {
        **_view(running, member),
        "kem_key": member.kem_key.hex(),
        "addresses": list(running.node.addresses(member.id)),
        "record_count": did.record_count,
        "erasure_count": did.erasure_count,
        "asked_count": did.asked_count,
        "answered_count": did.answered_count,
    }


def _view(running: Running, member: Member) -> dict[str, Json]:
    authorities = {authority.member for authority in running.node.core.authorities}
    return {
        **view_member(member),
        "authority": member.id in authorities,
        "is_me": member.id == running.node.me,
        "connected": member.id in running.node.transport.connected(),
    }
