"""The diagram of a failing run shows what matters, and no more than can be read."""

from simulations.outcome import TraceEvent, Violation
from simulations.report.spacetime import (
    MESSAGES_MAX,
    NODES_MAX,
    Arrow,
    choose_window,
    outages,
    pair_messages,
    spacetime_figure,
)
from simulations.scenario.model import Fault


def exchange(sent: int, sender: str, receiver: str, text: str = "Vote") -> list[TraceEvent]:
    return [
        TraceEvent(sent, "send", sender, receiver, text),
        TraceEvent(sent + 20, "deliver", receiver, sender, text),
    ]


def chatter(count: int, nodes: int, text: str = "Vote") -> list[TraceEvent]:
    events = [
        event
        for number in range(count)
        for event in exchange(
            number * 10, f"member-{number % nodes}", f"member-{(number + 1) % nodes}", text
        )
    ]
    return sorted(events, key=lambda event: event.at)


def test_what_was_sent_is_matched_with_what_arrived() -> None:
    events = [
        TraceEvent(1, "send", "a", "b", "Vote"),
        TraceEvent(2, "send", "a", "b", "Vote"),
        TraceEvent(5, "lose", "b", "a", "Vote"),
        TraceEvent(9, "deliver", "b", "a", "Vote"),
        TraceEvent(11, "deliver", "b", "a", "Vote"),
    ]

    assert pair_messages(events) == [
        Arrow("a", "b", 1, 5, "Vote", is_lost=True),
        Arrow("a", "b", 2, 9, "Vote"),
        Arrow("a", "b", 11, 11, "Vote"),
    ]


def test_a_node_is_down_from_its_crash_to_its_start() -> None:
    events = [
        TraceEvent(1, "start", "a"),
        TraceEvent(5, "crash", "a"),
        TraceEvent(9, "start", "a"),
        TraceEvent(12, "crash", "b"),
        TraceEvent(20, "final", "a"),
    ]

    assert outages(events) == [("a", 5, 9), ("b", 12, 20)]


def test_a_long_run_is_cut_to_what_led_to_the_violation() -> None:
    violation = Violation("agreement", 50_000, "member-1", "two blocks")

    window = choose_window(chatter(10_000, 4), violation)

    assert 0 < len(window.arrows) <= MESSAGES_MAX * 1.2
    assert window.start < violation.at < window.end
    assert violation.at - window.start < 5_000


def test_of_many_nodes_those_near_the_violation_are_shown() -> None:
    violation = Violation("agreement", 5_000, "member-77", "two blocks")

    window = choose_window(chatter(1_000, 100), violation)

    assert len(window.nodes) == NODES_MAX
    assert "member-77" in window.nodes


def test_small_talk_is_left_out_unless_there_is_nothing_else() -> None:
    talk, votes = chatter(5, 3, "Status"), exchange(100, "member-0", "member-1")

    assert {arrow.text for arrow in choose_window([*talk, *votes], None).arrows} == {"Vote"}
    assert {arrow.text for arrow in choose_window(talk, None).arrows} == {"Status"}


def test_faults_and_the_violation_are_drawn() -> None:
    violation = Violation("agreement", 400, "member-1", "two blocks")
    fault = Fault(kind="partition", at=100, duration=200, nodes=("member-0",))

    figure = spacetime_figure(chatter(60, 3), violation=violation, faults=[fault])

    (axes,) = figure.axes
    assert axes.get_title(loc="left") == "agreement: two blocks (at member-1), 400 ms"
    assert "partition member-0" in [text.get_text() for text in axes.texts]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "member-0",
        "member-1",
        "member-2",
    ]


def test_an_empty_log_can_be_drawn() -> None:
    assert spacetime_figure([]).axes
