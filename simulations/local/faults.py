"""What goes wrong with real daemons, and when: by signals to processes, and by cut or slow links.

    crash            SIGKILL; started again at the end of the fault
    restart          SIGTERM; started again after `amount` milliseconds (by default a second)
    rolling-restart  the same, one after the other of `nodes`
    pause            SIGSTOP; SIGCONT at the end of the fault
    partition        `nodes` and all others hear nothing of each other
    cut              the first of `nodes` and the rest of them hear nothing of each other
    link             the links of the fault's `link` are as it says
    move             `nodes` have other addresses from now on, at which their peers must find them
    random           many of all these, as `simulations.local.draw` makes them of the seed

A partition or a cut that is one-way leaves connections half open: one side hears, the other does
not.

Faults of clocks, disks and processors would need more than signals: a scenario with them is refused
rather than run without them.
"""

import heapq
import itertools
import signal
from collections.abc import Callable, Iterator
from functools import partial

from simulations.errors import SimulationError
from simulations.local.daemons import Daemon, Daemons
from simulations.local.draw import BY_SIGNALS, RANDOM, drawn_faults
from simulations.local.shaping import Shaping
from simulations.scenario.model import Fault, Scenario
from simulations.scenario.names import nodes_of
from simulations.world.links import Cut, Gap

BY_LINKS = frozenset({"partition", "cut", "link", "move", RANDOM})

RESTART_DOWN = 1_000

Move = Callable[[str], None]
"""Gives a node another address."""
Action = Callable[[], None]
Told = Callable[[str, str, str], None]
"""Hears the kind of a trace event, the node, and a text."""


class NotLocal(SimulationError):
    """The scenario has something that real daemons cannot be made to go through."""

    code = "not-local"
    next_step = 'Run it with mode = "virtual", or without that.'


def check_local(scenario: Scenario, *, has_links: bool) -> None:
    """Raise `NotLocal` if real daemons cannot play the scenario here."""
    if scenario.adversaries:
        raise NotLocal("real daemons run the honest code: there can be no adversaries")
    for fault in scenario.faults:
        if fault.kind not in BY_SIGNALS | BY_LINKS:
            raise NotLocal(f"there is no `{fault.kind}` for real daemons")
        if fault.at is None and fault.kind != RANDOM:
            raise NotLocal(f"the {fault.kind} of real daemons needs a time (`at`)")
        if fault.kind in BY_LINKS and not has_links:
            raise NotLocal(f"a {fault.kind} needs network namespaces, which there are none of here")


class Faults:
    """The plan of a run: what to do next, and when, in milliseconds from its begin."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        daemons: Daemons,
        shaping: Shaping,
        *,
        move: Move,
        told: Told,
    ) -> None:
        self._scenario = scenario
        self._daemons = daemons
        self._shaping = shaping
        self._move = move
        self._told = told
        self._order = itertools.count()
        self._planned: list[tuple[int, int, Action]] = []
        for fault in drawn_faults(scenario, seed):
            assert fault.at is not None
            self._plan(fault.at, partial(self._begin, fault))

    def next_at(self) -> int | None:
        return self._planned[0][0] if self._planned else None

    def advance(self, now: int) -> None:
        """Do all that is due."""
        while self._planned and self._planned[0][0] <= now:
            _, _, action = heapq.heappop(self._planned)
            action()

    def _plan(self, at: int, action: Action) -> None:
        heapq.heappush(self._planned, (at, next(self._order), action))

    def _begin(self, fault: Fault) -> None:
        assert fault.at is not None
        end = fault.at + fault.duration if fault.duration else self._scenario.duration
        match fault.kind:
            case "crash":
                for node in self._nodes(fault):
                    node.stop(signal.SIGKILL)
                    self._told("crash", node.name, "SIGKILL")
                    self._plan(end, partial(self._start, node))
            case "restart" | "rolling-restart":
                down = int(fault.amount) or RESTART_DOWN
                pause = 3 * down if fault.kind == "rolling-restart" else 0
                for number, node in enumerate(self._nodes(fault)):
                    self._plan(fault.at + number * pause, partial(self._stop, node))
                    self._plan(fault.at + number * pause + down, partial(self._start, node))
            case "pause":
                for node in self._nodes(fault):
                    node.send(signal.SIGSTOP)
                    self._told("fault", node.name, "SIGSTOP")
                    self._plan(end, partial(self._resume, node))
            case "move":
                for node in self._nodes(fault):
                    self._move(node.name)
                    self._told("fault", node.name, "move")
            case _:
                self._change_links(fault, end)

    def _change_links(self, fault: Fault, end: int) -> None:
        name = ", ".join(fault.nodes) or "links"
        self._told("fault", name, fault.kind)
        if fault.kind == "link":
            assert fault.link is not None
            rule = self._shaping.rule_of(fault.link)
            self._shaping.add_rule(rule)
            self._plan(end, partial(self._shaping.remove_rule, rule))
            return
        for cut in self._cuts(fault):
            self._shaping.add_cut(cut)
            self._plan(end, partial(self._shaping.remove_cut, cut))

    def _cuts(self, fault: Fault) -> Iterator[Cut | Gap]:
        places = self._shaping.places(*fault.nodes)
        if fault.kind == "partition":
            yield Cut(places, fault.is_one_way)
            return
        first = self._shaping.places(fault.nodes[0])
        yield Gap(first, places - first, fault.is_one_way)

    def _stop(self, node: Daemon) -> None:
        node.stop(signal.SIGTERM)
        self._told("crash", node.name, "SIGTERM")

    def _start(self, node: Daemon) -> None:
        node.start()
        self._told("start", node.name, "")

    def _resume(self, node: Daemon) -> None:
        node.send(signal.SIGCONT)
        self._told("fault", node.name, "SIGCONT")

    def _nodes(self, fault: Fault) -> list[Daemon]:
        return [self._daemons[name] for name in nodes_of(self._scenario, fault.nodes)]
