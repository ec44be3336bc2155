"""Splits a sweep among machines that know nothing of each other, as batch systems want it.

`--shard 2/8` takes the tasks whose index is 1 modulo 8: neighbours in a sweep cost about the same,
so each shard gets its share of the dear ones. Which tasks those are depends on nothing else.
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from simulations.engines.task import EngineFailed, Task

SHARDS_MAX = 10_000


class Shard(msgspec.Struct, frozen=True):
    number: int
    """From 1."""
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def parse_shard(text: str) -> Shard:
    """Read "2/8", or raise `EngineFailed`."""
    match = re.fullmatch(r"(\d{1,5})/(\d{1,5})", text)
    shard = Shard(int(match[1]), int(match[2])) if match else Shard(0, 0)
    if not 1 <= shard.number <= shard.count <= SHARDS_MAX:
        raise EngineFailed(
            f"`{text}` is not a shard", f"Write NUMBER/COUNT, such as 1/8; at most {SHARDS_MAX}."
        )
    return shard


def choose(tasks: Iterable[Task], shard: Shard) -> Iterator[Task]:
    """Yield the tasks that belong to the shard."""
    return (task for task in tasks if task.index % shard.count == shard.number - 1)
