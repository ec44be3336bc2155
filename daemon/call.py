"""One call of a local program, as a method of the local interface sees it.

Arguments are taken by name and type; one that a method cannot use is told to the caller in words.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from daemon.errors import Exit
from daemon.rpc import INVALID_PARAMS, CallFailed, Json, Notice

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is on the other end, as the kernel says."""

    pid: int
    uid: int


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its parameters, and how to report on it while it goes on."""

    id: int | str
    params: Mapping[str, Json]
    caller: Caller
    _notify: Callable[[Notice], Awaitable[None]]

    async def progress(self, **fields: Json) -> None:
        """Tell the caller how far we are."""
        await self._notify(Notice("progress", {"id": self.id, **fields}))

    async def item(self, sequence: int, item: Json) -> None:
        """Give a subscriber its next item."""
        await self._notify(Notice("item", {"id": self.id, "sequence": sequence, "item": item}))

    def text(self, name: str, default: str | None = None) -> str:
        return self._of_type(name, str, default)

    def integer(self, name: str, default: int | None = None) -> int:
        return self._of_type(name, int, default)

    def flag(self, name: str) -> bool:
        return self._of_type(name, bool, False)

    def data(self, name: str, *, size: int | None = None) -> bytes:
        """Return bytes that came as hex, of exactly `size` bytes if that is given."""
        try:
            found = bytes.fromhex(self.text(name))
        except ValueError as error:
            raise invalid_params(f"`{name}` is not hex") from error
        if size is not None and len(found) != size:
            raise invalid_params(f"`{name}` has {len(found)} bytes and not {size}")
        return found

    def data_list(self, name: str, *, count_max: int) -> list[bytes]:
        """Return several bytes objects, at least one, each of which came as hex."""
        texts = self.params.get(name)
        if not isinstance(texts, list) or not 0 < len(texts) <= count_max:
            raise invalid_params(f"`{name}` must be a list of 1 to {count_max}")
        try:
            return [bytes.fromhex(text) for text in texts]
        except (TypeError, ValueError) as error:
            raise invalid_params(f"`{name}` is not a list of hex") from error

    def _of_type(self, name: str, expected: type[T], default: T | None) -> T:
        value = self.params.get(name, default)
        # To Python, True is an integer.
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            raise invalid_params(f"`{name}` is needed and must be of type {expected.__name__}")
        return value


Method = Callable[[Call], Awaitable[Json]]


def invalid_params(message: str, next_step: str = "Correct it, then try again.") -> CallFailed:
    """Return the error for an argument that a method cannot use."""
    return CallFailed(
        message,
        code="invalid-params",
        next_step=next_step,
        exit_code=Exit.USAGE,
        rpc_code=INVALID_PARAMS,
    )
