"""Consensus with one rule broken at a time: what the checks must catch to be worth anything.

    python -m tests.protocol.mutants SEEDS [NAME...]

runs so many seeds with each mutant and prints in how many of them it was caught.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from protocol import votes
from protocol.consensus import (
    Persist,
    Persisted,
    proposals,
    voting,
)
from protocol.consensus.log import CertificateLogged, OwnVote, ProposalLogged
from protocol.genesis import quorum
from protocol.messages import CertificateWanted
from protocol.votes import VoteKind
from simulations.world.host import Host
from tests.protocol import campaign
from tests.protocol.toy_host import ToyHost

Change = tuple[Any, str, Any]


def _small_quorum() -> list[Change]:
    def small(count: int) -> int:
        return max(1, quorum(count) - 1)

    module = sys.modules["protocol.consensus.electorate"]
    return [(module, "quorum", small), (votes, "quorum", small)]


def _finalize_after_nullify() -> list[Change]:
    def may(known: Any, _: bytes) -> bool:
        return VoteKind.FINALIZE not in known.signed

    return [(voting, "_may_finalize", may), (voting, "_sign", _unguarded_sign)]


def _count_before_sync() -> list[Change]:
    original = Host.prepare

    def prepare(self: Host, effects: list[Any]) -> list[Any]:
        return sorted(original(self, effects), key=lambda effect: not isinstance(effect, Persisted))

    return [(Host, "prepare", prepare)]


def _send_before_sync() -> list[Change]:
    original = Host.prepare

    def prepare(self: Host, effects: list[Any]) -> list[Any]:
        return sorted(original(self, effects), key=lambda effect: isinstance(effect, Persist))

    return [(Host, "prepare", prepare)]


def _without(*kinds: type) -> list[Change]:
    original = Host._sync

    def sync(self: Host, records: tuple[Any, ...]) -> None:
        original(self, tuple(record for record in records if not isinstance(record, kinds)))

    return [(Host, "_sync", sync)]


def _forget_votes_at_restart() -> list[Change]:
    original = ToyHost.boot

    def boot(self: ToyHost) -> Any:
        self.log = [record for record in self.log if not isinstance(record, OwnVote)]
        return original(self)

    return [(ToyHost, "boot", boot)]


def _skip_without_nullifications() -> list[Change]:
    original = proposals.need_of

    def need_of(state: Any, block: Any) -> Any:
        need = original(state, block)
        if need is not None and isinstance(need.wanted, CertificateWanted):
            return None if state.missing(block.header.parent) is None else need
        return need

    return [(proposals, "need_of", need_of)]


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


MUTANTS: dict[str, Callable[[], list[Change]]] = {
    "quorum minus one": _small_quorum,
    "finalize after nullify": _finalize_after_nullify,
    "count before sync": _count_before_sync,
    "send before sync": _send_before_sync,
    "certificates not logged": lambda: _without(CertificateLogged),
    "blocks not logged": lambda: _without(ProposalLogged),
    "votes forgotten at restart": _forget_votes_at_restart,
    "views skipped without nullifications": _skip_without_nullifications,
}


@contextmanager
def mutant(name: str) -> Iterator[None]:
    """Break one rule for a while."""
    changes = MUTANTS[name]()
    originals = [(owner, attribute, getattr(owner, attribute)) for owner, attribute, _ in changes]
    for owner, attribute, value in changes:
        setattr(owner, attribute, value)
    campaign._worlds.clear()
    try:
        yield
    finally:
        for owner, attribute, value in originals:
            setattr(owner, attribute, value)
        campaign._worlds.clear()


def caught(name: str, seeds: range, *, at_most: int | None = None) -> list[str]:
    """Return what the checks said about the mutant, once for each seed that caught it."""
    found: list[str] = []
    with mutant(name):
        for seed in seeds:
            if len(found) == at_most:
                break
            try:
                campaign.run_seed(seed)
            except Exception as error:  # A crash is as good as a broken property.
                found.append(f"{seed}: {error}")
    return found


def main(count: int, names: list[str]) -> None:
    for name in names or list(MUTANTS):
        found = caught(name, range(count))
        example = found[0] if found else "-"
        print(f"{name}: {len(found)} of {count}; {example}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
