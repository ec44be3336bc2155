"""Fetches records from a custodian, with as many requests as it takes."""

import secrets
from dataclasses import dataclass
from pathlib import Path

import trio

from daemon.librarian.downloads import Fetched
from daemon.librarian.fetch import RecordFetch, Report, Target
from daemon.librarian.fetch_errors import NoSuchFolder, OwnRecords
from daemon.librarian.limits import RecordLimits
from daemon.librarian.node import LibrarianNode
from daemon.receipts import Receipts
from protocol.envelope import ENVELOPES_MAX
from protocol.events import ConsentId, EventId
from protocol.identity import MemberId, SubjectId
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


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one disclosure brought."""

    disclosure: EventId
    records: tuple[Fetched, ...]


class RecordRequester:
    """Gets records from custodians."""

    def __init__(self, node: LibrarianNode, receipts: Receipts, limits: RecordLimits) -> None:
        self._node = node
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
        target = Target(order.custodian, folder, keep, report, self._limits)
        with self._limits.fetching():
            return await self._fetch(order, target)

    async def _fetch(self, order: Order, target: Target) -> list[Delivered]:
        waiting = _parts(order.records) or [()]
        delivered: list[Delivered] = []
        while waiting and len(delivered) < REQUESTS_MAX:
            signed = self.sign(order, waiting.pop(0))
            with RecordFetch(self._node, self._receipts, signed, target) as fetch:
                conclude = await fetch.run()
                assert conclude.disclosure is not None
                delivered.append(Delivered(conclude.disclosure, fetch.fetched))
            waiting += _parts(conclude.others)
        return delivered

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


def _parts(records: tuple[RecordId, ...]) -> list[tuple[RecordId, ...]]:
    starts = range(0, len(records), ENVELOPES_MAX)
    return [records[start : start + ENVELOPES_MAX] for start in starts]
