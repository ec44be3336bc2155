"""What clients of a virtual network do: patients, custodians and authorities, from one seed.

Everything a client does rests on what its own node shows it at that moment, as in real life; so
some of it is refused, and some is overtaken by what others did.
"""

from dataclasses import dataclass, field
from random import Random

from protocol.codec import MILLISECONDS_PER_DAY
from protocol.events import ConsentBasis, EmergencyBasis, EventId, SignedEvent
from protocol.identity import SigningKey
from protocol.state import consent_entry, is_member, subject_entry
from simulations.world.cast import Cast
from simulations.world.core_host import CoreHost
from simulations.world.crypto import FastKey
from simulations.world.deeds import (
    consent_given,
    consent_withdrawn,
    disclosure,
    id_of,
    member_admitted,
    member_removed,
    records_committed,
    token,
)
from simulations.world.network import EPOCH_START

LIFETIME = 3_600_000


@dataclass(slots=True)
class Patient:
    """A patient towards one custodian."""

    key: SigningKey
    custodian: int
    consents: list[bytes] = field(default_factory=list)


@dataclass(slots=True)
class Workload:
    """Submits events at the hosts. `removable` and `newcomers` are names of parties."""

    cast: Cast
    hosts: list[CoreHost]
    random: Random
    removable: list[int] = field(default_factory=list)
    newcomers: list[int] = field(default_factory=list)
    patients: list[Patient] = field(default_factory=list)
    count: int = 0
    submitters: list[CoreHost] = field(default_factory=list)
    """Whose clients do something; all hosts, if the test does not say."""
    removals: dict[EventId, int] = field(default_factory=dict)
    admissions: dict[EventId, int] = field(default_factory=dict)

    def act(self) -> None:
        """Do one thing, now."""
        self.count += 1
        roll = self.random.random()
        if roll < 0.3 or not self.patients:
            self._give()
        elif roll < 0.45:
            self._withdraw()
        elif roll < 0.85:
            self._disclose()
        elif roll < 0.9 and self.newcomers:
            self._admit(self.newcomers.pop())
        elif roll < 0.93 and self.removable:
            self._remove(self.removable.pop())
        else:
            self._commit_records()

    @property
    def _valid_until(self) -> int:
        return EPOCH_START + self.hosts[0].network.now + LIFETIME

    def _someone(self) -> CoreHost:
        return self.random.choice(self.submitters or self.hosts)

    def _give(self) -> None:
        if self.patients and self.random.random() < 0.5:
            patient = self.random.choice(self.patients)
        else:
            key = FastKey(f"patient {len(self.patients)}".encode())
            patient = Patient(key, self._someone().name)
            self.patients.append(patient)
        consent = token(f"consent {self.count}", 16)
        patient.consents.append(consent)
        host = self._someone() if self.random.random() < 0.3 else self.hosts[patient.custodian]
        host.submit(
            consent_given(
                self.cast,
                patient.key,
                self.cast.parties[patient.custodian],
                consent=consent,
                expiry_day=EPOCH_START // MILLISECONDS_PER_DAY + 30,
                valid_until=self._valid_until,
            )
        )

    def _withdraw(self) -> None:
        patient = self.random.choice(self.patients)
        if not patient.consents:
            return
        consent = patient.consents.pop(self.random.randrange(len(patient.consents)))
        withdrawal = consent_withdrawn(
            self.cast, patient.key, consent=consent, valid_until=self._valid_until
        )
        self._someone().submit(withdrawal)

    def _disclose(self) -> None:
        patient = self.random.choice(self.patients)
        host = self.hosts[patient.custodian]
        if not host.is_up:
            return
        events = [
            self._disclosure(host, patient, step) for step in range(self.random.choice((1, 1, 3)))
        ]
        host.submit(*events)

    def _disclosure(self, host: CoreHost, patient: Patient, step: int) -> SignedEvent:
        core, subject = host.core, patient.key.public
        entry = subject_entry(core.state, subject)
        final = 0 if entry is None else entry.disclosure_count
        requester = self.random.choice([h for h in self.hosts if h is not host])
        cited = [
            consent
            for consent in patient.consents
            if (known := consent_entry(core.state, consent)) is not None
            and known.withdrawn_height is None
            and not core.is_withdrawn(consent)
        ]
        counter = final + core.mempool.pending_disclosures(subject) + 1 + step
        return disclosure(
            self.cast,
            patient.key,
            self.cast.parties[host.name],
            self.cast.parties[requester.name],
            counter=counter,
            basis=ConsentBasis(self.random.choice(cited)) if cited else EmergencyBasis(),
            request=token(f"request {self.count} {step}"),
            valid_until=self._valid_until,
        )

    def _commit_records(self) -> None:
        host = self._someone()
        host.submit(
            records_committed(
                self.cast,
                self.cast.parties[host.name],
                root=token(f"root {self.count}"),
                valid_until=self._valid_until,
            )
        )

    def _admit(self, name: int) -> None:
        sponsor = self.random.choice(self.hosts[: self.cast.authority_count])
        event = member_admitted(
            self.cast,
            self.cast.parties[name],
            self.cast.parties[sponsor.name],
            valid_until=self._valid_until,
        )
        self.admissions[id_of(self.cast, event)] = name
        sponsor.submit(event)

    def _remove(self, name: int) -> None:
        host = self.random.choice(self.hosts[: self.cast.authority_count])
        event = member_removed(
            self.cast,
            self.cast.parties[name].id,
            self.cast.authorities[: self.cast.quorum],
            valid_until=self._valid_until,
        )
        self.removals[id_of(self.cast, event)] = name
        host.submit(event)


def is_welcome(host: CoreHost, other: CoreHost) -> bool:
    """Say whether `host` takes the other's party for a member."""
    return is_member(host.disk.state, other.id)
