"""Clinics that cheat in the exchange of records, at nodes that follow the rules of the chain.

    stalling-custodian   permits, and then never answers
    unlogged-custodian   hands over keys with a disclosure that it never submitted
    replaying-requester  sends its old requests again, to everybody, and after the permit is gone

Met by: a requester gives up, and can put its request on the chain; it opens nothing that its own
chain does not show as disclosed; a request is disclosed once, names its requester and its
custodian, and a custodian decides again each time.
"""

from functools import partial
from typing import Any, ClassVar

from protocol.events import Event, event_id, sign_event
from protocol.release import Granted
from protocol.release_effects import Effect, HandOver, Input, SubmitDisclosure
from protocol.request import SignedRequest
from simulations.adversaries.traitor import Traitor
from simulations.workload.clinic import Clinic
from simulations.workload.custodian import Conversation, CustodianDesk
from simulations.workload.frames import asked
from simulations.workload.news import KeysSent
from simulations.workload.requester import RequesterDesk

REPLAY_AFTER = (1_000, 8_000)
REPLAYS_MAX = 40
REPLAY_STREAM = 1 << 40
"""Streams of replays, apart from all others."""


class StallingConversation(Conversation):
    def carry_out(self, effect: Effect) -> list[Input]:
        return [] if isinstance(effect, SubmitDisclosure | HandOver) else super().carry_out(effect)


class UnloggedConversation(Conversation):
    """Sends the keys when it should submit the disclosure."""

    def carry_out(self, effect: Effect) -> list[Input]:
        if not isinstance(effect, SubmitDisclosure):
            return super().carry_out(effect)
        node = self.desk.node
        event = Event(valid_until=effect.valid_until, body=effect.disclosure)
        signed = sign_event(event, node.network, node.key)
        granted = Granted(event_id(signed.event, node.network), effect.release, effect.others)
        self.desk.tell(KeysSent(node.member.id, self.stream[0], granted, self.signed))
        self.desk.say(self.stream, granted)
        return []


class StallingDesk(CustodianDesk):
    def converse(self, stream: Any, exchange: Any) -> Conversation:
        return StallingConversation(self, stream, exchange)


class UnloggedDesk(CustodianDesk):
    def converse(self, stream: Any, exchange: Any) -> Conversation:
        return UnloggedConversation(self, stream, exchange)


class ReplayingDesk(RequesterDesk):
    """Repeats each request, to its custodian and to others."""

    replays: int = 0

    def fetch(self, custodian: bytes, signed: SignedRequest) -> None:
        super().fetch(custodian, signed)
        for delay in REPLAY_AFTER:
            if self.replays < REPLAYS_MAX:
                self.replays += 1
                self.node.later(delay, partial(self._replay, custodian, signed, self.replays))

    def _replay(self, custodian: bytes, signed: SignedRequest, number: int) -> None:
        others = [each.id for each in self.node.genesis.members if each.id != self.node.member.id]
        stream = REPLAY_STREAM + 2 * number
        self.node.say(custodian, asked(stream, signed))
        self.node.say(others[number % len(others)], asked(stream + 1, signed))


class DishonestClinic(Clinic):
    """A clinic with one dishonest desk."""

    custodian_type: ClassVar[type[CustodianDesk]] = CustodianDesk
    requester_type: ClassVar[type[RequesterDesk]] = RequesterDesk

    def make_custodian(self) -> CustodianDesk:
        return self.custodian_type(
            self.node,
            shelf=self.shelf,
            binder=self.binder,
            disclosures=self.disclosures,
            tell=self.tell,
        )

    def make_requester(self) -> RequesterDesk:
        return self.requester_type(self.node, self.waiting, self.tell)


class StallingClinic(DishonestClinic):
    custodian_type = StallingDesk


class UnloggedClinic(DishonestClinic):
    custodian_type = UnloggedDesk


class ReplayingClinic(DishonestClinic):
    requester_type = ReplayingDesk


class ClinicTraitor(Traitor):
    """The node of a dishonest clinic, itself by the rules."""

    clinic: ClassVar[type[Clinic]]


class StallingCustodian(ClinicTraitor):
    """The node of a clinic that grants requests, and then hands nothing over."""

    kind = "stalling-custodian"
    clinic = StallingClinic


class UnloggedCustodian(ClinicTraitor):
    """The node of a clinic that sends keys without putting the disclosure on the chain."""

    kind = "unlogged-custodian"
    clinic = UnloggedClinic


class ReplayingRequester(ClinicTraitor):
    """The node of a clinic that repeats its requests, to their custodian and to others."""

    kind = "replaying-requester"
    clinic = ReplayingClinic
