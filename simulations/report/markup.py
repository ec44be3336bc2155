"""Makes HTML from data of others: what is not markup already is escaped, always."""

from collections.abc import Iterable, Sequence
from html import escape


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(tag: str, *children: object, **attributes: str) -> Markup:
    """Return an element; `class_` stands for the attribute `class`, `_` for `-`."""
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for name, value in attributes.items()
    )
    return Markup(f"<{tag}{written}>{joined(children)}</{tag}>")


def empty(tag: str, **attributes: str) -> Markup:
    """Return an element that cannot have children, such as `img`."""
    return Markup(element(tag, **attributes).removesuffix(f"</{tag}>"))


def joined(children: Iterable[object]) -> Markup:
    return Markup(
        "".join(child if isinstance(child, Markup) else escape(str(child)) for child in children)
    )


def table(
    heads: Sequence[object], rows: Iterable[Sequence[object]], *, caption: str = ""
) -> Markup:
    """Return a table; cells that are numbers are aligned to the right."""
    head = element("tr", *(element("th", cell, scope="col") for cell in heads))
    body = [element("tr", *(_cell(cell) for cell in row)) for row in rows]
    parts = [element("caption", caption)] if caption else []
    whole = element("table", *parts, element("thead", head), element("tbody", *body))
    return element("div", whole, class_="wide")


def number(value: float) -> str:
    """Return a number as people read it: four digits that matter, thousands apart."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _cell(cell: object) -> Markup:
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return element("td", number(cell), class_="number")
    return element("td", cell)
