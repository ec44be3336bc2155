"""How quantities are written in a scenario file, and read into plain numbers.

A number with a unit cannot be mistaken for another one, so durations, rates and bandwidths must
have one; only zero goes without.
"""

import re
from collections.abc import Callable

from simulations.scenario.model import Value

DURATIONS = {"ms": 1, "s": 1_000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
"""Milliseconds."""

PERIODS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
"""Seconds."""

SIZES = {
    "bit": 1, "kbit": 10**3, "Mbit": 10**6, "Gbit": 10**9,
    "kB": 8 * 10**3, "MB": 8 * 10**6, "KiB": 8 * 2**10, "MiB": 8 * 2**20, "GiB": 8 * 2**30,
}  # fmt: skip
"""Bits."""

_NUMBER = r"(-?\d[\d_]*(?:\.\d+)?)\s*"
_DURATION = re.compile(rf"{_NUMBER}({'|'.join(DURATIONS)})")
_RATE = re.compile(rf"{_NUMBER}/\s*({'|'.join(PERIODS)})")
_BANDWIDTH = re.compile(rf"{_NUMBER}({'|'.join(SIZES)})(?:/s)?")
_SHARE = re.compile(rf"{_NUMBER}%")


def read_quantity(value: Value, unit: str) -> Value:
    """Return `value` as a plain number, or raise `ValueError` with how it should be written.

    What is no quantity at all is returned as it is: the type of the field says what is wrong.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    return _READERS[unit](value)


def read_duration(value: str | int | float) -> int:
    if value == 0:
        return 0
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'`{value}` is no duration: write "200ms", "5s", "10m" or "2h"')
    milliseconds = _number(found[1]) * DURATIONS[found[2]]
    if milliseconds != int(milliseconds):
        raise ValueError(f"`{value}` is no whole number of milliseconds")
    return int(milliseconds)


def read_rate(value: str | int | float) -> float:
    if value == 0:
        return 0.0
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'`{value}` is no rate: write "3/s", "10/min" or "40/h"')
    return _number(found[1]) / PERIODS[found[2]]


def read_bandwidth(value: str | int | float) -> int:
    if value == 0:
        return 0
    found = _BANDWIDTH.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'`{value}` is no bandwidth: write "64kbit", "10Mbit" or "1MiB"')
    return int(_number(found[1]) * SIZES[found[2]])


def read_share(value: str | int | float) -> float:
    if not isinstance(value, str):
        return value
    found = _SHARE.fullmatch(value)
    if found is None:
        raise ValueError(f'`{value}` is no share: write 0.05 or "5%"')
    return _number(found[1]) / 100


def read_amount(value: str | int | float) -> float:
    if not isinstance(value, str):
        return value
    if _SHARE.fullmatch(value):
        return read_share(value)
    if _DURATION.fullmatch(value):
        return float(read_duration(value))
    raise ValueError(f'`{value}` is no amount: write a number, "200ms" or "5%"')


def show_duration(milliseconds: float) -> str:
    """Return a length of time for people, in the largest unit that leaves no long fraction."""
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if abs(milliseconds) >= (2 * length if unit != "s" else length):
            return f"{milliseconds / length:.3g} {unit}"
    return f"{milliseconds:.3g} ms"


def _number(text: str) -> float:
    return float(text.replace("_", ""))


_READERS: dict[str, Callable[[str | int | float], Value]] = {
    "duration": read_duration,
    "share": read_share,
    "rate": read_rate,
    "bandwidth": read_bandwidth,
    "amount": read_amount,
}
