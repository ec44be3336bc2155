"""Opens a clinic at each node of a world, and sets its people to work."""

from collections.abc import Callable
from dataclasses import dataclass, field

from simulations.workload.clinic import Clinic
from simulations.workload.figures import Figures
from simulations.workload.host_node import HostNode, MakeClinic
from simulations.workload.load import Workload
from simulations.workload.news import News
from simulations.world.world import World

Listen = Callable[[News], None]


@dataclass(slots=True)
class People:
    """All clinics of a world, by the name of their node. `listeners` hear all news."""

    world: World
    clinics: dict[int, Clinic] = field(default_factory=dict)
    listeners: list[Listen] = field(default_factory=list)
    figures: Figures = field(init=False)
    workload: Workload = field(init=False)

    def __post_init__(self) -> None:
        self.figures = Figures(self.world)
        self.listeners.append(self.figures.heard)

    def summary(self) -> dict[str, float]:
        return self.figures.summary()

    def tell(self, news: News) -> None:
        for listen in self.listeners:
            listen(news)


def plan_people(world: World) -> People:
    """Open a clinic at each node, and put what people do on the schedule."""
    people = People(world)
    for host in world.hosts:
        if host.place != host.name:
            continue  # The second process of somebody's key is nobody's clinic.
        make_clinic: MakeClinic = host.clinic or Clinic
        people.clinics[host.name] = HostNode(world, host).open(make_clinic, people.tell)
        if not host.is_traitor:
            people.figures.watch(host)
    people.workload = Workload(world, people.clinics, people.tell)
    people.listeners.append(people.workload.heard)
    people.workload.plan()
    return people
