"""No key leaves a custodian, or is opened, but for a disclosure that all can see.

Looked at is each release at the moment when it leaves: its disclosure is final where it leaves,
says what is released to whom, and cites no consent of which the custodian knows that it was
withdrawn. At the end each custodian's audit must show what it released, all of it and no more, and
the chain must say the same: the longest one, as a custodian that lost its disk may have no chain.
"""

from protocol.audit import HandedOver
from protocol.envelope import release_digest
from protocol.events import (
    ConsentBasis,
    ConsentId,
    ConsentWithdrawn,
    Disclosure,
    EmergencyBasis,
    EventId,
    SignedEvent,
    event_id,
)
from protocol.identity import MemberId
from protocol.terms import EMERGENCY_PURPOSES
from simulations.checkers.watch import Watch
from simulations.workload.news import FetchEnded, KeysOpened, KeysSent, News
from simulations.workload.people import People
from simulations.world.core_host import CoreHost


class Releases:
    """Follows keys from custodians to requesters."""

    def __init__(self, watch: Watch, people: People) -> None:
        self.watch = watch
        self.people = people
        self._withdrawals: dict[ConsentId, list[EventId]] = {}
        """All events that withdraw a consent, whoever gave them to whom."""
        self._released: dict[MemberId, dict[EventId, None]] = {}
        self._opened: dict[tuple[MemberId, EventId], None] = {}
        people.listeners.append(self._heard)
        for host in watch.world.hosts:
            host.on_submit.append(self._submitted)

    def _submitted(self, _: CoreHost, signed: SignedEvent) -> None:
        body = signed.event.body
        if isinstance(body, ConsentWithdrawn):
            identifier = event_id(signed.event, self.watch.world.cast.id)
            self._withdrawals.setdefault(body.consent, []).append(identifier)

    def _heard(self, news: News) -> None:
        match news:
            case KeysSent(custodian=custodian):
                host = self._host(custodian)
                if not host.is_traitor:
                    self._released.setdefault(custodian, {})[news.granted.disclosure] = None
                    self._check_sent(host, news)
            case KeysOpened(requester=requester):
                host = self._host(requester)
                if not host.is_traitor:
                    self._opened[requester, news.disclosure] = None
                    self._check_opened(host, news)
            case FetchEnded(requester=requester, ending="done", disclosure=disclosure):
                is_honest = not self._host(requester).is_traitor
                if is_honest and (requester, disclosure) not in self._opened:
                    self.watch.report(self, "a fetch is done without a key", self._host(requester))
            case _:
                pass

    def _check_sent(self, host: CoreHost, news: KeysSent) -> None:
        granted = news.granted
        body = self._final(host, granted.disclosure)
        if body is None:
            self.watch.report(self, "a key leaves before its disclosure is final", host)
            return
        said = (body.custodian, body.requester, body.request, body.release)
        done = (
            news.custodian,
            news.requester,
            news.signed.commitment,
            release_digest(granted.release),
        )
        if said != done:
            self.watch.report(self, "a release is not the one of its disclosure", host)
        self._check_basis(host, news, body)

    def _check_basis(self, host: CoreHost, news: KeysSent, body: Disclosure) -> None:
        if isinstance(body.basis, ConsentBasis) and self._is_withdrawn(host, body.basis.consent):
            self.watch.report(self, "a key leaves after its consent was seen withdrawn", host)
        is_emergency = news.signed.request.purpose in EMERGENCY_PURPOSES
        if isinstance(body.basis, EmergencyBasis) and not is_emergency:
            self.watch.report(self, "an emergency is cited that nobody claimed", host)

    def _check_opened(self, host: CoreHost, news: KeysOpened) -> None:
        body = self._final(host, news.disclosure)
        if body is None:
            self.watch.report(self, "a key is opened whose disclosure is not final here", host)
        elif (body.requester, body.custodian) != (news.requester, news.custodian):
            self.watch.report(self, "a key is opened that was disclosed to somebody else", host)

    def _is_withdrawn(self, host: CoreHost, consent: ConsentId) -> bool:
        """Say whether the node knows a withdrawal: it is in its chain, or waits for a block."""
        pending = host.core.mempool
        return any(
            identifier in host.disk.final or pending.contains(identifier)
            for identifier in self._withdrawals.get(consent, ())
        )

    def at_end(self) -> None:
        """Compare what was released with what custodians would show their patients."""
        for clinic in self.people.clinics.values():
            host = self._host(clinic.node.member.id)
            if host.is_traitor:
                continue
            audit = [each for each in clinic.custodian.audit if isinstance(each, HandedOver)]
            shown = dict.fromkeys(each.disclosure for each in audit)
            if shown != self._released.get(clinic.node.member.id, {}):
                self.watch.report(self, "the audit does not show what was released", host)
            for entry in audit:
                body = self._final(self.watch.world.witness, entry.disclosure)
                if body is None or body.requester != entry.requester:
                    self.watch.report(self, "the audit shows what the chain does not", host)

    def _host(self, member: MemberId) -> CoreHost:
        return self.watch.world.hosts[self.watch.world.cast.names[member]]

    def _final(self, host: CoreHost, disclosure: EventId) -> Disclosure | None:
        """Return the disclosure, if it is final at the node."""
        found = self.people.clinics[host.name].node.find(disclosure)
        body = None if found is None else found[0].event.body
        return body if isinstance(body, Disclosure) else None
