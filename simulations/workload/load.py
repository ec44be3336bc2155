"""What people do in the clinics of a virtual network, at the rates of the scenario.

Patients visit the clinic that keeps their records, give and withdraw permits, and are referred to
others; clinics fetch what they are permitted, and in an emergency what they are not. All of it is
drawn from one seed. What somebody does rests on what their own node shows at that moment, as in
real life; so some of it is refused, and some is overtaken by what others did.
"""

from collections.abc import Callable
from functools import partial
from random import Random

from protocol.events import Disclosure, EmergencyBasis, EventId, Verdict, event_id
from protocol.terms import DirectiveKind, Purpose
from simulations.scenario.model import Load
from simulations.workload.arrivals import Arrivals
from simulations.workload.clinic import EVENT_LIFETIME, Clinic
from simulations.workload.day import BUSIEST, busyness, emergency_busyness
from simulations.workload.news import FetchEnded, News, Tell, WithdrawalGiven
from simulations.workload.patients import Choice, Patient, Permit, Wish, directive, withdrawal
from simulations.world.clock import EPOCH_START
from simulations.world.world import World

RESTRICTION_SHARE = 0.1
"""Of all directives."""
STRANGER_SHARE = 0.05
"""Of all fetches: those for which there is no permit, and which must be refused."""
CHANGED_MIND_SHARE = 0.5
"""Of all withdrawals: those that hit a fetch under way, if there is one."""
GIVEN_ELSEWHERE_SHARE = 0.3
"""Of all consents: those given at a clinic that is not the custodian."""
TRAVEL = 2_000
"""From one clinic to the other, in milliseconds; at this pace nobody waits for the result."""
FINAL_WITHIN = 120_000
"""How long somebody waits for a permit to count before giving up."""
REVIEWED_WITHIN = 20_000
"""How soon a privacy officer looks at an emergency, at most."""
JUSTIFICATION = "Made-up emergency: nobody was hurt, and nobody could be asked."


class Workload:
    """The people of one world. `clinics` are by the name of their node."""

    def __init__(self, world: World, clinics: dict[int, Clinic], tell: Tell) -> None:
        self.world = world
        self.clinics = clinics
        self.tell = tell
        self.load: Load = world.scenario.load
        self.random = Random(f"load {world.seed}")
        honest = [host.name for host in world.hosts if not host.is_traitor]
        founders = len(world.cast.genesis.members)
        submitters = [
            host.name for host in world.hosts_named(self.load.submit_at) if host.name < founders
        ]
        self._open = [name for name in submitters if name in honest and name in clinics]
        """Clinics whose people do something."""
        self._homes = Choice([name for name in submitters if name in clinics], self.random)
        """Where patients are at home; they do not know who is dishonest."""
        self._others = Choice([name for name in clinics if name < founders], self.random)
        self.patients: list[Patient] = []
        self.deeds: dict[str, int] = {}
        """How often what was done."""

    def plan(self) -> None:
        """Put the first of everything on the schedule."""
        if not self._open:
            return
        load, now = self.load, self._wall
        day = (lambda: busyness(now()), BUSIEST)
        day_and_night = (lambda: emergency_busyness(now()), (1 + BUSIEST) / 2)
        self._arrive(self.visit, load.records, day)
        self._arrive(self.consent, load.consents, day)
        self._arrive(self.withdraw, load.withdrawals, day)
        self._arrive(self.fetch, load.fetches, day)
        self._arrive(self.refer, load.referrals, day)
        self._arrive(self.rescue, load.emergencies, day_and_night)

    # What people do.

    def visit(self) -> None:
        """A patient is treated at home, and a record is written."""
        patient = self._patient()
        self._note("visits")
        self.clinics[patient.home].write_record(patient.key.public)

    def consent(self) -> Permit | None:
        """A patient permits, or forbids, another clinic to read."""
        patient = self._patient()
        if self.random.random() < RESTRICTION_SHARE:
            self._give(patient, DirectiveKind.RESTRICT)
            return None
        return self._give(patient, DirectiveKind.PERMIT)

    def withdraw(self) -> None:
        """A patient takes a permit back, often at the worst moment for a custodian."""
        permitted = [patient for patient in self.patients if patient.permits]
        hit = self._under_way() if self.random.random() < CHANGED_MIND_SHARE else []
        if not permitted:
            return
        patient, permit = self.random.choice(hit) if hit else self._any_permit(permitted)
        patient.permits.remove(permit)
        clinic = self.clinics[self.random.choice(self._open)]
        self._note("withdrawals")
        signed = withdrawal(
            patient, permit.consent, self.world.cast.id, until=self._wall() + EVENT_LIFETIME
        )
        self.tell(WithdrawalGiven(clinic.node.member.id, permit.consent))
        clinic.node.submit(signed)

    def fetch(self) -> None:
        """A clinic fetches what a patient permits it to; sometimes what nobody permitted."""
        patient = self._patient()
        if self.random.random() < STRANGER_SHARE:
            stranger = self._another(patient.home)
            if stranger is not None:
                self._ask(stranger, patient, Purpose.TREAT)
        elif patient.permits:
            permit = self.random.choice(patient.permits)
            self._ask(permit.recipient, patient, Purpose.TREAT, consent=permit.consent)
        else:
            self._give_and_fetch(patient)

    def refer(self) -> None:
        """A patient is sent on: the report is written, permitted, fetched, and answered."""
        patient = self._patient()
        self._note("referrals")
        self.clinics[patient.home].write_record(patient.key.public)
        self._give_and_fetch(patient, is_referral=True)

    def rescue(self) -> None:
        """A clinic that nothing was permitted to must read now."""
        patient = self._patient()
        rescuer = self._another(patient.home)
        if rescuer is not None:
            self._note("emergencies")
            self._ask(rescuer, patient, Purpose.BTG, justification=JUSTIFICATION)

    def heard(self, news: News) -> None:
        """See what follows from what happened: an emergency must be reviewed."""
        if not isinstance(news, FetchEnded) or news.signed.request.purpose != Purpose.BTG:
            return
        if news.disclosure is not None:
            custodian = self.clinics[self.world.cast.names[news.custodian]]
            delay = self.random.randrange(REVIEWED_WITHIN)
            self.world.network.after(delay, self._review, custodian, news.disclosure)

    # How they do it.

    def _arrive(
        self, deed: Callable[[], object], rate: float, hours: tuple[Callable[[], float], float]
    ) -> None:
        factor, peak = hours if self.load.shifts else (lambda: 1.0, 1.0)
        network = self.world.network
        random = Random(f"{deed.__name__} {self.world.seed}")
        now, until = (lambda: self.world.now), self.world.scenario.duration
        Arrivals(network.after, now, random, deed, rate, until, factor, peak).start(self.load.start)

    def _wall(self) -> int:
        return EPOCH_START + self.world.now

    def _patient(self) -> Patient:
        """Return one of the patients; each comes into being, with a record, when first needed."""
        index = self.random.randrange(max(1, self.load.patients))
        if index < len(self.patients):
            return self.patients[index]
        home = self._homes.draw(self.random)
        assert home is not None
        number = len(self.patients)
        patient = Patient(number, home, self.world.cast.new_key(f"patient {number}"))
        self.patients.append(patient)
        self.clinics[home].write_record(patient.key.public)
        return patient

    def _another(self, home: int) -> int | None:
        return self._others.draw(self.random, but=home)

    def _give(self, patient: Patient, kind: DirectiveKind) -> Permit | None:
        recipient = self._another(patient.home)
        if recipient is None:
            return None
        wish = Wish(
            kind=kind,
            recipient=self.world.cast.parties[recipient].id,
            custodian=self.world.cast.parties[patient.home].id,
            at=self._wall(),
            until=self._wall() + EVENT_LIFETIME,
        )
        signed, opening = directive(patient, wish, self.world.cast.id)
        is_elsewhere = self.random.random() < GIVEN_ELSEWHERE_SHARE
        is_at_home = not is_elsewhere and patient.home in self._open
        place = patient.home if is_at_home else self.random.choice(self._open)
        clinic = self.clinics[place]
        if not clinic.node.is_up:
            return None  # Nobody can be served there now.
        self._note("consents")
        clinic.deliver(signed, opening, wish.custodian)
        clinic.node.submit(signed)
        if kind == DirectiveKind.RESTRICT:
            return None
        if wish.recipient not in (clinic.node.member.id, wish.custodian):
            clinic.deliver(signed, opening, wish.recipient)
        permit = Permit(opening.terms.consent, recipient, signed)
        patient.permits.append(permit)
        return permit

    def _give_and_fetch(self, patient: Patient, *, is_referral: bool = False) -> None:
        """Give a permit, and fetch when the clinic that it is for sees it on its chain."""
        permit = self._give(patient, DirectiveKind.PERMIT)
        if permit is None:
            return
        clinic = self.clinics[permit.recipient]
        if not clinic.node.is_up:
            return
        given = event_id(permit.given.event, self.world.cast.id)
        then = partial(self._permitted, patient, permit, given, is_referral)
        clinic.waiting.wait(given, FINAL_WITHIN, lambda _: then())

    def _permitted(
        self, patient: Patient, permit: Permit, given: EventId, is_referral: bool
    ) -> None:
        clinic = self.clinics[permit.recipient]
        if clinic.node.find(given) is None:
            return
        ask = partial(self._ask, permit.recipient, patient, Purpose.TREAT, consent=permit.consent)
        if is_referral:
            clinic.node.later(TRAVEL, ask)
            guest = self.world.cast.new_key(f"guest {permit.consent.hex()}")
            clinic.node.later(2 * TRAVEL, partial(clinic.write_record, guest.public))
        else:
            ask()

    def _ask(
        self,
        requester: int,
        patient: Patient,
        purpose: Purpose,
        *,
        consent: bytes | None = None,
        justification: str = "",
    ) -> None:
        self._note("fetches")
        clinic = self.clinics[requester]
        custodian = self.world.cast.parties[patient.home].id
        signed = clinic.request(
            custodian,
            patient.key.public,
            purpose=purpose,
            consent=consent,
            justification=justification,
        )
        clinic.requester.fetch(custodian, signed)

    def _review(self, custodian: Clinic, disclosure: EventId) -> None:
        """What a permit covered is no emergency, whatever the requester called it."""
        found = custodian.node.find(disclosure)
        body = None if found is None else found[0].event.body
        if isinstance(body, Disclosure) and isinstance(body.basis, EmergencyBasis):
            self._note("reviews")
            custodian.review(disclosure, Verdict.JUSTIFIED)

    def _under_way(self) -> list[tuple[Patient, Permit]]:
        """Return the permits under which somebody fetches right now."""
        cited = {
            consent for clinic in self.clinics.values() for consent in clinic.requester.cited()
        }
        return [
            (patient, permit)
            for patient in self.patients
            for permit in patient.permits
            if permit.consent in cited
        ]

    def _any_permit(self, permitted: list[Patient]) -> tuple[Patient, Permit]:
        patient = self.random.choice(permitted)
        return patient, self.random.choice(patient.permits)

    def _note(self, deed: str) -> None:
        self.deeds[deed] = self.deeds.get(deed, 0) + 1
