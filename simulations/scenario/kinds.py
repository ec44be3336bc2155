"""The kinds of faults and adversaries that there are, each with the first sentence about it.

The lists are those of the code that carries them out; here is only how they are shown.
"""

from functools import cache
from inspect import getdoc

NEED_NODES = (
    "partition",
    "cut",
    "crash",
    "restart",
    "pause",
    "restore-backup",
    "lose-disk",
    "recovery",
    "move",
)
"""Faults that make no sense without `nodes`."""

LOCAL_KINDS = {"move": "`nodes` get other IP addresses while they run; only real daemons do."}
"""Faults that the virtual world, which has no addresses, does not know."""


@cache
def fault_kinds() -> dict[str, str]:
    """Return what each kind of fault does."""
    from simulations.world.faults.plan import KINDS, RANDOM  # noqa: PLC0415 (Knows all the world.)

    kinds = {name: _first_sentence(fault) for name, fault in KINDS.items()}
    return (
        kinds
        | LOCAL_KINDS
        | {RANDOM: "Many faults of all kinds, drawn from the seed; `amount` is how many."}
    )


@cache
def adversary_kinds() -> dict[str, str]:
    """Return what each kind of adversary does."""
    from simulations.adversaries.kinds import KINDS  # noqa: PLC0415 (Knows all the world.)

    return {name: _first_sentence(kind) for name, kind in sorted(KINDS.items())}


def _first_sentence(thing: object) -> str:
    return " ".join((getdoc(thing) or "").partition("\n\n")[0].split())
