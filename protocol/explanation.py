"""Decisions in words, for those who may know them: the patient and the custodian."""

from protocol.directives import Decision, Outcome, Reason
from protocol.identity import short
from protocol.terms import DirectiveKind

_KIND_WORDS = {DirectiveKind.PERMIT: "permit", DirectiveKind.RESTRICT: "restriction"}

_OUTCOME_WORDS = {
    Outcome.PENDING: "does not count before it is final on the chain",
    Outcome.WITHDRAWN: "was withdrawn",
    Outcome.SUPERSEDED: "was superseded by a newer directive",
    Outcome.NOT_YET: "is not in force yet",
    Outcome.OVER: "is over",
    Outcome.OTHER_RECIPIENT: "is about other recipients",
    Outcome.OTHER_PURPOSE: "is about other purposes",
    Outcome.OTHER_RECORD: "is about other records",
    Outcome.EXCEPTED: "makes an exception for this case",
    Outcome.RESTRICTS: "forbids it",
    Outcome.PERMITS: "permits it",
}

_REASON_WORDS = {
    Reason.PERMITTED: "Permitted: a permit matches, and no restriction does.",
    Reason.BASE_PERMITS: "Permitted: no directive matches, and the network permits it by default.",
    Reason.EMERGENCY: "Permitted as an emergency: the patient is told, and a review is due.",
    Reason.RESTRICTED: "Denied: a restriction matches.",
    Reason.BASE_DENIES: "Denied: no permit matches, and the network denies by default.",
    Reason.EMERGENCY_VETOED: "Denied: a restriction forbids it even in an emergency.",
    Reason.EMERGENCY_UNJUSTIFIED: "Denied: an emergency must be justified in a sentence.",
}


def explain(decision: Decision) -> tuple[str, ...]:
    """Return a sentence for each directive that was looked at, and one for the outcome."""
    findings = [
        f"The {_KIND_WORDS[each.terms.kind]} {short(each.terms.consent)} "
        f"{_OUTCOME_WORDS[each.outcome]}."
        for each in decision.trace
    ]
    return (*findings, _REASON_WORDS[decision.reason])
