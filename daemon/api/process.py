"""`ping`, `shutdown` and `logs.*`: what every daemon answers, whatever it is doing."""

from collections.abc import Callable

import trio

from daemon.call import Call, Method, invalid_params
from daemon.logs.entry import LEVELS, LogEntry, LogFilter, render_json
from daemon.logs.logs import Logs
from daemon.rpc import Json

TAIL_ENTRIES_MAX = 1_000
"""How many entries one answer holds."""


def process_methods(logs: Logs, stop: Callable[[], None]) -> dict[str, Method]:
    """Return the methods that do not need a node; `stop` makes the daemon end soon."""

    async def ping(_: Call) -> Json:
        return "pong"

    async def shutdown(_: Call) -> Json:
        stop()
        return True

    async def tail(call: Call) -> Json:
        return await _tail(logs, call)

    async def set_level(call: Call) -> Json:
        level = call.text("level")
        match level:
            case "debug" | "info" | "warning" | "error":
                logs.set_level(call.text("component", ""), level)
            case _:
                raise invalid_params(f"`{level}` is not one of {', '.join(LEVELS[:-1])}")
        return logs.levels()

    return {"ping": ping, "shutdown": shutdown, "logs.tail": tail, "logs.level": set_level}


async def _tail(logs: Logs, call: Call) -> Json:
    """Return the newest entries that match, or give them one by one while `follow` is set."""
    wanted = _filter(call)
    after = call.integer("after", 0)
    newest = [entry for entry in logs.ring.after(after) if wanted.matches(entry)]
    count = max(0, min(call.integer("count", TAIL_ENTRIES_MAX), TAIL_ENTRIES_MAX))
    shown = newest[len(newest) - min(count, len(newest)) :]
    if not call.flag("follow"):
        return [render_json(entry) for entry in shown]
    await _follow(logs, call, wanted, shown)
    return None


async def _follow(logs: Logs, call: Call, wanted: LogFilter, first: list[LogEntry]) -> None:
    """Give entries as they come. Whoever is slower than the ring misses the oldest."""
    token = trio.lowlevel.current_trio_token()
    news = _News()
    stop = logs.ring.listen(lambda: token.run_sync_soon(news.tell, idempotent=True))
    last = first[-1].sequence if first else max((e.sequence for e in logs.ring.after(0)), default=0)
    try:
        for entry in first:
            await call.item(entry.sequence, render_json(entry))
        while True:
            for entry in logs.ring.after(last):
                last = entry.sequence
                if wanted.matches(entry):
                    await call.item(entry.sequence, render_json(entry))
            await news.wait()
    finally:
        stop()


class _News:
    """Wakes one task, however often it is told."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def tell(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()
        self._event = trio.Event()


def _filter(call: Call) -> LogFilter:
    try:
        return LogFilter(
            level=call.text("level", "debug"),
            component=call.text("component", ""),
            peer=call.text("peer", ""),
            correlation=call.text("correlation", ""),
            since=call.integer("since", 0) / 1000,
            grep=call.text("grep", ""),
        )
    except ValueError as error:
        raise invalid_params(str(error)) from error
