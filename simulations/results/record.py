"""One run that has ended, as it is kept: with its place in the sweep and what it gave."""

import msgspec

from simulations.outcome import Outcome
from simulations.scenario.model import Value


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run gave no outcome."""

    cause: str
    details: str = ""
    """The traceback; empty if the process died, which says nothing about the code."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A run by its number in the sweep. It has an outcome, or what was raised instead."""

    index: int
    parameters: dict[str, Value]
    seed: int
    outcome: Outcome | None = None
    """Without its series: they are in a file of their own."""
    raised: Raised | None = None
