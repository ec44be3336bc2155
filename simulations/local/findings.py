"""What the checkers find when a run of real daemons is over: in their logs and in their chains.

agreement     no two nodes call different blocks final at one height
order         each node's log tells of one height after the other
convergence   all nodes come to the same newest block
verification  each node finds its own chain right, from genesis, with every signature
liveness      what was brought to a node is final or refused, if its client asks again
lost-event    what a node called final is on the chain
daemon        no process ended by itself, and no node has halted
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simulations.local.daemons import Daemon, Daemons, wait_until
from simulations.local.load import UNREACHED, Submission
from simulations.outcome import Violation
from simulations.scenario.model import Scenario

NO_REFUSALS = frozenset({"", UNREACHED, "node-silent", "not-final-in-time", "timeout"})
"""Answers after which an event may still become final."""


@dataclass(slots=True)
class Chains:
    """What the nodes have in the end."""

    heads: dict[str, tuple[int, str]]
    """Height and hash of the newest block of each node that answers."""
    events: frozenset[str]
    """The ids of all events on the longest chain. Only asked for members."""


def settle(daemons: Daemons, milliseconds: int) -> bool:
    """Return whether all nodes come to have the same block, and nothing waits, in time."""
    return wait_until(lambda: _is_settled(daemons), milliseconds / 1_000)


def read_chains(daemons: Daemons) -> Chains:
    heads = {}
    for node in daemons.all():
        head = node.answer("chain.head")
        if head is not None:
            heads[node.name] = (int(head["height"]), str(head["hash"]))
    if not heads:
        return Chains({}, frozenset())
    best = max(heads, key=lambda name: heads[name][0])
    return Chains(heads, frozenset(_events(daemons[best], heads[best][0])))


def find_violations(
    scenario: Scenario, daemons: Daemons, chains: Chains, submissions: list[Submission], at: int
) -> Iterator[Violation]:
    """Yield what does not hold, but for what the logs tell; `at` is the end of the run."""
    yield from _failed(daemons, at)
    if len(set(chains.heads.values())) > 1:
        heads = ", ".join(f"{name} {height} {hash_[:8]}"
                          for name, (height, hash_) in chains.heads.items())  # fmt: skip
        yield Violation("convergence", at, None, f"the nodes have different blocks: {heads}")
    for node in daemons.all():
        report = node.answer("chain.verify")
        if report is not None and not report["good"]:
            yield Violation("verification", at, node.name, "; ".join(map(str, report["findings"])))
    for done in submissions:
        if done.event is None or done.event in chains.events:
            continue
        if done.is_called_final:
            text = f"{done.event[:8]} was called final, and is not on the chain"
            yield Violation("lost-event", done.submitted_at, done.node, text)
        elif scenario.check.liveness and not _is_refused(done):
            said = done.answer_again or done.answer or "no answer"
            text = f"{done.event[:8]} is neither final nor refused: {said}"
            yield Violation("liveness", done.submitted_at, done.node, text)


def _is_settled(daemons: Daemons) -> bool:
    found: dict[tuple[Any, ...], None] = {}
    for node in daemons.all():
        status = node.answer("status")
        chain = (status or {}).get("chain")
        if not chain or chain["events_waiting"]:
            time.sleep(0.1)
            return False
        head = node.answer("chain.head")
        found[(chain["height"], head and head["hash"])] = None
    return len(found) == 1


def _events(node: Daemon, height: int) -> Iterator[str]:
    for number in range(1, height + 1):
        block = node.answer("chain.show", {"height": number})
        if block is not None:
            yield from (str(event["id"]) for event in block["events"])


def _failed(daemons: Daemons, at: int) -> Iterator[Violation]:
    for node in daemons.all():
        node.notice_end()
        for end in node.unexpected_ends:
            yield Violation("daemon", at, node.name, f"{end}: {node.last_words()}"[:300])
        status = node.answer("status")
        if status is None:
            if not node.unexpected_ends:
                yield Violation("daemon", at, node.name, "it does not answer")
            continue
        for problem in status["problems"]:
            if problem["code"] in ("halted", "voting-stopped"):
                yield Violation("daemon", at, node.name, str(problem["cause"]))


def _is_refused(done: Submission) -> bool:
    """Say whether a node has said what forbids it."""
    return (done.answer_again or done.answer) not in NO_REFUSALS
