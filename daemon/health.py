"""Is this node well, and if not: why, and what to do. Facts in, sentences out.

A problem has a stable code for programs, a cause that names who or what is missing, and a next
step. The worst comes first.
"""

import time
from dataclasses import dataclass

from daemon.silence import Silence

NOT_TRIED = ("", "not tried yet")
"""What is said of an authority that we have not dialled since we started."""


@dataclass(frozen=True, slots=True)
class AuthorityFacts:
    """How we stand with one authority."""

    name: str
    is_me: bool
    reachable: bool
    last_seen: int | None
    """Milliseconds since the Unix epoch; None if never in this run."""
    failure: str
    """Why it is not reached, in words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What the chain says about the authorities, and about us among them."""

    epoch: int = 0
    next_epoch: int | None = None
    """The epoch that is pending."""
    holds_key: bool = True
    """False if we should vote in this epoch, and have no key for it."""
    is_suspended: bool = False
    tainted: tuple[str, ...] = ()
    """Who cheated and still votes."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A recovery that the operator has not accepted."""

    hash: str
    epoch: int
    base_height: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    authorities: tuple[AuthorityFacts, ...]
    quorum: int
    height: int
    events_waiting: int
    votes: bool
    """Whether this node should vote."""
    silence: Silence | None
    """Why it does not vote, if it should and does not."""
    stuck: Silence | None
    """Why it cannot follow the chain any more, whether it votes or not."""
    standing: Standing
    blocks_behind: int
    offered: Offered | None = None
    """A recovery that others follow, and at which this node has stopped."""
    is_member: bool
    reviews_overdue: int
    clock_difference: int
    """By how many milliseconds our clock must be put forward, 0 if it agrees with the others."""


@dataclass(frozen=True, slots=True)
class Problem:
    code: str
    cause: str
    next_step: str


def find_problems(facts: Facts) -> tuple[Problem, ...]:
    """Return what is wrong; nothing if the node is well."""
    found = [
        _halted(facts),
        _recovery_offered(facts),
        _voting_stopped(facts),
        _key_missing(facts),
        _suspended(facts),
        _clock(facts),
        _not_final(facts),
        _not_a_member(facts),
        _behind(facts),
        _tainted(facts),
        _overdue(facts),
    ]
    return tuple(problem for problem in found if problem is not None)


def _halted(facts: Facts) -> Problem | None:
    if facts.stuck is None:
        return None
    cause = f"HALTED  this node follows the network no further: {facts.stuck.cause}"
    return Problem("halted", cause, facts.stuck.next_step)


def _recovery_offered(facts: Facts) -> Problem | None:
    if facts.offered is None:
        return None
    offered = facts.offered
    return Problem(
        "recovery-not-accepted",
        f"RECOVERY  the others follow a recovery that ended epoch {offered.epoch} on block"
        f" {offered.base_height}. This node stops there, because you have not accepted it. Its hash"
        f" is {offered.hash}",
        "Compare the hash with other operators by telephone. Then: placet stop; placet recovery"
        f" accept {offered.hash}; placet start",
    )


def _voting_stopped(facts: Facts) -> Problem | None:
    if facts.stuck is not None or not facts.votes or facts.silence is None:
        return None
    return Problem(
        "voting-stopped",
        f"NOT VOTING  this authority has stopped voting: {facts.silence.cause}",
        facts.silence.next_step,
    )


def _key_missing(facts: Facts) -> Problem | None:
    if facts.standing.holds_key or not facts.votes or facts.silence is not None:
        return None
    return Problem(
        "voting-key-missing",
        f"NOT VOTING  this authority does not have its voting key of epoch {facts.standing.epoch}",
        "It offers a new one by itself. Ask the other authorities to run: placet authority propose"
        " rotate, with this node's name",
    )


def _suspended(facts: Facts) -> Problem | None:
    if not facts.standing.is_suspended:
        return None
    return Problem(
        "suspended",
        "SUSPENDED  the chain holds proof that this authority signed two things that contradict"
        " each other",
        "Find out who else had its voting key: placet events --kind equivocation. Then call the"
        " other operators",
    )


def _tainted(facts: Facts) -> Problem | None:
    if not facts.standing.tainted or facts.standing.is_suspended:
        return None
    return Problem(
        "tainted",
        f"TAINTED  {', '.join(facts.standing.tainted)} cheated and still votes: nobody can take the"
        " place",
        "Have a good member run: placet authority ready; then: placet authority propose add NAME",
    )


def _not_final(facts: Facts) -> Problem | None:
    reachable = [each for each in facts.authorities if each.reachable or each.is_me]
    if len(reachable) >= facts.quorum:
        return None
    missing = [each for each in facts.authorities if each not in reachable]
    if all(each.last_seen is None and each.failure in NOT_TRIED for each in missing):
        return _looking(facts, len(reachable))
    waiting = _waiting(facts.events_waiting) if facts.events_waiting else ""
    if facts.standing.next_epoch is not None:
        waiting += f" The handoff to epoch {facts.standing.next_epoch} waits."
    cause = (
        f"NOT FINAL  {len(reachable)} of {len(facts.authorities)} authorities reachable,"
        f" {facts.quorum} needed: missing {', '.join(map(_missing, missing))}.{waiting}"
    )
    reason = next((each.failure for each in missing if each.failure), "")
    about = f" ({missing[0].name}: {reason})" if reason else ""
    next_step = f"Have them started, or check the way to them{about}: placet peer list"
    return Problem("not-final", cause, next_step)


def _looking(facts: Facts, reached: int) -> Problem:
    """The node has only just started: nobody is missing yet."""
    return Problem(
        "looking",
        f"LOOKING  {reached} of {len(facts.authorities)} authorities reached so far,"
        f" {facts.quorum} needed",
        "Wait a moment, then look again.",
    )


def _clock(facts: Facts) -> Problem | None:
    if not facts.clock_difference:
        return None
    seconds = abs(facts.clock_difference) // 1000
    side = "behind" if facts.clock_difference > 0 else "ahead of"
    return Problem(
        "clock-wrong",
        f"CLOCK WRONG  this machine's clock is {count_of(seconds, 'second')} {side} the others'",
        "Set the clock, and let it follow a time server (NTP). Nobody follows wrong proposals.",
    )


def _not_a_member(facts: Facts) -> Problem | None:
    if facts.is_member or facts.blocks_behind or not facts.height:
        return None  # Whoever is new has not read about itself yet.
    return Problem(
        "not-a-member",
        "NOT A MEMBER  the network has removed this node, or has not admitted it yet",
        "Ask an authority for a ticket, then run: placet join TICKET",
    )


def _behind(facts: Facts) -> Problem | None:
    if facts.blocks_behind <= 0 or facts.offered is not None:
        return None
    cause = f"CATCHING UP  {count_of(facts.blocks_behind, 'block')} behind the others"
    return Problem("behind", cause, "Wait; it goes on by itself.")


def _overdue(facts: Facts) -> Problem | None:
    if not facts.reviews_overdue:
        return None
    cause = f"OVERDUE  {count_of(facts.reviews_overdue, 'emergency review')} of ours not done"
    return Problem("reviews-overdue", cause, "See: placet emergency list")


def count_of(count: int, thing: str) -> str:
    """Return a number and its noun, in the plural where that is due."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _waiting(events: int) -> str:
    return f" {count_of(events, 'event')} {'waits' if events == 1 else 'wait'}."


def _missing(authority: AuthorityFacts) -> str:
    if authority.last_seen is None:
        return f"{authority.name} (never seen)"
    seen = time.localtime(authority.last_seen / 1000)
    return f"{authority.name} (last seen {time.strftime('%H:%M', seen)})"
