"""How figures look, and how they become images.

The colours are those of Okabe and Ito (2008), which colour-blind people can tell apart, and each
line differs in its dashes too. Names come from files of others: they are never read as formulas.
"""

import base64
import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLACK, GREY, PALE = "#1a1a1a", "#6b6b6b", "#d9d9d9"
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW = "#CC79A7", "#56B4E9", "#F0E442"
CYCLE = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK)
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))

HEAT = "cividis_r"
"""A colour map that is as good in grey, and for the colour-blind."""

WIDTH = 7.2
"""Inches; two columns of a journal."""

NAME_LENGTH_MAX = 40
PNG_DPI = 160

_SETTINGS: Any = {
    "text.parse_math": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.hashsalt": "placet",  # The same figure is the same bytes.
    "svg.fonttype": "path",
    "pdf.fonttype": 42,  # Journals refuse the bitmap-like fonts of type 3.
}


def style() -> AbstractContextManager[None]:
    """Return the context in which figures are made and drawn."""
    return mpl.rc_context(_SETTINGS)


def new_figure(
    height: float, *, width: float = WIDTH, columns: int = 1
) -> tuple[Figure, list[Axes]]:
    """Return a figure of that many inches, with axes side by side."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, [figure.add_subplot(1, columns, place + 1) for place in range(columns)]


def look_of(place: int) -> dict[str, Any]:
    """Return colour and dashes of the line at that place in the legend."""
    return {
        "color": CYCLE[place % len(CYCLE)],
        "linestyle": DASHES[(place + place // len(CYCLE)) % len(DASHES)],
    }


def shortened(name: object) -> str:
    """Return a name that fits beside an axis, with nothing in it that does not print."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(name))
    return text if len(text) <= NAME_LENGTH_MAX else text[: NAME_LENGTH_MAX - 1] + "…"


def time_unit(values_ms: Sequence[float]) -> tuple[float, str]:
    """Return by what to divide milliseconds, and the unit that then belongs to them."""
    most = max(values_ms, default=0.0)
    for size, unit in ((3_600_000.0, "h"), (60_000.0, "min"), (1_000.0, "s")):
        if most >= 5 * size:
            return size, unit
    return 1.0, "ms"


def label_of(metric: str) -> str:
    """Return a metric's name as a label, with its unit if the name ends with one."""
    for ending, unit in (
        ("_ms", "ms"),
        ("_bytes", "bytes"),
        ("_seconds", "s"),
        ("_share", "share"),
    ):
        if metric.endswith(ending):
            return f"{metric.removesuffix(ending).replace('_', ' ')} [{unit}]"
    text = metric.replace("_", " ")
    return f"{text} [bytes]" if metric.startswith("bytes") else text


def svg_of(figure: Figure) -> bytes:
    with style():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "placet sim"})
    return buffer.getvalue()


def pdf_of(figure: Figure) -> bytes:
    """Return a figure for LaTeX."""
    with style():
        buffer = io.BytesIO()
        metadata = {"CreationDate": None, "Creator": "placet sim"}
        figure.savefig(buffer, format="pdf", metadata=metadata)
    return buffer.getvalue()


def save(figure: Figure, path: Path, *, ending: str) -> None:
    """Write a figure as SVG or PNG, as `ending` says."""
    if ending == ".svg":
        path.write_bytes(svg_of(figure))
        return
    with style():
        figure.savefig(path, dpi=PNG_DPI, format="png")


def data_uri(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
