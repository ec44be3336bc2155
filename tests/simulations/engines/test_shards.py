"""Shards share the tasks out: each has exactly one shard."""

import pytest

from simulations.engines.shards import SHARDS_MAX, Shard, choose, parse_shard
from simulations.engines.task import EngineFailed
from tests.simulations.engines import deeds


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_each_task_belongs_to_exactly_one_shard(count: int) -> None:
    tasks = deeds.tasks(23)

    chosen = [
        task for number in range(1, count + 1) for task in choose(tasks, Shard(number, count))
    ]

    assert sorted(task.index for task in chosen) == list(range(23))


def test_what_a_shard_takes_is_fixed() -> None:
    assert [task.index for task in choose(deeds.tasks(10), Shard(2, 4))] == [1, 5, 9]


def test_a_shard_is_written_as_it_is_read() -> None:
    assert str(parse_shard("3/8")) == "3/8"


@pytest.mark.parametrize("text", ["", "0/4", "5/4", "1", "1/0", "-1/4", "1/99999", "a/b", "1/4/2"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    assert SHARDS_MAX < 99_999
    with pytest.raises(EngineFailed, match="not a shard"):
        parse_shard(text)
