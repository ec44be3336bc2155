"""Fetches records from a custodian, with as many requests as it takes.

Who wants it puts the first request on the chain before the custodian hears of it: then all members
see whether a disclosure follows. What opens its commitment stays with us, in a file beside the
records.
"""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

import trio

from daemon.librarian.downloads import Fetched
from daemon.librarian.drafts import Drafts
from daemon.librarian.fetch import RecordFetch, Report, Target
from daemon.librarian.fetch_errors import (
    CustodianBusy,
    CustodianSilent,
    CustodianUnreachable,
    NoSuchFolder,
    OwnRecords,
)
from daemon.librarian.limits import RecordLimits
from daemon.librarian.node import LibrarianNode
from daemon.receipts import Receipt, Receipts
from daemon.storage.files import disk_errors, write_file
from protocol.codec import encode
from protocol.envelope import ENVELOPES_MAX
from protocol.events import AccessRequested, ConsentId, Event, EventId, event_id, sign_event
from protocol.identity import MemberId, NetworkId, SubjectId, short
from protocol.record import RecordId
from protocol.request import REQUEST_VERSION, AccessRequest, SignedRequest, sign_request
from protocol.terms import Purpose

REQUEST_LIFETIME = 3_600_000
"""How long a request may be resumed, in milliseconds."""

REQUESTS_MAX = 64
"""How many requests one order may take, of `ENVELOPES_MAX` records each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to fetch. Without `records`, all that is permitted."""

    custodian: MemberId
    subject: SubjectId
    records: tuple[RecordId, ...] = ()
    purpose: Purpose
    role: str
    consent: ConsentId | None = None
    justification: str = ""
    on_chain: bool = False
    """Whether the request is logged first, so that the custodian's silence can be shown."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one disclosure brought."""

    disclosure: EventId
    records: tuple[Fetched, ...]


class RecordRequester:
    """Gets records from custodians."""

    def __init__(
        self, node: LibrarianNode, receipts: Receipts, limits: RecordLimits, drafts: Drafts
    ) -> None:
        self._node = node
        self._drafts = drafts
        self._limits = limits
        self._receipts = receipts

    async def fetch(
        self, order: Order, folder: Path, *, keep: bool = False, report: Report | None = None
    ) -> list[Delivered]:
        """Fetch all of `order` into files in `folder`; with `keep`, keep sealed copies too.

        Raises a `DaemonError` of `daemon.librarian.fetch_errors`, or one of the disk.
        """
        if not await trio.Path(folder).is_dir():
            raise NoSuchFolder(f"There is no folder {folder}.")
        if order.custodian == self._node.me:
            raise OwnRecords("We are the custodian of these records ourselves.")
        target = Target(order.custodian, folder, keep, report, self._limits, self._drafts)
        with self._limits.fetching():
            return await self._fetch(order, target)

    async def _fetch(self, order: Order, target: Target) -> list[Delivered]:
        waiting = _parts(order.records) or [()]
        delivered: list[Delivered] = []
        if order.on_chain:
            signed = self.sign(order, waiting.pop(0))
            receipt = await self._log(order, signed, target.folder)
            try:
                delivered.append(await self._exchange(signed, target, waiting))
            except (CustodianUnreachable, CustodianBusy) as error:
                where = f"The request is in block {receipt.height}."
                raise CustodianSilent(f"{error} {where}") from error
        while waiting and len(delivered) < REQUESTS_MAX:
            signed = self.sign(order, waiting.pop(0))
            delivered.append(await self._exchange(signed, target, waiting))
        return delivered

    async def _exchange(
        self, signed: SignedRequest, target: Target, waiting: list[tuple[RecordId, ...]]
    ) -> Delivered:
        """Have one request answered; what the answer leaves out is `waiting` for another one."""
        with RecordFetch(self._node, self._receipts, signed, target) as fetch:
            conclude = await fetch.run()
            assert conclude.disclosure is not None
            waiting += _parts(conclude.others)
            return Delivered(conclude.disclosure, fetch.fetched)

    async def _log(self, order: Order, signed: SignedRequest, folder: Path) -> Receipt:
        """Put the request on the chain; what opens it is on our disk before."""
        body = AccessRequested(self._node.me, order.custodian, signed.commitment)
        event = Event(valid_until=signed.request.valid_until, body=body)
        path = folder / f"request-{short(signed.commitment)}.json"
        await trio.to_thread.run_sync(_write_opening, path, event, signed, self._node.network)
        return await self._node.submit(
            sign_event(event, self._node.network, self._node.keys.signing)
        )

    def sign(self, order: Order, records: tuple[RecordId, ...]) -> SignedRequest:
        """Return the request for `records` of an order, signed now."""
        request = AccessRequest(
            version=REQUEST_VERSION,
            subject=order.subject,
            records=records,
            purpose=order.purpose,
            role=order.role,
            consent=order.consent,
            justification=order.justification,
            valid_until=self._node.now() + REQUEST_LIFETIME,
        )
        return sign_request(
            self._node.keys.signing,
            request,
            salt=secrets.token_bytes(32),
            custodian=order.custodian,
            network=self._node.network,
        )


def _write_opening(path: Path, event: Event, signed: SignedRequest, network: NetworkId) -> None:
    """Write what proves to whoever sees it what the event asks for, and that we asked."""
    opening = {
        "event": event_id(event, network).hex(),
        "request": signed.commitment.hex(),
        "salt": signed.salt.hex(),
        "opening": encode(signed.request).hex(),
        "purpose": signed.request.purpose.value,
        "subject": signed.request.subject.hex(),
        "records": [record.hex() for record in signed.request.records],
    }
    with disk_errors("the request"):
        write_file(path, json.dumps(opening, indent=2).encode(), replace=False)


def _parts(records: tuple[RecordId, ...]) -> list[tuple[RecordId, ...]]:
    starts = range(0, len(records), ENVELOPES_MAX)
    return [records[start : start + ENVELOPES_MAX] for start in starts]
