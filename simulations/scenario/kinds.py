"""The kinds of faults, and what each of them needs to be said."""

import msgspec


class FaultKind(msgspec.Struct, frozen=True, kw_only=True):
    nodes: bool = True
    """Whether it needs to be said where."""
    amount: bool = False
    """Whether it needs a number other than zero."""


FAULT_KINDS = {
    "partition": FaultKind(),
    "cut": FaultKind(),
    "flap": FaultKind(),
    "clog": FaultKind(),
    "link": FaultKind(nodes=False),
    "crash": FaultKind(),
    "restart": FaultKind(),
    "pause": FaultKind(),
    "slow-cpu": FaultKind(amount=True),
    "skew": FaultKind(amount=True),
    "clock-jump": FaultKind(amount=True),
    "disk-full": FaultKind(),
    "disk-error": FaultKind(),
    "slow-fsync": FaultKind(amount=True),
    "restore-backup": FaultKind(),
    "lose-disk": FaultKind(),
    "authority-change": FaultKind(),
    "random": FaultKind(nodes=False),
}
