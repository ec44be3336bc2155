"""What a patient reads about a decision."""

from hypothesis import given
from hypothesis import strategies as st

from protocol.directives import Outcome, Reason, decide
from protocol.explanation import _OUTCOME_WORDS, _REASON_WORDS, explain
from tests.protocol.directive_examples import (
    OPT_IN,
    RECORDS,
    ask,
    directives,
    permit,
    policies,
    questions,
    restriction,
)


def test_a_decision_is_explained_directive_by_directive() -> None:
    decision = decide(ask(), RECORDS[0], [restriction(2), permit(1)], OPT_IN)
    assert explain(decision) == (
        "The permit 01010101 permits it.",
        "The restriction 02020202 forbids it.",
        "Denied: a restriction matches.",
    )


def test_there_are_words_for_everything() -> None:
    assert set(_OUTCOME_WORDS) == set(Outcome)
    assert set(_REASON_WORDS) == set(Reason)


@given(questions, st.sampled_from(RECORDS), directives(), policies)
def test_the_last_sentence_says_what_was_decided(question, record, everything, policy) -> None:
    decision = decide(question, record, everything, policy)
    sentences = explain(decision)
    assert len(sentences) == len(everything) + 1
    assert sentences[-1].startswith("Permitted" if decision.permitted else "Denied")
