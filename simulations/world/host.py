"""A host drives one machine as the daemon does, on a disk that forgets what was not synced.

Effects wait in a queue and are carried out one by one. At a `Persist` the queue stands still until
the disk is done; inputs go on meanwhile, and their effects wait behind. The process may be killed
before any effect: the queue is lost, of unsynced records a prefix may survive.

A subclass starts the machine from what is on disk (`boot`) and carries out what is not a `Persist`
(`carry_out`), so the same network drives the consensus machine alone or a whole node.
"""

from collections import deque
from typing import Any

from protocol.consensus import Instant, LogRecord, Persist, Persisted
from protocol.errors import ProtocolError
from simulations.world.network import Network


class Host:
    """One process with its disk. `place` tells hosts apart that share a name."""

    def __init__(self, network: Network, *, name: int, place: int) -> None:
        self.network = network
        self.name = name
        self.place = place
        self.skew = 0
        self.fsync_min = 5
        self.fsync_spread = 0
        self.is_traitor = False
        self.machine: Any = None
        self.log: list[LogRecord] = []
        """What is durable in the vote log."""
        self.timers: dict[Any, int] = {}
        self.blamed: list[tuple[int, ProtocolError]] = []
        self.halted: str | None = None
        self.effects_done = 0
        self.kill_at: int | None = None
        """Die before the effect of this number."""
        self._life = 0
        self._queue: deque[Any] = deque()
        self._syncing: tuple[LogRecord, ...] | None = None
        network.add(self)

    # What a subclass must say.

    def boot(self) -> Any:
        """Return a new machine, made of what is on disk."""
        raise NotImplementedError

    def started(self) -> None:
        """Give the machine its first inputs."""
        raise NotImplementedError

    def received(self, sender: int, message: Any) -> None:
        """Give the machine a message."""
        raise NotImplementedError

    def timer_fired(self, timer: Any) -> None:
        raise NotImplementedError

    def carry_out(self, effect: Any) -> None:
        """Do what the effect says; it is not a `Persist`."""
        raise NotImplementedError

    def check(self) -> None:
        """Look at the machine after a step."""

    # What the network and the tests call.

    @property
    def life(self) -> int:
        """Changes whenever the process starts or dies."""
        return self._life

    @property
    def is_up(self) -> bool:
        return self.machine is not None

    def start(self) -> None:
        if self.is_up or self.halted is not None:
            return
        self._life += 1
        self.machine = self.boot()
        self.started()

    def kill(self) -> None:
        """Lose everything but the disk, and of a write under way all but a prefix."""
        if self._syncing is not None:
            torn = self.network.random.randint(0, len(self._syncing))
            self.log.extend(self._syncing[:torn])
        self.machine = None
        self._life += 1
        self._queue.clear()
        self._syncing = None
        self.timers.clear()

    def restart_after(self, delay: int) -> None:
        self.kill()
        self.network.after(delay, self.start)

    def hear(self, sender: int, message: Any) -> None:
        if self.is_up:
            self.received(sender, message)

    def step(self, input: Any) -> None:
        """Give the machine an input, and do what it says as far as the disk allows."""
        if not self.is_up or self.halted is not None:
            return
        self.network.steps += 1
        try:
            effects = self.machine.step(self.now(), input)
        except ProtocolError as error:
            self.blamed.append((self.network.now, error))
            return
        if effects:
            self._queue.extend(self.prepare(effects))
            self._work()
        self.check()

    def prepare(self, effects: list[Any]) -> list[Any]:
        """Return the effects in the order of the driver: `Persisted` follows what waits for it."""
        done = [Persisted(effect.records) for effect in effects if isinstance(effect, Persist)]
        return [*effects, *done]

    def now(self) -> Instant:
        return self.network.instant(self.skew)

    def set_timer(self, timer: Any, at: int) -> None:
        """Fire once at the machine's monotonic time `at`."""
        self.timers[timer] = at
        life = self._life
        delay = max(0, at - self.now().monotonic)
        self.network.after(delay, self._fire, life, timer, at)

    def _fire(self, life: int, timer: Any, at: int) -> None:
        if life == self._life and self.timers.get(timer) == at:
            del self.timers[timer]
            self.timer_fired(timer)

    @property
    def is_idle(self) -> bool:
        """Say whether all effects are carried out."""
        return not self._queue and self._syncing is None

    def _work(self) -> None:
        while self._queue and self._syncing is None and self.is_up:
            if self.kill_at is not None and self.effects_done >= self.kill_at:
                self.kill_at = None
                self.restart_after(500)
                return
            self.effects_done += 1
            effect = self._queue.popleft()
            match effect:
                case Persist(records):
                    self._sync(records)
                case Persisted():
                    self.step(effect)
                case _:
                    self.carry_out(effect)

    def _sync(self, records: tuple[LogRecord, ...]) -> None:
        self._syncing = records
        life = self._life
        delay = self.fsync_min + self.network.random.randint(0, self.fsync_spread)
        self.network.after(delay, self._synced, life)

    def _synced(self, life: int) -> None:
        if life != self._life or self._syncing is None:
            return
        self.log.extend(self._syncing)
        self._syncing = None
        self._work()
