"""A node that has a ticket and no genesis yet: it asks its sponsor until it is let in.

A sponsor that cannot be reached is tried again, slower each time. What the sponsor refuses is
final: the operator hears it, and needs another ticket.
"""

import os
import time

import structlog
import trio

from daemon.config import Config
from daemon.errors import DaemonError
from daemon.joining.join import Joined, SponsorFailed, join
from daemon.joining.messages import JOIN_PROTOCOL
from daemon.joining.setup import member_of, save_genesis
from daemon.joining.ticket import Ticket
from daemon.keys.keystore import NodeKeys
from daemon.rpc import Json
from daemon.storage.home import Home
from daemon.transport import Transport, Unreachable
from protocol.identity import SigningKey, short

PAUSE_SECONDS_MIN = 1
PAUSE_SECONDS_MAX = 30

CONNECT_SECONDS_MAX = 20

NOWHERE = "/ip4/127.0.0.1/tcp/0"
"""A transport must listen somewhere; nobody is told where this one does."""

log = structlog.get_logger("joining")


class Newcomer:
    """Joins with one ticket."""

    def __init__(self, *, home: Home, config: Config, keys: NodeKeys, ticket: Ticket) -> None:
        self._home = home
        self._config = config
        self._keys = keys
        self._key = SigningKey(keys.signing_seed)
        self._ticket = ticket
        self._started_at = _now()
        self._failure = ""

    async def run(self) -> Joined:
        """Return once we are a member and have the genesis; raises `NotAdmitted` and the like."""
        pause = PAUSE_SECONDS_MIN
        log.info("joining", network=self._ticket.name, peer=self._ticket.sponsor)
        while (joined := await self._try()) is None:
            await trio.sleep(pause)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)
        await trio.to_thread.run_sync(save_genesis, self._home, joined.genesis)
        log.info("admitted", height=joined.height, network=self._ticket.name)
        return joined

    def status(self) -> Json:
        """Return what `placet status` shows meanwhile."""
        network = f"{self._ticket.name} ({short(self._ticket.network)})"
        cause = f"JOINING  network {network}, through {short(self._ticket.sponsor)}"
        if self._failure:
            cause += f": {self._failure}"
        next_step = "Wait; it is tried again by itself." if self._failure else "Wait a moment."
        return {
            "node": {
                "name": self._config.node.name,
                "kind": self._config.node.kind.value,
                "id": self._key.public.hex(),
                "member": False,
                "authority": False,
                "pid": os.getpid(),
                "started_at": self._started_at,
                "home": str(self._home.path),
            },
            "doing": "joining",
            "healthy": False,
            "problems": [{"code": "joining", "cause": cause, "next_step": next_step}],
        }

    async def _try(self) -> Joined | None:
        try:
            return await self._ask()
        except (Unreachable, SponsorFailed) as error:
            self._failure = str(error)
        log.warning("sponsor not reached", peer=self._ticket.sponsor, cause=self._failure)
        return None

    async def _ask(self) -> Joined:
        sponsor = self._ticket.sponsor
        joined: Joined | None = None
        failure: Unreachable | DaemonError | None = None
        transport = Transport(
            seed=self._keys.signing_seed,
            listen=(NOWHERE,),
            admit=lambda member: member == sponsor,
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(transport.run)
            try:
                joined = await self._ask_over(transport)
            except (Unreachable, DaemonError) as error:
                failure = error  # Raised here, it would come out of the nursery in a group.
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure
        assert joined is not None
        return joined

    async def _ask_over(self, transport: Transport) -> Joined:
        sponsor = self._ticket.sponsor
        try:
            with trio.fail_after(CONNECT_SECONDS_MAX):
                await transport.connect(sponsor, self._ticket.addresses)
                stream = await transport.open_stream(sponsor, JOIN_PROTOCOL)
        except trio.TooSlowError as error:
            raise Unreachable("no answer in time") from error
        async with stream:
            return await join(
                stream,
                self._ticket,
                key=self._key,
                member=member_of(self._config, self._keys),
                now=_now(),
            )


def _now() -> int:
    return time.time_ns() // 1_000_000
