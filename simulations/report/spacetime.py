"""Who sent what to whom when: nodes as lines, messages as arrows, faults shaded, what broke marked.

A run has far more messages than fit on a page, so a window is chosen that ends just after the
violation, and the nodes that have most to do with it. Times in which nothing happens are cut short.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from simulations.outcome import TraceEvent, Violation
from simulations.report.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    new_figure,
    shortened,
    style,
)
from simulations.report.time_axis import TimeAxis
from simulations.scenario.model import Fault

MESSAGES_MAX = 160
"""More arrows than that make a grey area."""
NODES_MAX = 12
AFTER_SHARE = 0.08
"""Which part of the window lies behind the violation."""
WINDOW_MIN, WINDOW_MAX = 50, 60_000
"""Milliseconds."""

TITLE_WIDTH, TITLE_LINES_MAX = 100, 3
"""Characters of a line, and lines, of what broke."""

NOBODY: Mapping[str, str] = {}

QUIET = frozenset({"Status", "Have", "Graft", "Prune", "PeerRecord"})
"""Messages that keep links alive or news going round; left out if there are others."""

_COLOURS = {"Proposal": BLUE, "Vote": GREEN, "Certificate": ORANGE}


@dataclass(frozen=True, slots=True)
class Arrow:
    sender: str
    receiver: str
    sent: int
    arrived: int
    text: str
    is_lost: bool = False


@dataclass(slots=True)
class Window:
    """What is drawn."""

    start: int
    end: int
    nodes: list[str]
    arrows: list[Arrow]
    marks: list[TraceEvent] = field(default_factory=list)
    """What happened at nodes: final blocks, faults, halts."""
    outages: list[tuple[str, int, int]] = field(default_factory=list)


def spacetime_figure(
    events: Sequence[TraceEvent],
    *,
    violation: Violation | None = None,
    faults: Iterable[Fault] = (),
    hostile: Mapping[str, str] = NOBODY,
) -> Figure:
    """Draw the time around the violation; without one, the last that happened.

    `hostile` says of which nodes which kind of adversary they are.
    """
    window = choose_window(events, violation)
    with style():
        figure, (axes,) = new_figure(1.5 + 0.55 * len(window.nodes), width=9.5)
        lanes = {node: lane for lane, node in enumerate(window.nodes)}
        time = TimeAxis(_moments(window, violation))
        _draw_faults(axes, window, faults, time)
        _draw_lanes(axes, window, lanes, time)
        for arrow in window.arrows:
            _draw_arrow(axes, arrow, lanes, time)
        for mark in window.marks:
            _draw_mark(axes, mark, lanes, time)
        if violation is not None:
            _draw_violation(axes, violation, lanes, time)
        time.draw(axes)
        margin = time.end * 0.01 + 1
        axes.set_xlim(-margin, time.end + margin)
        axes.set_ylim(len(lanes) - 0.4, -1.1)
        _name_lanes(axes, window.nodes, hostile)
        axes.set_xlabel("time [ms]; hatched: nothing happens" if time.gaps else "time [ms]")
        axes.grid(visible=False)
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        figure.legend(handles=_legend(window), loc="outside lower center", ncols=7)
    return figure


def _moments(window: Window, violation: Violation | None) -> Iterator[int]:
    """Yield all moments at which something is drawn."""
    for arrow in window.arrows:
        yield from (arrow.sent, min(arrow.arrived, window.end))
    yield from (mark.at for mark in window.marks)
    for _, first, last in window.outages:
        yield from (first, last)
    if violation is not None:
        yield from (violation.at, violation.at + 1)


def choose_window(events: Sequence[TraceEvent], violation: Violation | None) -> Window:
    """Choose times and nodes so that all that is drawn can be told apart."""
    at = violation.at if violation else max((event.at for event in events), default=0)
    arrows = [arrow for arrow in pair_messages(events) if arrow.text not in QUIET]
    arrows = arrows or pair_messages(events)
    marks = [event for event in events if event.kind in _MARKS]
    nodes = _choose_nodes(arrows, marks, violation, at)
    shown = [each for each in arrows if each.sender in nodes and each.receiver in nodes]
    if shown:
        span = _choose_span([each.sent for each in shown], at, most=WINDOW_MAX)
    else:  # Logs of real daemons tell of no messages.
        span = _choose_span([each.at for each in marks if each.node in nodes], at, most=at)
    start, end = max(0, at - span), at + max(WINDOW_MIN // 2, int(span * AFTER_SHARE))
    return Window(
        start=start,
        end=end,
        nodes=nodes,
        arrows=[each for each in shown if start <= each.sent <= end],
        marks=[each for each in marks if start <= each.at <= end and each.node in nodes],
        outages=[
            (node, max(first, start), min(last, end))
            for node, first, last in outages(events)
            if node in nodes and first <= end and last >= start
        ],
    )


def pair_messages(events: Iterable[TraceEvent]) -> list[Arrow]:
    """Match what was sent with what arrived: of equal messages, the first sent arrives first."""
    waiting: dict[tuple[str, str, str], deque[int]] = {}
    arrows = []
    for event in events:
        if event.peer is None or event.kind not in ("send", "deliver", "lose"):
            continue
        if event.kind == "send":
            waiting.setdefault((event.node, event.peer, event.text), deque()).append(event.at)
            continue
        sent = waiting.get((event.peer, event.node, event.text))
        began = sent.popleft() if sent else event.at  # A copy arrives a second time.
        arrows.append(
            Arrow(event.peer, event.node, began, event.at, event.text, event.kind == "lose")
        )
    return sorted(arrows, key=lambda arrow: (arrow.sent, arrow.arrived))


def outages(events: Iterable[TraceEvent]) -> list[tuple[str, int, int]]:
    """Return from when until when each node was down."""
    down: dict[str, int] = {}
    found, last = [], 0
    for event in events:
        last = max(last, event.at)
        if event.kind == "crash":
            down.setdefault(event.node, event.at)
        elif event.kind == "start" and event.node in down:
            found.append((event.node, down.pop(event.node), event.at))
    return found + [(node, since, last) for node, since in down.items()]


def _choose_nodes(
    arrows: Sequence[Arrow], marks: Sequence[TraceEvent], violation: Violation | None, at: int
) -> list[str]:
    near = [each for each in arrows if at - WINDOW_MAX <= each.sent <= at]
    busy = Counter(name for each in near for name in (each.sender, each.receiver))
    if not busy:
        busy = Counter(mark.node for mark in marks)
    first = [violation.node] if violation and violation.node else []
    chosen = list(dict.fromkeys([*first, *(name for name, _ in busy.most_common())]))[:NODES_MAX]
    return sorted(chosen, key=_by_number)


def _by_number(name: str) -> tuple[str, int]:
    stem, _, number = name.rpartition("-")
    return (stem, int(number)) if number.isdecimal() else (name, 0)


def _choose_span(moments: Sequence[int], at: int, *, most: int) -> int:
    """Return how long before `at` the window begins, so that not too much is in it."""
    before = sorted(at - moment for moment in moments if moment <= at)
    chosen = before[MESSAGES_MAX] if len(before) > MESSAGES_MAX else max([0, *before])
    return max(WINDOW_MIN, min(most, chosen))


_MARKS: Mapping[str, tuple[str, str, str]] = {
    "final": ("s", BLACK, "final block"),
    "fault": ("D", PURPLE, "fault"),
    "crash": ("X", RED, "crash"),
    "start": ("^", GREEN, "start"),
    "halt": ("P", RED, "halt"),
    "refuse": ("v", ORANGE, "refusal"),
    "blame": ("d", RED, "blame"),
}


def _draw_faults(axes: Axes, window: Window, faults: Iterable[Fault], time: TimeAxis) -> None:
    """Shade the whole time of faults that the scenario names by time."""
    for fault in faults:
        if fault.at is None:
            continue
        first = max(window.start, fault.at)
        last = min(window.end, fault.at + fault.duration) if fault.duration else window.end
        if first < last:
            left, right = time.position(first), time.position(last)
            axes.axvspan(left, right, color=PURPLE, alpha=0.12, linewidth=0, zorder=0)
            text = shortened(f"{fault.kind} {' '.join(fault.nodes)}")
            axes.text(left, len(window.nodes) - 0.75, text, fontsize=7, color=GREY)


def _draw_lanes(axes: Axes, window: Window, lanes: Mapping[str, int], time: TimeAxis) -> None:
    for lane in lanes.values():
        axes.plot([0, time.end], [lane, lane], color=BLACK, linewidth=0.9, zorder=1)
    for node, first, last in window.outages:
        span = [time.position(first), time.position(last)]
        low, high = lanes[node] - 0.22, lanes[node] + 0.22
        axes.fill_between(span, low, high, color=GREY, alpha=0.35, linewidth=0, zorder=2)


def _name_lanes(axes: Axes, nodes: Sequence[str], hostile: Mapping[str, str]) -> None:
    """Name the nodes; those that do not follow the protocol are marked, and say what they are."""
    names = [f"{node}\n({hostile[node]})" if node in hostile else node for node in nodes]
    axes.set_yticks(range(len(nodes)), [_printable(name) for name in names])
    for label, node in zip(axes.get_yticklabels(), nodes, strict=True):
        if node in hostile:
            label.set(color=RED, fontweight="bold")


def _printable(name: str) -> str:
    return "\n".join(shortened(line) for line in name.split("\n"))


def _draw_arrow(axes: Axes, arrow: Arrow, lanes: Mapping[str, int], time: TimeAxis) -> None:
    colour = RED if arrow.is_lost else _COLOURS.get(arrow.text, GREY)
    is_told = arrow.is_lost or arrow.text in _COLOURS
    axes.annotate(
        "",
        xy=(time.position(arrow.arrived), lanes[arrow.receiver]),
        xytext=(time.position(arrow.sent), lanes[arrow.sender]),
        arrowprops={
            "arrowstyle": "-" if arrow.is_lost else "-|>",
            "linestyle": ":" if arrow.is_lost else "-",
            "color": colour,
            "linewidth": 0.9 if is_told else 0.5,
            "alpha": 0.9 if is_told else 0.4,
            "mutation_scale": 6 if is_told else 4,
            "zorder": 3 if is_told else 2,
            "shrinkA": 0,
            "shrinkB": 1,
        },
        annotation_clip=True,
    )
    if arrow.is_lost:
        axes.plot(time.position(arrow.arrived), lanes[arrow.receiver], "x", color=RED, markersize=4)


def _draw_mark(axes: Axes, mark: TraceEvent, lanes: Mapping[str, int], time: TimeAxis) -> None:
    shape, colour, _ = _MARKS[mark.kind]
    at = time.position(mark.at)
    axes.plot(at, lanes[mark.node], shape, color=colour, markersize=4.5, zorder=4)
    if mark.kind != "refuse":
        axes.annotate(shortened(mark.text), (at, lanes[mark.node]), (2, 4),
                      textcoords="offset points", fontsize=6, color=colour, zorder=5)  # fmt: skip


def _draw_violation(
    axes: Axes, violation: Violation, lanes: Mapping[str, int], time: TimeAxis
) -> None:
    at = time.position(violation.at)
    axes.axvline(at, color=RED, linewidth=1.4, zorder=3)
    if violation.node is not None and violation.node in lanes:
        axes.plot(at, lanes[violation.node], "*", color=RED, markersize=14,
                  markeredgecolor="white", zorder=6)  # fmt: skip
    where = f" (at {violation.node})" if violation.node else ""
    words = " ".join(f"{violation.checker}: {violation.text}{where}".split())
    title = f"{words}, {violation.at:,} ms"
    axes.set_title("\n".join(wrap(title, TITLE_WIDTH)[:TITLE_LINES_MAX]), color=RED)


def _legend(window: Window) -> list[Line2D]:
    used = {arrow.text for arrow in window.arrows if not arrow.is_lost}
    lines = [
        Line2D([], [], color=colour, label=name)
        for name, colour in _COLOURS.items()
        if name in used
    ]
    if used - set(_COLOURS):
        lines.append(Line2D([], [], color=GREY, label="other message", alpha=0.5))
    if any(arrow.is_lost for arrow in window.arrows):
        lines.append(Line2D([], [], color=RED, linestyle=":", marker="x", label="lost"))
    kinds = {mark.kind for mark in window.marks}
    for kind, (shape, colour, name) in _MARKS.items():
        if kind in kinds:
            lines.append(Line2D([], [], color=colour, marker=shape, linestyle="", label=name))
    if window.outages:
        lines.append(Line2D([], [], color=GREY, alpha=0.35, linewidth=8, label="down"))
    return lines
