"""`status`, `network` and `peers.list`: what the node is doing, whether it is well, and why not."""

import os

from daemon.api.authorities import is_tainted, view_handoff
from daemon.api.running import Running
from daemon.api.views import view
from daemon.call import Call
from daemon.health import AuthorityFacts, Facts, Offered, Standing, find_problems
from daemon.links.neighbour import PeerReport
from daemon.node import Node
from daemon.rpc import Json
from protocol.electorates import newest_epoch
from protocol.genesis import faulty_max, quorum
from protocol.identity import MemberId
from protocol.recovery_proof import recovery_hash
from protocol.state import emergencies, is_suspended

VERSION = "0.1.0"


async def status(running: Running, _: Call) -> Json:
    """Return all that `placet status` shows."""
    node = running.node
    facts = collect_facts(node)
    problems = find_problems(facts)
    return {
        "node": _node(node, running.started_at),
        "network": network(node),
        "doing": _doing(node, facts),
        "healthy": not problems,
        "problems": [
            {"code": each.code, "cause": each.cause, "next_step": each.next_step}
            for each in problems
        ],
        "chain": _chain(node),
        "authorities": [
            {
                "name": each.name,
                "is_me": each.is_me,
                "reachable": each.reachable or each.is_me,
                "last_seen": each.last_seen,
                "failure": each.failure,
            }
            for each in facts.authorities
        ],
        "peers": {
            "connected": sum(each.connected for each in node.swarm.report()),
            "wanted": len(node.wanted()),
        },
        "nat": _nat(node),
    }


def network(node: Node) -> dict[str, Json]:
    count = len(node.core.authorities)
    return {
        "name": node.genesis.name,
        "id": node.network.hex(),
        "profile": node.genesis.profile.value,
        "authorities": count,
        "quorum": quorum(count),
        "may_fail": faulty_max(count),
        "members": len(node.members.all()),
        "delay_bound": node.genesis.delay_bound,
    }


def collect_facts(node: Node) -> Facts:
    """Return what `health` judges by."""
    reports = {report.member: report for report in node.swarm.report()}
    now = node.now()
    return Facts(
        authorities=tuple(
            _authority(node, authority.member, reports.get(authority.member))
            for authority in node.core.authorities
        ),
        quorum=quorum(len(node.core.authorities)),
        height=node.core.chain.height,
        events_waiting=len(node.core.mempool),
        votes=node.is_authority,
        silence=node.driver.halted if node.is_authority else None,
        stuck=node.driver.stuck,
        standing=_standing(node),
        blocks_behind=max(0, node.core.sync.target - node.core.chain.height),
        offered=_offered(node),
        is_member=node.me in node.members,
        reviews_overdue=sum(
            entry.is_overdue(now) and entry.custodian == node.me
            for _, entry in emergencies(node.state)
        ),
        clock_difference=node.driver.clocks.difference,
    )


async def show_network(running: Running, _: Call) -> Json:
    """Return what all nodes of the network share."""
    return network(running.node)


async def list_peers(running: Running, _: Call) -> Json:
    """Return whom the node talks to, or wants to, and why it does not."""
    node = running.node
    authorities = {authority.member for authority in node.core.authorities}
    return [
        {
            **{name: view(getattr(report, name)) for name in PeerReport.__slots__},
            "name": node.members.name(report.member),
            "is_authority": report.member in authorities,
            "relay": None if relay is None else node.members.name(relay),
        }
        for report in node.swarm.report()
        for relay in [node.transport.relay_of(report.member)]
    ]


def _node(node: Node, started_at: int) -> dict[str, Json]:
    me = node.member(node.me)
    return {
        "name": node.config.node.name,
        "kind": node.config.node.kind.value,
        "id": node.me.hex(),
        "member": me is not None,
        "authority": node.is_authority,
        "pid": os.getpid(),
        "version": VERSION,
        "started_at": started_at,
        "home": str(node.home.path),
        "addresses": list(node.transport.addresses),
    }


def _nat(node: Node) -> dict[str, Json]:
    """Return who reaches whom through a relay. Nobody punches holes: such peers stay there."""
    name = node.members.name
    relays = () if node.reservations is None else node.reservations.relays
    reserved_by = () if node.relay is None else node.relay.reserved_by
    connected = sorted(node.transport.connected())
    return {
        "behind_nat": node.reservations is not None,
        "relays": [name(each) for each in relays],
        "relayed": [name(each) for each in connected if node.transport.relay_of(each) is not None],
        "relays_for": [name(each) for each in reserved_by],
    }


def _chain(node: Node) -> dict[str, Json]:
    head = node.core.chain.head.header
    waiting = node.core.consensus.waiting_for() if node.core.consensus else None
    current, newest = node.core.epoch, newest_epoch(node.state)
    is_pending = newest.epoch > current.epoch
    return {
        "height": head.height,
        "epoch": current.epoch,
        "handoff": view_handoff(node, current, newest) if is_pending else None,
        "final_at": head.timestamp if head.height else None,
        "events_waiting": len(node.core.mempool),
        "view": waiting.view if waiting else head.view,
        "leader": node.members.name(waiting.leader) if waiting else None,
        "waiting_for": waiting.reason.value if waiting and waiting.reason else None,
        "answers_missing": waiting.answers_missing if waiting else 0,
        "listening_to": [node.members.name(each) for each in waiting.listens_to] if waiting else [],
        "lowest_height": node.store.lowest_height,
        "copying": _copying(node),
    }


def _copying(node: Node) -> Json:
    """Return how far the copy of a state is, if one is being made."""
    progress = node.core.catching_up.progress
    if progress is None:
        return None
    return {"height": progress.height, "done": progress.done, "total": progress.total}


def _standing(node: Node) -> Standing:
    """Return what the chain says about the authorities that an operator must know."""
    newest = newest_epoch(node.state)
    current = node.core.epoch
    return Standing(
        epoch=current.epoch,
        next_epoch=None if newest.epoch == current.epoch else newest.epoch,
        holds_key=node.candidacy.holds_current_key,
        is_suspended=is_suspended(node.state, node.me),
        tainted=tuple(
            node.members.name(each.member)
            for each in current.authorities
            if is_tainted(node.state, each.member)
        ),
    )


def _offered(node: Node) -> Offered | None:
    """Return the recovery at which the node has stopped, if it has."""
    manifest = node.core.catching_up.offered
    if manifest is None:
        return None
    return Offered(recovery_hash(manifest).hex(), manifest.epoch, manifest.base_height)


def _doing(node: Node, facts: Facts) -> str:
    if facts.stuck is not None:
        return "halted"
    if facts.offered is not None:
        return "waiting for the operator"
    if facts.blocks_behind:
        return "catching up"
    if node.core.consensus is not None and node.driver.halted is None:
        return "listening" if node.core.consensus.waiting_for().listens_to else "voting"
    return "observing" if node.is_authority else "following"


def _authority(node: Node, member: MemberId, report: PeerReport | None) -> AuthorityFacts:
    return AuthorityFacts(
        name=node.members.name(member),
        is_me=member == node.me,
        reachable=report is not None and report.connected,
        last_seen=report.last_seen if report else None,
        failure=(report.failure or "") if report else "",
    )
