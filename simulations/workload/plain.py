"""A plain workload: events as clients of the nodes submit them, without talking to each other.

What a client does rests on what its own node shows it at that moment, as in real life; so some of
it is refused, and some is overtaken by what others did. The rates are those of the scenario.
"""

from dataclasses import dataclass, field
from random import Random

from protocol.codec import MILLISECONDS_PER_DAY
from protocol.events import ConsentBasis, EmergencyBasis, SignedEvent
from protocol.identity import SigningKey
from protocol.state import consent_entry, subject_entry
from simulations.world.clock import EPOCH_START
from simulations.world.core_host import CoreHost
from simulations.world.deeds import (
    consent_given,
    consent_withdrawn,
    disclosure,
    records_committed,
    token,
)
from simulations.world.world import World

EVENT_LIFETIME = 3_600_000
CONSENT_DAYS = 30


@dataclass(slots=True)
class Patient:
    """A patient towards one custodian."""

    key: SigningKey
    custodian: int
    consents: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Workload:
    """Submits events. `submitters` are the hosts whose clients do something."""

    world: World
    random: Random
    submitters: list[CoreHost]
    patients: list[Patient] = field(default_factory=list)
    count: int = 0

    def plan(self) -> None:
        """Put everything on the schedule, from the load's start to the end of the duration."""
        load, scenario = self.world.scenario.load, self.world.scenario
        deeds = {
            self.give: load.consents,
            self.withdraw: load.withdrawals,
            self.disclose: load.fetches,
            self.disclose_in_emergency: load.emergencies,
            self.commit_records: load.records,
        }
        for deed, rate in deeds.items():
            at = float(load.start)
            while rate > 0:
                at += self.random.expovariate(rate) * 1_000
                if at >= scenario.duration:
                    break
                self.world.network.after(int(at), deed)

    def summary(self) -> dict[str, float]:
        """Nothing is counted here: people only submit events."""
        return {}

    def give(self) -> None:
        self.count += 1
        patient = self._patient()
        consent = token(f"consent {self.count}", 16)
        patient.consents.append(consent)
        self.world.hosts[patient.custodian].submit(
            consent_given(
                self.world.cast,
                patient.key,
                self.world.cast.parties[patient.custodian],
                consent=consent,
                expiry_day=EPOCH_START // MILLISECONDS_PER_DAY + CONSENT_DAYS,
                valid_until=self._valid_until,
            )
        )

    def withdraw(self) -> None:
        self.count += 1
        giving = [patient for patient in self.patients if patient.consents]
        if not giving:
            return
        patient = self.random.choice(giving)
        consent = patient.consents.pop(self.random.randrange(len(patient.consents)))
        self._someone().submit(
            consent_withdrawn(
                self.world.cast, patient.key, consent=consent, valid_until=self._valid_until
            )
        )

    def disclose(self) -> None:
        """Disclose with a consent, if the custodian's node knows one that counts."""
        self.count += 1
        if not self.patients:
            return
        patient = self.random.choice(self.patients)
        host = self.world.hosts[patient.custodian]
        if host.is_up and (cited := self._cited(host, patient)):
            host.submit(self._disclosure(host, patient, ConsentBasis(self.random.choice(cited))))

    def disclose_in_emergency(self) -> None:
        self.count += 1
        patient = self._patient()
        host = self.world.hosts[patient.custodian]
        if host.is_up:
            host.submit(self._disclosure(host, patient, EmergencyBasis()))

    def commit_records(self) -> None:
        self.count += 1
        host = self._someone()
        host.submit(
            records_committed(
                self.world.cast,
                self.world.cast.parties[host.name],
                root=token(f"root {self.count}"),
                valid_until=self._valid_until,
            )
        )

    @property
    def _valid_until(self) -> int:
        return EPOCH_START + self.world.now + EVENT_LIFETIME

    def _someone(self) -> CoreHost:
        return self.random.choice(self.submitters)

    def _patient(self) -> Patient:
        """Return one of the patients; each comes into being when it is first needed."""
        index = self.random.randrange(max(1, self.world.scenario.load.patients))
        if index < len(self.patients):
            return self.patients[index]
        key = self.world.cast.new_key(f"patient {len(self.patients)}")
        self.patients.append(Patient(key, self._someone().name))
        return self.patients[-1]

    def _cited(self, host: CoreHost, patient: Patient) -> list[bytes]:
        core = host.core
        return [
            consent
            for consent in patient.consents
            if (known := consent_entry(core.state, consent)) is not None
            and known.withdrawn_height is None
            and not core.is_withdrawn(consent)
        ]

    def _disclosure(
        self, host: CoreHost, patient: Patient, basis: ConsentBasis | EmergencyBasis
    ) -> SignedEvent:
        subject = patient.key.public
        entry = subject_entry(host.core.state, subject)
        final = 0 if entry is None else entry.disclosure_count
        others = [other for other in self.world.hosts if other is not host]
        return disclosure(
            self.world.cast,
            patient.key,
            self.world.cast.parties[host.name],
            self.world.cast.parties[self.random.choice(others).name],
            counter=final + host.core.mempool.pending_disclosures(subject) + 1,
            basis=basis,
            request=token(f"request {self.count}"),
            valid_until=self._valid_until,
        )


def plan_load(world: World) -> Workload:
    """Make the workload of the world's scenario, and put it on the schedule."""
    submitters = world.hosts_named(world.scenario.load.submit_at)
    honest = [host for host in submitters if not host.is_traitor]
    workload = Workload(world, Random(f"load {world.seed}"), honest)
    workload.plan()
    return workload
