"""Shows values of a scenario's fields to people, with their units.

In a scenario that was read, durations are milliseconds and rates are per second: plain numbers,
which say nothing without the unit that the model knows.
"""

from simulations.scenario.fields import WrongField, plain_type, type_at
from simulations.scenario.load import parts_of
from simulations.scenario.model import Value
from simulations.scenario.units import show_duration

AXES = {"duration": "ms", "rate": "per s", "bandwidth": "bit/s"}


def show_value(field: str, value: Value) -> str:
    """Return the value of the field with that dotted name, with its unit."""
    if isinstance(value, bool | str):
        return str(value)
    match _unit_of(field):
        case "duration":
            return show_duration(value)
        case "rate":
            return f"{value:.4g}/s"
        case "bandwidth":
            return f"{value:,} bit/s" if value else "unlimited"
        case "share":
            return f"{100 * value:.4g} %"
    return str(value)


def show_values(values: dict[str, Value]) -> str:
    """Return fields and values on one line."""
    return ", ".join(f"{field} = {show_value(field, value)}" for field, value in values.items())


def axis_label(field: str) -> str:
    """Return the name of a field as the label of an axis, with the unit of its plain numbers."""
    unit = AXES.get(_unit_of(field) or "")
    return f"{field} [{unit}]" if unit else field


def _unit_of(field: str) -> str | None:
    try:
        return plain_type(type_at(parts_of(field)))[1]
    except WrongField:
        return None
