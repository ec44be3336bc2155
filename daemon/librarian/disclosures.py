"""Logs disclosures on the chain, each subject's one after the other.

A subject has one custodian, so nobody but this node counts up its counter. Within this node, turns
keep two exchanges about one subject from taking the same number.
"""

import structlog
import trio
from msgspec.structs import replace

from daemon.errors import DaemonError
from daemon.librarian.finality import find_event, wait_final
from daemon.librarian.node import LibrarianNode
from daemon.librarian.places import Turns
from daemon.librarian.releases import Releases
from daemon.receipts import Receipts
from protocol.codec import Timestamp
from protocol.disclosure import CounterGap
from protocol.errors import ProtocolError
from protocol.events import Commitment, Event, EventId, SignedEvent, event_id, sign_event
from protocol.identity import short
from protocol.release_effects import (
    AwaitDisclosure,
    DisclosureFailed,
    DisclosureFinal,
    Remembered,
    SubmitDisclosure,
)

FINALITY_SECONDS_MAX = 30
ATTEMPTS_MAX = 3
"""How often a disclosure is numbered anew when somebody was faster."""

log = structlog.get_logger("disclosures")


class Disclosures:
    """Submits disclosures and waits for them."""

    def __init__(self, node: LibrarianNode, receipts: Receipts, releases: Releases) -> None:
        self._node = node
        self._receipts = receipts
        self._releases = releases
        self._turns = Turns()

    async def submit(self, effect: SubmitDisclosure) -> DisclosureFinal | DisclosureFailed:
        """Number, sign, remember and submit a disclosure; return when it is final, or cannot be."""
        async with self._turns.taken(effect.disclosure.subject):
            for _ in range(ATTEMPTS_MAX):
                try:
                    return await self._submit_once(effect)
                except CounterGap:
                    continue
        return DisclosureFailed()

    async def wait(self, effect: AwaitDisclosure) -> DisclosureFinal | DisclosureFailed:
        """Wait for a disclosure that was submitted before."""
        try:
            await wait_final(
                self._node.store, self._receipts, effect.disclosure, seconds=FINALITY_SECONDS_MAX
            )
        except ProtocolError as error:
            await self._forget(effect.disclosure, effect.request, effect.until, error)
            return self._result(effect.disclosure)
        except DaemonError as error:
            log.info("disclosure-not-final", event_id=short(effect.disclosure), code=error.code)
        return self._result(effect.disclosure, is_pending=True)

    async def _submit_once(self, effect: SubmitDisclosure) -> DisclosureFinal | DisclosureFailed:
        signed = self._sign(effect)
        identifier = event_id(signed.event, self._node.network)
        disclosure = effect.disclosure
        remembered = Remembered(identifier, disclosure.basis, effect.release, effect.others)
        await trio.to_thread.run_sync(
            self._releases.put, disclosure.request, disclosure.request_until, remembered
        )
        try:
            await self._node.submit(signed)
        except CounterGap:
            raise
        except ProtocolError as error:
            await self._forget(identifier, disclosure.request, disclosure.request_until, error)
        except DaemonError as error:
            # It may still become final: the release waits for the same request to come again.
            log.warning("disclosure-not-final", event_id=short(identifier), code=error.code)
            return self._result(identifier, is_pending=True)
        return self._result(identifier)

    async def _forget(
        self, disclosure: EventId, request: Commitment, until: Timestamp, error: ProtocolError
    ) -> None:
        """The network refused the disclosure for good: its release will never leave."""
        log.warning("disclosure-refused", event_id=short(disclosure), code=error.code)
        await trio.to_thread.run_sync(self._releases.drop, request, until)

    def _sign(self, effect: SubmitDisclosure) -> SignedEvent:
        counter = self._node.next_counter(effect.disclosure.subject)
        body = replace(effect.disclosure, counter=counter)
        event = Event(valid_until=effect.valid_until, body=body)
        return sign_event(event, self._node.network, self._node.keys.signing)

    def _result(
        self, disclosure: EventId, *, is_pending: bool = False
    ) -> DisclosureFinal | DisclosureFailed:
        found = find_event(self._node.store, disclosure)
        if found is None:
            return DisclosureFailed(is_pending=is_pending)
        return DisclosureFinal(disclosure, found[1])
