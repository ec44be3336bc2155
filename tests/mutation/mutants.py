"""The protocol with one rule removed at a time: what checkers must catch to be worth anything.

Each mutant is a list of patches, made anew each time it is applied; `rule` says what it breaks, in
the words of docs/protocol.md, and `hunt` where it shows.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from protocol import chain, digest, follower, headers, identity, votes
from protocol.codec import digest as domain_digest
from protocol.codec import encode
from protocol.consensus import (
    Persist,
    Persisted,
    guard,
    pacemaker,
    proposals,
    retransmission,
    voting,
)
from protocol.consensus.log import CertificateLogged, OwnVote, ProposalLogged, is_settled
from protocol.consensus.state import State
from protocol.effects import StoreBlocks
from protocol.electorates import epoch_entry
from protocol.errors import InvalidBlock, InvalidCertificate
from protocol.genesis import quorum
from protocol.merkle import leaf_hash, merkle_root
from protocol.messages import CertificateWanted
from protocol.votes import VoteKind
from simulations.world.core_host import CoreHost
from simulations.world.host import Host
from tests.mutation.hunts import (
    RANDOM,
    Hunt,
    after_a_death,
    among,
    directed,
    in_campaign,
    in_other_processes,
    with_old_votes,
)
from tests.protocol import test_consensus

VARIABLE = "PLACET_TEST_MUTANT"
"""Names the mutant for processes that a hunt starts."""

Patch = tuple[Any, str, Any]
"""Where, which name, and what it is instead."""


@dataclass(frozen=True, slots=True)
class Mutant:
    rule: str
    patches: Callable[[], list[Patch]]
    hunt: Hunt = in_campaign


def apply_from_environment() -> None:
    """Break the rule that the environment names, if it does, for as long as the process lives."""
    name = os.environ.get(VARIABLE)
    for owner, attribute, value in MUTANTS[name].patches() if name else ():
        setattr(owner, attribute, value)


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """Break the rule for a while."""
    patches = mutant.patches()
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in patches]
    for owner, name, value in patches:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in originals:
            setattr(owner, name, value)


# ── votes and certificates ──


def _small_quorum() -> list[Patch]:
    def small(count: int) -> int:
        return max(1, quorum(count) - 1)

    module = sys.modules["protocol.consensus.electorate"]
    return [(module, "quorum", small), (votes, "quorum", small)]


def _last_epochs_quorum() -> list[Patch]:
    original = epoch_entry

    def before(state: Any, epoch: int) -> Any:
        return original(state, max(0, epoch - 1))

    return [(follower, "epoch_entry", before)]


def _duplicate_signers() -> list[Patch]:
    def validate(certificate: Any, network: bytes, authorities: Any, verifier: Any) -> None:
        if len(certificate.signers) != quorum(len(authorities)):
            raise InvalidCertificate("no quorum")
        for vote in votes.votes_of(certificate):
            votes.validate_vote(vote, network, authorities, verifier)

    admission = sys.modules["protocol.consensus.admission"]
    return [(admission, "validate_certificate", validate)]


def _statement_without_epoch() -> list[Patch]:
    def statement(network: bytes, kind: Any, _epoch: int, view: int, block: bytes) -> bytes:
        return identity.signing_bytes("vote", network, encode((int(kind), 0, view, block)))

    return [(votes, "_statement", statement)]


def _statement_without_network() -> list[Patch]:
    def statement(_network: bytes, kind: Any, epoch: int, view: int, block: bytes) -> bytes:
        return identity.signing_bytes("vote", bytes(32), encode((int(kind), epoch, view, block)))

    return [(votes, "_statement", statement)]


def _finalize_after_nullify() -> list[Patch]:
    def may(known: Any, _: bytes) -> bool:
        return VoteKind.FINALIZE not in known.signed

    return [(voting, "_may_finalize", may), (voting, "_sign", _unguarded_sign)]


def _nullify_after_finalize() -> list[Patch]:
    """When a view times out, the one before it is given up, too."""
    original = voting.nullify

    def nullify(state: Any) -> bool:
        before = state.view - 1
        if original(state) and before > state.finalized_view:
            vote = _unguarded_sign(state, VoteKind.NULLIFY, before, votes.NO_BLOCK)
            state.records.append(OwnVote(vote))
            state.broadcast(vote)
            return True
        return False

    rules = sys.modules["protocol.consensus.machine"]
    changed = tuple(nullify if rule is original else rule for rule in rules.RULES)
    return [(rules, "RULES", changed)]


def _unguarded_sign(state: Any, kind: VoteKind, view: int, block: bytes) -> Any:
    state.round(view).signed[kind] = block
    return votes.sign_vote(
        state.key,
        state.network,
        kind=kind,
        epoch=state.epoch,
        view=view,
        block=block,
        signer=state.electorate.me,
    )


# ── what is durable when ──


def _count_before_sync() -> list[Patch]:
    original = CoreHost.prepare

    def prepare(self: CoreHost, effects: list[Any]) -> list[Any]:
        return sorted(original(self, effects), key=lambda effect: not isinstance(effect, Persisted))

    return [(CoreHost, "prepare", prepare)]


def _send_before_sync() -> list[Patch]:
    original = CoreHost.prepare

    def prepare(self: CoreHost, effects: list[Any]) -> list[Any]:
        return sorted(original(self, effects), key=lambda effect: isinstance(effect, Persist))

    return [(CoreHost, "prepare", prepare)]


def _not_logged(*kinds: type) -> list[Patch]:
    original = Host._sync

    def sync(self: Host, records: tuple[Any, ...]) -> None:
        original(self, tuple(record for record in records if not isinstance(record, kinds)))

    return [(Host, "_sync", sync)]


def _votes_forgotten_at_restart() -> list[Patch]:
    original = CoreHost.boot

    def boot(self: CoreHost) -> Any:
        self.log = [record for record in self.log if not isinstance(record, OwnVote)]
        return original(self)

    return [(CoreHost, "boot", boot), *_no_guard()]


def _pruned_before_stored() -> list[Patch]:
    """The log forgets what blocks settle, and the blocks are lost when the process dies."""
    store, kill = CoreHost.carry_out, CoreHost.kill

    def carry_out(self: Any, effect: Any) -> None:
        if isinstance(effect, StoreBlocks):
            self.synced = self.disk.copy()
        store(self, effect)
        if isinstance(effect, StoreBlocks):
            settled = effect.certificate.epoch, effect.certificate.view
            self.log = [record for record in self.log if not is_settled(record, *settled)]

    def die(self: Any) -> None:
        self.disk = getattr(self, "synced", self.disk)
        kill(self)

    return [(CoreHost, "carry_out", carry_out), (CoreHost, "kill", die)]


def _no_guard() -> list[Patch]:
    return [(guard.Guard, "has_answers", property(lambda _: True))]


# ── what a block stands on ──


def _views_skipped() -> list[Patch]:
    original = proposals.need_of

    def need_of(state: Any, block: Any) -> Any:
        need = original(state, block)
        if need is not None and isinstance(need.wanted, CertificateWanted):
            return None if state.missing(block.header.parent) is None else need
        return need

    return [(proposals, "need_of", need_of)]


def _parent_below_tip() -> list[Patch]:
    return [(proposals, "_stands_well", lambda *_: True)]


def _adjacent_empties() -> list[Patch]:
    def may(*_args: Any, **_options: Any) -> bool:
        return True

    return [(headers, "may_be_empty", may), (voting, "may_be_empty", may)]


def _wall_clock_in_validity() -> list[Patch]:
    """Blocks that are older than a second are not valid any more."""
    step = sys.modules["protocol.core"].Core.step
    wall = [0]

    def remember(self: Any, now: Any, input: Any) -> Any:
        wall[0] = now.wall
        return step(self, now, input)

    place = headers.validate_place

    def validate(header: Any, parent: Any, known: Any) -> None:
        if header.timestamp < wall[0] - 1_000:
            raise InvalidBlock("the block is old")
        place(header, parent, known)

    return [
        (sys.modules["protocol.core"].Core, "step", remember),
        (chain, "validate_place", validate),
    ]


def _sets_in_state_root() -> list[Patch]:
    def root(self: Any) -> bytes:
        leaves = {self.bucket(index) for index in range(digest.BUCKET_COUNT)}
        return domain_digest("state", merkle_root([leaf_hash(leaf) for leaf in leaves]))

    return [(digest.StateDigest, "root", property(root))]


# ── when to be awake ──


def _armed_without_timer() -> list[Patch]:
    def arm(state: Any) -> bool:
        if state.attempt.is_armed or pacemaker.reason(state) is None:
            return False
        state.attempt.is_armed = True
        return True

    rules = sys.modules["protocol.consensus.machine"]
    changed = tuple(arm if rule is pacemaker.arm else rule for rule in rules.RULES)
    return [(rules, "RULES", changed)]


def _answer_every_late_vote() -> list[Patch]:
    def help_late(state: Any, sender: Any, vote: Any) -> None:
        if vote.view < state.view:
            for certificate in retransmission._ways_out(state, vote.view):
                state.send(sender, certificate)

    machine = sys.modules["protocol.consensus.machine"]
    return [(machine, "help_late_voter", help_late)]


def _back_off_for_ever() -> list[Patch]:
    """Failed views count since the beginning, and not since the last final block."""
    return [(State, "failed_views", property(lambda self: max(0, self.view - 1)))]


def _always_awake() -> list[Patch]:
    """Timers run whether there is something to do or not."""

    def awake(state: Any) -> Any:
        return original(state) or pacemaker.Reason.FLUSH

    original = pacemaker.reason
    alarms = sys.modules["protocol.consensus.alarms"]
    return [(pacemaker, "reason", awake), (alarms, "reason", awake)]


MUTANTS: dict[str, Mutant] = {
    "quorum minus one": Mutant("a certificate has n - f signers", _small_quorum),
    "quorum of another epoch": Mutant(
        "a certificate is judged by the authorities of its epoch", _last_epochs_quorum
    ),
    "duplicate signers": Mutant(
        "signers of a certificate are distinct", _duplicate_signers, among("forger")
    ),
    "no epoch in votes": Mutant("a vote is for one epoch", _statement_without_epoch),
    "no network in votes": Mutant("a vote is for one network", _statement_without_network),
    "finalize after nullify": Mutant("R6: not after a nullify vote", _finalize_after_nullify),
    "nullify after finalize": Mutant(
        "R4: only in the current view, never after a finalize vote", _nullify_after_finalize
    ),
    "count before sync": Mutant("W2: own votes count when durable", _count_before_sync),
    "send before sync": Mutant("W1: votes are sent when durable", _send_before_sync),
    "certificates not logged": Mutant(
        "W3, W4: the log explains each vote", lambda: _not_logged(CertificateLogged)
    ),
    "blocks not logged": Mutant("W5: a voter has the block", lambda: _not_logged(ProposalLogged)),
    "votes forgotten at restart": Mutant(
        "what was signed stays signed", _votes_forgotten_at_restart
    ),
    "log pruned before blocks are stored": Mutant(
        "W7: the log forgets only what the store durably holds", _pruned_before_stored
    ),
    "no guard after a start": Mutant("R13: listen before signing", _no_guard, with_old_votes),
    "views skipped without nullifications": Mutant(
        "R3: views in between are nullified", _views_skipped, among("wrong-parent", RANDOM)
    ),
    "parent below the tip": Mutant(
        "R3: the parent is the newest notarized block",
        _parent_below_tip,
        directed(test_consensus.test_a_block_below_the_finalized_one_is_nullified),
    ),
    "adjacent empty blocks": Mutant("an idle chain stays as it is", _adjacent_empties),
    "wall clock in validity": Mutant("validity knows no clock", _wall_clock_in_validity),
    "sets in the state root": Mutant(
        "one state has one digest", _sets_in_state_root, in_other_processes
    ),
    "armed without a timer": Mutant("R7: whoever is awake has a timer", _armed_without_timer),
    "every late vote answered": Mutant(
        "R9: help is limited",
        _answer_every_late_vote,
        directed(
            test_consensus.test_a_lagging_voter_is_told_how_to_leave_its_view_but_not_all_the_time
        ),
    ),
    "back-off never reset": Mutant(
        "R7: waits grow with the views that failed since the last final block",
        _back_off_for_ever,
        after_a_death,
    ),
    "always awake": Mutant("R7: no reason, no timer", _always_awake),
}
