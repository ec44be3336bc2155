"""Which adversaries there are, by the names that scenarios use, and where they sit in a world.

To add one is to write its file and to name its class here; the campaign draws from this list too.
"""

from collections.abc import Mapping
from random import Random

from simulations.adversaries.colluder import Colluder
from simulations.adversaries.deviant import Deviant
from simulations.adversaries.dishonest_clinics import (
    ReplayingRequester,
    StallingCustodian,
    UnloggedCustodian,
)
from simulations.adversaries.double_voter import (
    DoubleFinalizer,
    DoubleNotarizer,
    FinalizerNullifier,
)
from simulations.adversaries.eclipse import Eclipser
from simulations.adversaries.empty_proposer import EmptyProposer
from simulations.adversaries.equivocator import Equivocator
from simulations.adversaries.false_accuser import FalseAccuser
from simulations.adversaries.flooder import Flooder
from simulations.adversaries.forger import Forger
from simulations.adversaries.future_voter import FutureVoter
from simulations.adversaries.invalid_proposer import InvalidProposer
from simulations.adversaries.leader_hunter import LeaderHunter
from simulations.adversaries.liar import Liar
from simulations.adversaries.malformer import Malformer
from simulations.adversaries.nullifier import Nullifier
from simulations.adversaries.replayer import Replayer
from simulations.adversaries.slow_drip import SlowDrip
from simulations.adversaries.snapshot_forger import SnapshotForger
from simulations.adversaries.traitor import Traitor
from simulations.adversaries.twins import Twin
from simulations.adversaries.withholder import (
    BodyWithholder,
    CertificateWithholder,
    EventWithholder,
    VoteWithholder,
)
from simulations.adversaries.wrong_parent import WrongParent
from simulations.scenario.model import Adversary, Scenario
from simulations.world.names import Directory
from simulations.world.world import World

VOTING: tuple[type[Traitor], ...] = (
    Equivocator,
    DoubleNotarizer,
    FinalizerNullifier,
    DoubleFinalizer,
    VoteWithholder,
    CertificateWithholder,
    BodyWithholder,
    Nullifier,
    InvalidProposer,
    EmptyProposer,
    WrongParent,
    FutureVoter,
    Twin,
    LeaderHunter,
    Colluder,
    Eclipser,
    Deviant,
)
"""Those that only an authority can be."""

ANYBODY: tuple[type[Traitor], ...] = (
    EventWithholder,
    Forger,
    Malformer,
    Replayer,
    SlowDrip,
    Liar,
    SnapshotForger,
    FalseAccuser,
    Flooder,
    StallingCustodian,
    UnloggedCustodian,
    ReplayingRequester,
)
"""Those that any member can be."""

KINDS: Mapping[str, type[Traitor]] = {each.kind: each for each in (*VOTING, *ANYBODY)}


class UnknownAdversary(Exception):
    """A scenario asks for an adversary that there is not."""


def draw(random: Random, authorities: int, members: int) -> tuple[Adversary, ...]:
    """Return adversaries for a random run: never more authorities among them than may lie."""
    faulty_max = (authorities - 1) // 3
    chosen: list[Adversary] = []
    if faulty_max and random.random() < 0.7:
        kind = random.choice([each.kind for each in (*VOTING, *ANYBODY)])
        places = random.sample(range(authorities), random.randint(1, faulty_max))
        chosen.append(Adversary(kind=kind, nodes=_labels("authority", places)))
    if members >= 2 and random.random() < 0.4:
        kind = random.choice([each.kind for each in ANYBODY])
        places = [random.randrange(members)]
        chosen.append(Adversary(kind=kind, nodes=_labels("member", places)))
    return tuple(chosen)


def traitors(scenario: Scenario) -> dict[int, type[Traitor]]:
    """Return what runs in place of an honest node, by place. Raises `UnknownAdversary`."""
    network = scenario.network
    labels = [
        *(f"authority-{number}" for number in range(network.authorities)),
        *(f"member-{number}" for number in range(network.members)),
    ]
    directory = Directory(labels, scenario.groups, scenario.regions)
    found: dict[int, type[Traitor]] = {}
    for adversary in scenario.adversaries:
        kind = KINDS.get(adversary.kind)
        if kind is None:
            raise UnknownAdversary(f"there is no adversary {adversary.kind}")
        found |= dict.fromkeys(directory.places(adversary.nodes), kind)
    return found


def enter_traitors(world: World) -> None:
    """Let all traitors take their places, when all hosts of the world are made."""
    for adversary in world.scenario.adversaries:
        for host in world.hosts_named(adversary.nodes):
            assert isinstance(host, Traitor)
            host.acts_from = adversary.from_
    for host in list(world.hosts):
        if isinstance(host, Traitor):
            host.enter(world)


def _labels(kind: str, places: list[int]) -> tuple[str, ...]:
    return tuple(f"{kind}-{place}" for place in sorted(places))
