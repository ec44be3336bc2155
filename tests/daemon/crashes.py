"""Lets a function die at any of its steps on the disk, as a power cut would.

A step is a call that changes a name or makes something durable. The process "dies" just before it:
`Crash` is not an `Exception`, and nothing that the dying code does afterwards reaches the disk.
"""

import os
import pathlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

STEPS = (
    (os, "fsync"),
    (os, "link"),
    (os, "rmdir"),
    (os, "ftruncate"),
    (os, "truncate"),
    (shutil, "rmtree"),
    (pathlib.Path, "rename"),
    (pathlib.Path, "unlink"),
    (pathlib.Path, "mkdir"),
)


class Crash(BaseException):
    """The machine is off."""


@contextmanager
def crash_at(step: int) -> Iterator[list[str]]:
    """Die before step number `step`; yield the names of the steps that were taken."""
    taken: list[str] = []

    def watch(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            if len(taken) >= step:
                raise Crash(name)
            taken.append(name)
            return real(*arguments, **options)

        return watched

    patches = [
        patch.object(owner, name, watch(name, getattr(owner, name))) for owner, name in STEPS
    ]
    for each in patches:
        each.start()
    try:
        yield taken
    finally:
        for each in patches:
            each.stop()


def steps_of(function: Callable[[], object]) -> int:
    """Return how many steps a call takes when nothing happens to it."""
    with crash_at(1_000_000) as taken:
        function()
    return len(taken)
