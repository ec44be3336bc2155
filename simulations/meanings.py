"""What the metrics of runs mean, in words: below answers, in reports, and in the documents.

The table in docs/simulation.md is made of this; a test holds that every metric of a run is here.
"""

import re
from typing import NamedTuple


class Meaning(NamedTuple):
    """What several metrics mean that differ only in which of all durations they are."""

    names: tuple[str, ...]
    words: str


MEANINGS = (
    Meaning(
        ("finality_p50_ms", "finality_p95_ms", "finality_p99_ms", "finality_max_ms"),
        "from when an event is submitted until it is final at the node where it was",
    ),
    Meaning(("settled_ms",), "from the end of the faults until everything was final everywhere"),
    Meaning(
        ("propagation_p99_ms",), "from when a block is final anywhere until it is final at a node"
    ),
    Meaning(("events_submitted",), "events of the load that honest nodes took in"),
    Meaning(("events_final",), "those of them that became final where they were submitted"),
    Meaning(("events_refused",), "events that a node refused because of a rule"),
    Meaning(("fetches",), "records that were asked for"),
    Meaning(("fetches_done",), "records that were opened"),
    Meaning(("refused_fetches",), "questions for a record that the custodian refused"),
    Meaning(("failed_fetches",), "questions for a record that ended otherwise, such as too late"),
    Meaning(("fetch_p50_ms", "fetch_p99_ms"), "from the question to the opened record"),
    Meaning(("emergencies",), "records that were asked for without consent"),
    Meaning(
        ("emergency_p50_ms", "emergency_p99_ms"),
        "from the question to the opened record, without consent",
    ),
    Meaning(("withdrawals",), "consents that patients took back"),
    Meaning(
        ("withdrawal_p50_ms", "withdrawal_p95_ms", "withdrawal_p99_ms"),
        "from a withdrawal until 95 % of all honest nodes honour it",
    ),
    Meaning(
        ("withdrawals_unreached",),
        "withdrawals that were not honoured so widely when the run ended",
    ),
    Meaning(("keys_sent",), "keys of records that left custodians"),
    Meaning(("clinics_blamed",), "how often a clinic found another one cheating"),
    Meaning(("named_culprits",), "adversaries against whom honest nodes hold proof"),
    Meaning(("culprits_on_chain",), "adversaries whom the chain names"),
    Meaning(("attacker_bytes",), "bytes that adversaries sent"),
    Meaning(("blocks",), "the length of the chain, in blocks"),
    Meaning(("blocks_empty",), "blocks without events"),
    Meaning(("views",), "attempts to make a block, of which some may fail"),
    Meaning(("messages",), "messages that all nodes sent"),
    Meaning(("messages_per_event",), "messages that all nodes sent for each final event"),
    Meaning(("messages_per_node",), "messages that a node sent, in the mean"),
    Meaning(("bytes",), "bytes that all nodes sent"),
    Meaning(("bytes_per_event",), "bytes that all nodes sent for each final event"),
    Meaning(("bytes_per_node",), "bytes that a node sent, in the mean"),
    Meaning(("bytes_per_node_max",), "bytes that the node sent that sent most"),
)

_PARTS = {
    "p50": "half of them took no longer",
    "p95": "95 of 100 took no longer",
    "p99": "99 of 100 took no longer",
    "max": "the longest",
}
_DURATION = re.compile(r".+?(?:_(p50|p95|p99|max))?_ms")


def meaning_of(metric: str) -> str:
    """Return what a metric means, with its unit; nothing if it is not known."""
    words = next((each.words for each in MEANINGS if metric in each.names), "")
    duration = _DURATION.fullmatch(metric)
    if not words or duration is None:
        return words
    return "; ".join(filter(None, [f"milliseconds {words}", _PARTS.get(duration[1] or "", "")]))


def meanings_of(metrics: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return name and meaning of those of the metrics that are known."""
    return [(name, words) for name in metrics if (words := meaning_of(name))]


def markdown() -> str:
    """Return the table of the documents."""
    rows = (f"| {', '.join(f'`{name}`' for name in each.names)} | {each.words} |"
            for each in MEANINGS)  # fmt: skip
    return "\n".join(["| name | means |", "|---|---|", *rows])
