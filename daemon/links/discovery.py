"""Members of our network on the same LAN, found by multicast DNS (RFC 6762, RFC 6763).

Each node announces its id and addresses under `_placet-XXXXXXXX._tcp.local.`, where the digits are
the start of the network's id. What is found this way is a hint and nothing more: anybody on the LAN
may announce anything, and it is the Noise handshake that shows who answers at an address.

zeroconf has threads of its own; what it finds comes back through a bounded channel.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import structlog
import trio
from zeroconf import Error as ZeroconfError
from zeroconf import (
    EventLoopBlocked,
    InterfaceChoice,
    IPVersion,
    NotRunningException,
    ServiceBrowser,
    ServiceInfo,
    ServiceStateChange,
    Zeroconf,
)

from protocol.identity import MemberId, NetworkId, short

FOUND_MAX = 64
"""Announcements that wait for us; more are dropped, and come again."""

ADDRESSES_MAX = 8
ADDRESS_SIZE_MAX = 250
"""Bytes; a TXT string holds 255 with its key."""

LOOKUP_MILLISECONDS_MAX = 3000
RETRY_SECONDS = 300
"""How long we wait where there is no multicast, before we look again."""

UNUSED_PORT = 9
UNUSED_IP = "127.0.0.1"
"""A service needs an A and an SRV record to be looked up; our addresses are in the TXT record."""

Found = Callable[[MemberId, tuple[str, ...]], None]
Interfaces = InterfaceChoice | list[str | int | tuple[tuple[str, int, int], int]]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Announcement:
    """Who is where, in the words of whoever said so."""

    member: MemberId
    addresses: tuple[str, ...]


async def run(
    *,
    network: NetworkId,
    me: Announcement,
    found: Found,
    interfaces: Interfaces = InterfaceChoice.All,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Announce us and call `found` for each announcement of another member, until cancelled.

    Where there is no multicast, it says so once and tries again from time to time.
    """
    task_status.started()
    is_known_to_fail = False
    while True:
        try:
            await _discover(_service_type(network), me, found, interfaces)
        except (OSError, ZeroconfError) as error:
            if not is_known_to_fail:
                log.warning("no-multicast-dns", reason=str(error) or type(error).__name__)
            is_known_to_fail = True
        await trio.sleep(RETRY_SECONDS)


def encode_properties(announcement: Announcement) -> dict[str, str]:
    """Return the TXT record of an announcement; addresses beyond the limits are left out."""
    addresses = [it for it in announcement.addresses if len(it.encode()) <= ADDRESS_SIZE_MAX]
    numbered = {f"a{number}": it for number, it in enumerate(addresses[:ADDRESSES_MAX])}
    return {"m": announcement.member.hex(), **numbered}


def decode_properties(properties: Mapping[bytes, bytes | None]) -> Announcement | None:
    """Return what a TXT record says, or nothing if it is not one of ours."""
    try:
        member = bytes.fromhex((properties.get(b"m") or b"").decode())
        addresses = tuple(
            address.decode()
            for number in range(ADDRESSES_MAX)
            if (address := properties.get(b"a%d" % number))
        )
    except ValueError:
        return None
    if len(member) != 32 or not addresses:
        return None
    return Announcement(member, addresses)


def _service_type(network: NetworkId) -> str:
    return f"_placet-{short(network)}._tcp.local."


async def _discover(
    service_type: str, me: Announcement, found: Found, interfaces: Interfaces
) -> None:
    send, receive = trio.open_memory_channel[Announcement](FOUND_MAX)
    session = _Session(service_type, me, send, trio.lowlevel.current_trio_token())
    await trio.to_thread.run_sync(session.open, interfaces)
    try:
        log.info("multicast-dns-started", service=service_type)
        async for announcement in receive:
            found(announcement.member, announcement.addresses)
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(session.close)


@dataclass(slots=True)
class _Session:
    """zeroconf's side: what runs in its threads."""

    service_type: str
    me: Announcement
    found: trio.MemorySendChannel[Announcement]
    token: trio.lowlevel.TrioToken
    _zeroconf: Zeroconf | None = field(default=None, init=False)

    def open(self, interfaces: Interfaces) -> None:
        zeroconf = Zeroconf(interfaces=interfaces, ip_version=IPVersion.V4Only)
        try:
            zeroconf.register_service(self._our_service(), cooperating_responders=True)
            ServiceBrowser(zeroconf, self.service_type, handlers=[self._on_change])
        except BaseException:
            zeroconf.close()
            raise
        self._zeroconf = zeroconf

    def close(self) -> None:
        """Say goodbye, and end zeroconf's threads."""
        if self._zeroconf is not None:
            self._zeroconf.close()

    def _our_service(self) -> ServiceInfo:
        name = short(self.me.member)
        return ServiceInfo(
            self.service_type,
            f"{name}.{self.service_type}",
            parsed_addresses=[UNUSED_IP],
            port=UNUSED_PORT,
            properties=encode_properties(self.me),
            server=f"placet-{name}.local.",
        )

    def _on_change(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        if state_change is ServiceStateChange.Removed:
            return
        try:
            info = zeroconf.get_service_info(service_type, name, LOOKUP_MILLISECONDS_MAX)
        except (EventLoopBlocked, NotRunningException):
            return  # The machine is too busy, or we are ending: it will be announced again.
        announcement = None if info is None else decode_properties(info.properties)
        if announcement is not None and announcement.member != self.me.member:
            # The loop may have ended meanwhile; then nobody wants to know.
            with suppress(trio.RunFinishedError):
                self.token.run_sync_soon(partial(_offer, self.found, announcement))


def _offer(channel: trio.MemorySendChannel[Announcement], announcement: Announcement) -> None:
    with suppress(trio.WouldBlock):
        channel.send_nowait(announcement)
