"""When faults begin and end: at a time, on a condition, after a while, or when faults are over."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from protocol.effects import StoreBlocks
from simulations.errors import ScenarioInvalid
from simulations.scenario.model import Fault
from simulations.world.core_host import CoreHost
from simulations.world.faults import authorities, clocks, disks, links, members, processes, recovery
from simulations.world.faults.draw import draw_faults
from simulations.world.faults.habits import draw_habits
from simulations.world.world import World

End = Callable[[], None]
Start = Callable[[World, Fault], End]

KINDS: dict[str, Start] = {
    "partition": links.partition,
    "cut": links.cut,
    "eclipse": links.eclipse,
    "flap": links.flap,
    "clog": links.clog,
    "link": links.link,
    "lose-kind": links.lose_kind,
    "reset": links.reset,
    "unreachable": links.unreachable,
    "crash": processes.crash,
    "restart": processes.restart,
    "rolling-restart": processes.rolling_restart,
    "pause": processes.pause,
    "slow-cpu": processes.slow_cpu,
    "disk-full": disks.disk_full,
    "disk-error": disks.disk_error,
    "slow-fsync": disks.slow_fsync,
    "stall": disks.stall,
    "restore-backup": disks.restore_backup,
    "lose-disk": disks.lose_disk,
    "bit-flip": disks.bit_flip,
    "store-stall": disks.store_stall,
    "misread": disks.misread,
    "recovery": recovery.recovery,
    "skew": clocks.skew,
    "clock-jump": clocks.clock_jump,
    "clock-stop": clocks.clock_stop,
    "clock-drift": clocks.clock_drift,
    "member-change": members.member_change,
    "authority-change": authorities.authority_change,
}
RANDOM = "random"
"""The kind of fault that stands for many, drawn from the seed."""


@dataclass(slots=True)
class Faults:
    """The faults of a world. They all end when the scenario's duration is over."""

    world: World
    is_over: bool = False
    _ends: dict[int, End] = field(default_factory=dict)
    _count: int = 0

    def plan(self) -> None:
        world = self.world
        if any(fault.kind == RANDOM for fault in world.scenario.faults):
            draw_habits(world)
        for fault in world.scenario.faults:
            drawn = draw_faults(world.scenario, world.seed, fault) if fault.kind == RANDOM else ()
            for each in drawn or (fault,):
                self._plan(each)
        world.network.after(world.scenario.duration, self.end)

    def end(self) -> None:
        """Heal everything, and let those start who are down."""
        self.is_over = True
        for number in list(self._ends):
            self._end(number)
        self.world.network.losses.clear()
        for host in self.world.hosts:
            host.kill_at, host.stall = None, 0
            host.is_disk_failing = False
            host.start()
        self.world.swarm.reconsider()

    def _plan(self, fault: Fault) -> None:
        if fault.kind == RANDOM:
            return  # Nothing was drawn.
        if fault.kind not in KINDS:
            raise ScenarioInvalid(f"there is no fault of kind {fault.kind}")
        if fault.when is None:
            self.world.network.after(fault.at or 0, self._begin, fault)
        else:
            _await(self.world, fault, self._begin)

    def _begin(self, fault: Fault) -> None:
        if self.is_over:
            return
        self._count += 1
        number = self._count
        self.world.coverage[f"fault:{fault.kind}{'-' + fault.action if fault.action else ''}"] += 1
        for host in self.world.hosts_named(fault.nodes) if self.world.listener else ():
            self.world.tell("fault", host, text=fault.kind)
        self._ends[number] = KINDS[fault.kind](self.world, fault)
        if fault.duration:
            self.world.network.after(fault.duration, self._end, number)

    def _end(self, number: int) -> None:
        end = self._ends.pop(number, None)
        if end is not None:
            end()


def _await(world: World, fault: Fault, begin: Callable[[Fault], None]) -> None:
    """Begin once, as soon as any node has what the condition asks for."""
    has_begun = False

    def look(host: CoreHost, effect: Any) -> None:
        nonlocal has_begun
        if not has_begun and _holds(host, effect, fault):
            has_begun = True
            world.network.after(0, begin, fault)

    for host in world.hosts:
        host.watchers_of.setdefault(StoreBlocks, []).append(look)


def _holds(host: CoreHost, effect: StoreBlocks, fault: Fault) -> bool:
    when = fault.when
    assert when is not None
    head = effect.finalization.blocks[-1].header
    if when.height is not None and head.height < when.height:
        return False
    if when.final_events is not None:
        final = len(host.disk.final) + len(effect.finalization.event_heights)
        if final < when.final_events:
            return False
    return when.epoch is None or head.epoch >= when.epoch
