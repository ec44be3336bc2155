"""`authority.*`: who votes on blocks, who will, and our word on that."""

from collections.abc import Iterator, Sequence

import trio

from daemon.api.running import Running
from daemon.api.views import find_member
from daemon.call import Call, invalid_params
from daemon.node import Node
from daemon.rpc import Json
from protocol.authority import supporters_of
from protocol.electorates import epoch_at, fresh_offer, newest_epoch
from protocol.events import AuthorityBallot, BallotChoice, Event, sign_event
from protocol.genesis import faulty_max, quorum
from protocol.handoff import AUTHORITIES_MIN
from protocol.identity import MemberId
from protocol.state import (
    ChangesWanted,
    EpochEntry,
    StateView,
    changes_wanted,
    is_member,
    is_suspended,
)

BALLOT_LIFETIME = 86_400_000
"""How long a signed ballot may wait for a block, in milliseconds."""

Fields = dict[str, Json]


async def list_all(running: Running, _: Call) -> Json:
    """Return who votes since when, what is decided, and which ballots are open."""
    node = running.node
    # With thousands of members, all open ballots are many reads.
    return await trio.to_thread.run_sync(describe, node, node.store, node.store.height)


def describe(node: Node, state: StateView, height: int) -> Fields:
    """Return all that is to be said about the authorities after the block at `height`."""
    current, newest = epoch_at(state, height + 1), newest_epoch(state)
    wanted = changes_wanted(state)
    names = node.members.name
    return {
        "epoch": current.epoch,
        "since_height": current.base_height + 1 if current.epoch else 0,
        "height": height,
        **view_strength(len(current.authorities)),
        "authorities": [
            _view_authority(node, state, member, wanted, height) for member in members_of(current)
        ],
        "pending": view_handoff(node, current, newest) if newest.epoch > current.epoch else None,
        "waiting": {
            "additions": [names(each) for each in wanted.additions],
            "removals": [names(each) for each in wanted.removals],
            "rotations": [names(each) for each in wanted.rotations],
        },
        "ballots": list(_open_ballots(node, state, current, wanted)),
        "candidates": [
            {"id": member.id.hex(), "name": member.name}
            for member in node.members.all()
            if member.id not in members_of(newest) and fresh_offer(state, member.id, height + 1)
        ],
    }


async def ready(running: Running, _: Call) -> Json:
    """Offer a voting key for the next epoch, and go on doing so."""
    node = running.node
    receipt = await node.candidacy.stand()
    return {"event": receipt.event.hex(), "height": receipt.height}


async def preview(running: Running, call: Call) -> Json:
    """Return what a decision would change, before anybody signs a ballot on it."""
    choice, candidate = _proposal(running, call)
    return preview_of(running.node, running.node.state, choice, candidate)


async def vote(running: Running, call: Call) -> Json:
    """Sign a ballot with our key, and wait until it is final."""
    choice, candidate = _proposal(running, call)
    node = running.node
    body = AuthorityBallot(authority=node.me, choice=choice, candidate=candidate)
    event = Event(valid_until=node.now() + BALLOT_LIFETIME, body=body)
    receipt = await node.submit(sign_event(event, node.network, node.keys.signing))
    after = describe(node, node.store, node.store.height)
    return {
        "event": receipt.event.hex(),
        "height": receipt.height,
        "missing": _missing(node.store, choice, candidate, epoch_at(node.store, receipt.height)),
        "pending": after["pending"],
        "waiting": after["waiting"],
    }


def view_strength(count: int) -> Fields:
    """Return what so many authorities tolerate, and how many of them must agree."""
    return {"count": count, "quorum": quorum(count), "may_fail": faulty_max(count)}


def view_handoff(node: Node, current: EpochEntry, newest: EpochEntry) -> Fields:
    """Return what changes when the pending epoch begins."""
    before = {each.member: each.voting_key for each in current.authorities}
    after = {each.member: each.voting_key for each in newest.authorities}
    renewed = [each for each in after if each in before and after[each] != before[each]]
    names = node.members.name
    return {
        "epoch": newest.epoch,
        "last_height": newest.base_height,
        **view_strength(len(after)),
        "added": [names(each) for each in after if each not in before],
        "removed": [names(each) for each in before if each not in after],
        "renewed": [names(each) for each in renewed],
    }


def preview_of(node: Node, state: StateView, choice: BallotChoice, candidate: MemberId) -> Fields:
    current = epoch_at(state, node.store.height + 1)
    count = len(current.authorities)
    step = {BallotChoice.ADD: 1, BallotChoice.REMOVE: -1, BallotChoice.ROTATE: 0}[choice]
    wanted = changes_wanted(state)
    # What is decided already comes first, or together with it.
    following = count + step + len(wanted.additions) - len(wanted.removals)
    return {
        "choice": choice.value,
        "member": candidate.hex(),
        "name": node.members.name(candidate),
        "before": view_strength(count),
        "after": view_strength(max(1, following)),
        "waits_for_addition": choice == BallotChoice.REMOVE
        and following < min(count, AUTHORITIES_MIN),
        "missing": _missing(state, choice, candidate, current),
    }


def is_tainted(state: StateView, member: MemberId) -> bool:
    """Say whether a suspended authority still votes, as nobody is there to take its place."""
    return is_suspended(state, member) and member in members_of(newest_epoch(state))


def members_of(epoch: EpochEntry) -> list[MemberId]:
    return [authority.member for authority in epoch.authorities]


def _proposal(running: Running, call: Call) -> tuple[BallotChoice, MemberId]:
    choice = call.text("choice")
    if choice not in {each.value for each in BallotChoice}:
        raise invalid_params("`choice` is `add`, `remove` or `rotate`")
    return BallotChoice(choice), find_member(running.node.members, call.text("member")).id


def _view_authority(
    node: Node, state: StateView, member: MemberId, wanted: ChangesWanted, height: int
) -> Fields:
    return {
        "id": member.hex(),
        "name": node.members.name(member),
        "is_me": member == node.me,
        "connected": member == node.me or member in node.transport.connected(),
        "suspended": is_suspended(state, member),
        "tainted": is_tainted(state, member),
        "leaves": member in wanted.removals,
        "offers_key": fresh_offer(state, member, height + 1) is not None,
    }


def _open_ballots(
    node: Node, state: StateView, epoch: EpochEntry, wanted: ChangesWanted
) -> Iterator[Fields]:
    """Yield what some have voted for, and not enough."""
    names = node.members.name
    for member in node.members.all():
        for choice in BallotChoice:
            voters = supporters_of(state, choice, member.id, epoch)
            missing = quorum(len(epoch.authorities)) - len(voters)
            if voters and missing > 0 and not _is_decided(choice, member.id, wanted):
                yield {
                    "choice": choice.value,
                    "member": member.id.hex(),
                    "name": member.name,
                    "by": [names(each) for each in voters],
                    "missing": missing,
                    "voted": node.me in voters,
                }


def _is_decided(choice: BallotChoice, member: MemberId, wanted: ChangesWanted) -> bool:
    listed: dict[BallotChoice, Sequence[MemberId]] = {
        BallotChoice.ADD: wanted.additions,
        BallotChoice.REMOVE: wanted.removals,
        BallotChoice.ROTATE: wanted.rotations,
    }
    return member in listed[choice]


def _missing(state: StateView, choice: BallotChoice, candidate: MemberId, epoch: EpochEntry) -> int:
    """Return how many more ballots make it a decision."""
    if not is_member(state, candidate):
        return quorum(len(epoch.authorities))
    voters = supporters_of(state, choice, candidate, epoch)
    return max(0, quorum(len(epoch.authorities)) - len(voters))
