"""A host drives one machine as the daemon does, on a disk that forgets what was not synced.

Effects wait in a queue and are carried out one by one. At a `Persist`, and while the vote log is
pruned, the queue stands still until the disk is done; inputs go on meanwhile, and their effects
wait behind. So it does before a write to the store, if that takes none for a while. The process may
be killed before any effect: the queue is lost, of unsynced records a prefix may survive. It may
also be stopped for a while (`pause`), and its disk may refuse to write, which ends the process.

A subclass starts the machine from what is on disk (`boot`) and carries out what is not a `Persist`
(`carry_out`), so the same network drives the consensus machine alone or a whole node.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from protocol.consensus import Instant, LogRecord, Persist, Persisted
from protocol.errors import ProtocolError
from simulations.world.clock import Clock
from simulations.world.network import Network
from simulations.world.processor import Processor
from simulations.world.vote_log import Growth, PruneLog

RESTART_DELAY = 500
"""How long a process that died of itself is down, in milliseconds."""
RENAMED = 0.5
"""How often a process that dies while it prunes its log leaves the new log."""
HELD_MAX = 100_000
"""How much of what happens waits for a paused process; the rest is lost."""


class Host:
    """One process with its disk. `place` tells hosts apart that share a name."""

    is_lost: bool = False
    """Whether the machine is gone for ever."""
    is_store_locked: bool = False
    """Whether a process that starts finds the store in use, and ends."""
    store_stalled_until: int = 0
    """The store takes no write before this moment of the network's time."""
    _storing: Any = None
    """What waits for the store, with all effects behind it."""

    def __init__(self, network: Network, *, name: int, place: int) -> None:
        self.network = network
        self.name, self.place = name, place
        self.clock = Clock()
        self.fsync_min = 5
        self.fsync_spread = 0
        self.stall = 0
        """How much longer the next sync takes."""
        self.is_disk_full = False
        self.is_disk_failing = False
        """Whether the next write fails; the one after it may succeed."""
        self.is_traitor = False
        self.processor: Processor | None = None
        """A slow one, if steps take time."""
        self.machine: Any = None
        self.log: list[LogRecord] = []
        """What is durable in the vote log."""
        self.log_growth = Growth()
        self.timers: dict[Any, int] = {}
        self.blamed: list[tuple[int, ProtocolError]] = []
        self.halted: str | None = None
        self.effects_done = 0
        self.kill_at: int | None = None
        """Die before the effect of this number."""
        self.fate: Counter[str] = Counter()
        """What happened to the process, such as how often it died while it wrote."""
        self._life = 0
        self._queue: deque[Any] = deque()
        self._syncing: tuple[LogRecord, ...] | None = None
        self._held: list[tuple[Callable[..., None], tuple[Any, ...]]] | None = None
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

    @property
    def is_paused(self) -> bool:
        return self._held is not None

    def start(self) -> None:
        if self.is_up or self.halted is not None or self.is_lost:
            return
        if self.is_disk_full or self.is_store_locked:
            return
        self._life += 1
        self.machine = self.boot()
        self.log_growth.opened(self.log)
        self.started()

    def kill(self) -> None:
        """Lose everything but the disk, and of a write under way all but a prefix."""
        if self.is_up:
            self.fate["kill"] += 1
        if self._syncing is not None:
            torn = self.survivors_of(len(self._syncing))
            self.fate["torn" if 0 < torn < len(self._syncing) else "unsynced"] += 1
            self.log.extend(self._syncing[:torn])
        if self.log_growth.pruning is not None and self.network.random.random() < RENAMED:
            self.fate["pruned-unheard"] += 1
            self.log = self.log_growth.pruning.needed(self.log)
        self.machine = None
        self._life += 1
        self._queue.clear()
        self._syncing = self.log_growth.pruning = self._storing = None
        self._held = None
        self.timers.clear()
        if self.processor is not None:
            self.processor.clear()

    def survivors_of(self, count: int) -> int:
        """Return how many of so many records survive that were not synced."""
        return self.network.random.randint(0, count)

    def restart_after(self, delay: int) -> None:
        self.kill()
        self.network.after(delay, self.start)

    def pause(self) -> None:
        """Stop the process; what happens meanwhile waits for it."""
        if self.is_up and self._held is None:
            self._held = []

    def resume(self) -> None:
        if self._held is None:
            return
        held, self._held = self._held, None
        for action, arguments in held:
            action(*arguments)

    def hear(self, sender: int, message: Any) -> None:
        if self.machine is None:
            return
        if self._held is None or not self.holds(self.hear, sender, message):
            self.received(sender, message)

    def holds(self, action: Callable[..., None], *arguments: Any) -> bool:
        """Say whether the process is paused, and remember what it has to do then."""
        if self._held is None:
            return False
        if len(self._held) < HELD_MAX:
            self._held.append((action, arguments))
        return True

    def step(self, input: Any) -> None:
        """Give the machine an input, and do what it says as far as the disk allows.

        A node whose consensus has halted goes on: it still hears, answers, and honours withdrawals.
        """
        if self.machine is None:
            return
        if self.processor is not None and self.processor.takes(input):
            return
        effects = self.decide(input)
        if effects:
            self.enqueue(effects)
        self.check()

    def decide(self, input: Any) -> list[Any]:
        """Step the machine, and return what it wants done; who broke the protocol is noted."""
        self.network.steps += 1
        try:
            effects: list[Any] = self.machine.step(self.now(), input)
        except ProtocolError as error:
            self.blamed.append((self.network.now, error))
            return []
        return effects

    def enqueue(self, effects: list[Any]) -> None:
        """Carry out effects behind those that wait."""
        self._queue.extend(self.prepare(effects))
        self._work()

    def prepare(self, effects: list[Any]) -> list[Any]:
        """Return the effects in the order of the driver: `Persisted` follows what waits for it."""
        done = [Persisted(effect.records) for effect in effects if isinstance(effect, Persist)]
        return [*effects, *done] if done else effects

    def now(self) -> Instant:
        return self.clock.instant(self.network.schedule.now)

    def set_timer(self, timer: Any, at: int) -> None:
        """Fire once at the machine's monotonic time `at`."""
        self.timers[timer] = at
        delay = self.clock.delay_until(self.network.schedule.now, at)
        self.network.after(delay, self._fire, self._life, timer, at)

    def _fire(self, life: int, timer: Any, at: int) -> None:
        if life != self._life or self.timers.get(timer) != at:
            return
        if not self.holds(self._fire, life, timer, at):
            del self.timers[timer]
            self.timer_fired(timer)

    @property
    def syncing(self) -> tuple[LogRecord, ...]:
        """What is being written to the vote log right now."""
        return self._syncing or ()

    @property
    def is_idle(self) -> bool:
        """Say whether all effects are carried out."""
        return not self._queue and not self._is_writing

    @property
    def _is_writing(self) -> bool:
        is_writing_log = self._syncing is not None or self.log_growth.pruning is not None
        return is_writing_log or self._storing is not None

    @property
    def can_write(self) -> bool:
        """Say whether the disk takes the next write. If not, the process ends."""
        if not self.is_disk_full and not self.is_disk_failing:
            return True
        self.fate["disk-full" if self.is_disk_full else "disk-error"] += 1
        self.is_disk_failing = False
        self.restart_after(RESTART_DELAY)
        return False

    def waits_for_store(self, effect: Any) -> bool:
        """Say whether the effect waits because the store stands still; nothing is written yet."""
        delay = self.store_stalled_until - self.network.now
        if delay <= 0:
            return False
        self._storing = effect
        self.fate["store-stalled"] += 1
        self.network.after(delay, self.go_on_storing)
        return True

    def go_on_storing(self) -> None:
        """Carry out what waited, unless the store still stands still, or the process does."""
        if self._storing is None or self.network.now < self.store_stalled_until:
            return
        if self.holds(self.go_on_storing):
            return
        effect, self._storing = self._storing, None
        self.carry_out(effect)
        self._work()

    def _work(self) -> None:
        while self._queue and not self._is_writing and self.is_up:
            if self.kill_at is not None and self.effects_done >= self.kill_at:
                self.kill_at = None
                self.fate["kill-between-effects"] += 1
                self.restart_after(RESTART_DELAY)
                return
            self.effects_done += 1
            effect = self._queue.popleft()
            match effect:
                case Persist(records):
                    self._sync(records)
                case PruneLog():
                    self._prune(effect)
                case Persisted():
                    self.step(effect)
                case _:
                    self.carry_out(effect)

    def _sync(self, records: tuple[LogRecord, ...]) -> None:
        self._syncing = records
        if self.can_write:
            self.network.after(self._sync_delay(), self._synced, self._life)

    def _sync_delay(self) -> int:
        delay = self.fsync_min + self.stall
        if self.fsync_spread:
            delay += self.network.random.randrange(self.fsync_spread + 1)
        self.stall = 0
        return delay

    def _synced(self, life: int) -> None:
        if life != self._life or self._syncing is None:
            return
        if self.holds(self._synced, life):
            return
        self.log.extend(self._syncing)
        self.log_growth.appended(self._syncing)
        self._syncing = None
        self._work()

    def log_settled(self, epoch: int, view: int) -> None:
        """A block of this view is stored: before all else, prune the log if it has grown."""
        if self.log_growth.is_due:
            self._queue.appendleft(PruneLog(epoch, view))

    def _prune(self, prune: PruneLog) -> None:
        """Write a new log, let it take the place of the old one, and sync the folder."""
        self.log_growth.pruning = prune
        if self.can_write:
            delay = self._sync_delay() + self._sync_delay()
            self.network.after(delay, self._pruned, self._life)

    def _pruned(self, life: int) -> None:
        if life != self._life or self.log_growth.pruning is None:
            return
        if self.holds(self._pruned, life):
            return
        self.log = self.log_growth.pruning.needed(self.log)
        self.log_growth.pruned(self.log)
        self.fate["pruned"] += 1
        self._work()
