"""A request that comes again gives nothing new: one disclosure, one release, for one requester."""

from protocol.effects import StoreBlocks
from protocol.envelope import release_digest
from protocol.events import Commitment, Disclosure, EventId
from protocol.identity import MemberId
from simulations.checkers.watch import Watch
from simulations.workload.news import KeysSent, News
from simulations.workload.people import People
from simulations.world.core_host import CoreHost


class Replays:
    """Remembers what each request was answered with."""

    def __init__(self, watch: Watch, people: People) -> None:
        self.watch = watch
        self.repeated = 0
        """How often keys were handed over again."""
        self._answers: dict[Commitment, tuple[MemberId, EventId, bytes]] = {}
        self._disclosed: dict[tuple[MemberId, Commitment], None] = {}
        self._height = 0
        people.listeners.append(self._heard)
        watch.on_effect(StoreBlocks, self._stored)

    def _heard(self, news: News) -> None:
        if not isinstance(news, KeysSent):
            return
        host = self.watch.world.hosts[self.watch.world.cast.names[news.custodian]]
        if host.is_traitor:
            return
        answer = (news.requester, news.granted.disclosure, release_digest(news.granted.release))
        first = self._answers.setdefault(news.signed.commitment, answer)
        if first != answer:
            self.watch.report(self, "a request is answered with another release", host)
        elif first is not answer:
            self.repeated += 1
            self.watch.world.coverage["release-repeated"] += 1

    def _stored(self, host: CoreHost, effect: StoreBlocks) -> None:
        for block in effect.finalization.blocks:
            if block.header.height != self._height + 1:
                continue
            self._height += 1
            for signed in block.events:
                body = signed.event.body
                if isinstance(body, Disclosure):
                    self._disclose(host, body)

    def _disclose(self, host: CoreHost, body: Disclosure) -> None:
        if (body.requester, body.request) in self._disclosed:
            self.watch.report(self, "one request is disclosed to twice", host)
        self._disclosed[body.requester, body.request] = None
