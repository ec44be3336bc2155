"""Checks the signatures in many blocks at once, in threads, before the core asks for each of them.

To take in a long chain is to check signatures, half of the time; libsodium does it without the
interpreter's lock. What is found good is remembered by the core's verifier, so the core decides as
if it had checked all itself, and what is not good it finds out again.

Only blocks that a quorum made final are worth that, and that are not far ahead of our head: nobody
who makes up blocks lets us work for more than their certificate.
"""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import trio

from protocol.blocks import FinalizedBlocks
from protocol.core import Core
from protocol.errors import ProtocolError
from protocol.follower import Follower, Place
from protocol.identity import is_valid_signature
from protocol.signers import SignatureCheck, signature_checks

CHECKS_MIN = 64
"""With fewer signatures, a thread costs more than it brings."""

THREADS_MAX = 4

AHEAD_MAX = 4
"""How many answers are remembered that were checked before the core wanted them."""


@dataclass(slots=True, eq=False)
class _Check:
    finalized: FinalizedBlocks
    is_over: trio.Event = field(default_factory=trio.Event)
    is_done: bool = False
    """Otherwise it came too early: the authorities of its epoch were not known yet."""


class SignatureChecks:
    """Checks of blocks that the core has now, and of some that it will have soon."""

    def __init__(self) -> None:
        self._ahead: deque[_Check] = deque(maxlen=AHEAD_MAX)

    def begin(self, core: Core, finalized: FinalizedBlocks, nursery: trio.Nursery) -> None:
        """Check while others work; `finish` will wait for it."""
        check = _Check(finalized)
        self._ahead.append(check)
        nursery.start_soon(_check_ahead, core, check)

    async def finish(self, core: Core, finalized: FinalizedBlocks) -> None:
        """Return when the signatures are checked. The core has the blocks next."""
        for check in [each for each in self._ahead if each.finalized is finalized]:
            self._ahead.remove(check)
            await check.is_over.wait()
            if check.is_done:
                return
        await check_signatures(core, finalized)


async def _check_ahead(core: Core, check: _Check) -> None:
    try:
        check.is_done = await check_signatures(core, check.finalized)
    finally:
        check.is_over.set()


async def check_signatures(core: Core, finalized: FinalizedBlocks) -> bool:
    """Let the core's verifier know the good signatures of events in these blocks.

    Return whether that was worth it: the blocks are many, and known to be final.
    """
    if sum(len(block.events) for block in finalized.blocks) < CHECKS_MIN:
        return False
    checks = _wanted(core, finalized)
    count = min(THREADS_MAX, os.cpu_count() or 1)
    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(_check, core, checks[number::count])
    return bool(checks)


async def _check(core: Core, checks: Sequence[SignatureCheck]) -> None:
    for check in await trio.to_thread.run_sync(_good, checks):
        core.verifier.remember(*check)


def _good(checks: Sequence[SignatureCheck]) -> list[SignatureCheck]:
    """Return those before the first bad one: there the core gives up, too."""
    good = []
    for check in checks:
        if not is_valid_signature(*check):
            break
        good.append(check)
    return good


def _wanted(core: Core, finalized: FinalizedBlocks) -> list[SignatureCheck]:
    follower = Follower(chain=core.chain, genesis=core.genesis, verifier=core.verifier)
    try:
        if follower.judge(finalized) not in {Place.NEXT, Place.AHEAD}:
            return []
        return list(_checks(core, follower, finalized))
    except ProtocolError:  # The core finds that, too, and knows whom to blame.
        return []


def _checks(core: Core, follower: Follower, finalized: FinalizedBlocks) -> Iterator[SignatureCheck]:
    for block in follower.fresh(finalized):
        for signed in block.events:
            yield from signature_checks(core.state, signed, core.network)
