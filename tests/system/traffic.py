"""Events that flow all the time, and which of them the network has acknowledged."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from daemon.rpc import CallFailed, NodeNotRunning, NodeSilent
from tests.system.nets import Daemon, Net, wait_until

SUBMIT_SECONDS_MAX = 5.0
"""How long one submission may take; after that nobody knows what becomes of it."""

PAUSE_SECONDS = 0.03
"""Between two events of one lane: the machine has other things to do."""


class Traffic:
    """Several lanes, each submitting one event after another to some running node."""

    def __init__(self, net: Net, targets: Sequence[str], *, seed: int = 1) -> None:
        self._net = net
        self._targets = targets
        self._seed = seed
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.acknowledged: dict[bytes, int] = {}
        """The height that a node named for each event that it called final."""
        self.failures: Counter[str] = Counter()

    @contextmanager
    def flowing(self, lanes: int = 4) -> Iterator[None]:
        """Submit events while the context lasts."""
        self._stop.clear()
        threads = [
            threading.Thread(target=self._run_lane, args=(random.Random(f"{self._seed} {lane}"),))
            for lane in range(lanes)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    @property
    def count(self) -> int:
        return len(self.acknowledged)

    def wait_for_more(self, count: int = 1, *, seconds_max: float = 40) -> None:
        """Wait until so many more events were acknowledged."""
        goal = self.count + count
        what = f"{count} more events after {self.count} (failures: {dict(self.failures)})"
        wait_until(lambda: self.count >= goal, what, seconds_max)

    def _run_lane(self, choices: random.Random) -> None:
        while not self._stop.wait(PAUSE_SECONDS):
            running = [self._net[name] for name in self._targets if self._net[name].is_running]
            if running:
                self._submit(choices.choice(running))

    def _submit(self, target: Daemon) -> None:
        event = self._net.new_consent(target.name)
        try:
            receipt = target.submit(event, timeout_seconds=SUBMIT_SECONDS_MAX)
        except (NodeNotRunning, NodeSilent, CallFailed) as error:
            with self._lock:
                self.failures[error.code] += 1
            time.sleep(PAUSE_SECONDS)
            return
        with self._lock:
            self.acknowledged[bytes.fromhex(receipt["id"])] = receipt["height"]
