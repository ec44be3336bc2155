"""Nothing about a patient leaves a node: canaries are looked for in every byte that is sent."""

from typing import Any

from protocol.codec import encode
from protocol.messages import Payload
from simulations.checkers.watch import Watch
from simulations.world.core_host import CoreHost


class Canaries:
    """Looks at each message once. The workload says what must not be seen (`World.canaries`)."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        watch.world.network.readers.append(self._sent)

    def _sent(self, host: CoreHost, message: Any) -> None:
        if not self.watch.world.canaries:
            return
        data = message.content if isinstance(message, Payload) else encode(message)
        for canary in self.watch.world.canaries:
            if canary in data:
                kind = type(message).__name__
                self.watch.report(self, f"a {kind} tells something about a patient", host)
