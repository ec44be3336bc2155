"""Peers that sent what no honest node sends: named in the log, and banned if they go on."""

import structlog
import trio

from protocol.errors import ProtocolError
from protocol.identity import MemberId, short

BLAMES_MAX = 20
"""So many within a window, and the peer is banned."""

WINDOW_SECONDS = 60
BAN_SECONDS = 600
PEERS_MAX = 4_096

log = structlog.get_logger("blame")


class Blames:
    def __init__(self) -> None:
        self._times: dict[MemberId, list[float]] = {}
        self._banned_until: dict[MemberId, float] = {}

    def note(self, peer: MemberId, error: ProtocolError) -> bool:
        """Remember that `peer` is to blame for `error`; say whether it is banned now."""
        log.warning("peer-to-blame", peer=short(peer), reason=error.code, detail=str(error))
        now = trio.current_time()
        times = [at for at in self._times.pop(peer, []) if at > now - WINDOW_SECONDS]
        self._times[peer] = [*times, now]
        if len(self._times) > PEERS_MAX:
            del self._times[next(iter(self._times))]
        if len(times) < BLAMES_MAX:
            return False
        log.error("peer-banned", peer=short(peer), seconds=BAN_SECONDS)
        del self._times[peer]
        self._banned_until[peer] = now + BAN_SECONDS
        return True

    def is_banned(self, peer: MemberId) -> bool:
        until = self._banned_until.get(peer)
        if until is not None and trio.current_time() >= until:
            del self._banned_until[peer]
            return False
        return until is not None
