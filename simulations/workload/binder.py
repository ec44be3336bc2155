"""The terms that one clinic keeps, and what became of each directive: the chain says it each time.

A withdrawal that the node has seen counts at once, a restriction when it is here, a permit only
when it is final.
"""

from collections.abc import Iterator

from protocol.delivery import TermsOpening
from protocol.directives import Directive, Standing
from protocol.events import ConsentGiven, ConsentId, SignedEvent
from protocol.identity import SubjectId
from protocol.state import consent_entry
from protocol.terms import Terms, terms_commitment
from simulations.workload.node import ClinicNode


class Binder:
    """Terms by subject, with the patient's signed events."""

    def __init__(self, node: ClinicNode) -> None:
        self._node = node
        self._kept: dict[ConsentId, tuple[SignedEvent, TermsOpening]] = {}
        self._by_subject: dict[SubjectId, list[ConsentId]] = {}

    def keep(self, given: SignedEvent, opening: TermsOpening) -> None:
        """Keep terms that were found to be the patient's."""
        terms = opening.terms
        if terms.consent not in self._kept:
            self._kept[terms.consent] = given, opening
            self._by_subject.setdefault(terms.subject, []).append(terms.consent)

    def has(self, consent: ConsentId) -> bool:
        return consent in self._kept

    def directives(self, subject: SubjectId) -> tuple[Directive, ...]:
        """Return what a decision about the subject's records rests on."""
        return tuple(self._directives(subject))

    def _directives(self, subject: SubjectId) -> Iterator[Directive]:
        for consent in self._by_subject.get(subject, ()):
            given, opening = self._kept[consent]
            standing = self._standing(given, opening)
            if standing is not None and opening.terms.custodian == self._node.member.id:
                yield Directive(opening.terms, standing)

    def standing(self, consent: ConsentId) -> Standing | None:
        """Return what became of a directive; `None` if we do not know it, or it came to nothing."""
        kept = self._kept.get(consent)
        return None if kept is None else self._standing(*kept)

    def terms(self, consent: ConsentId) -> Terms:
        return self._kept[consent][1].terms

    def _standing(self, given: SignedEvent, opening: TermsOpening) -> Standing | None:
        body = given.event.body
        assert isinstance(body, ConsentGiven)
        if self._node.is_withdrawn(body.consent):
            return Standing.WITHDRAWN
        entry = consent_entry(self._node.state, body.consent)
        if entry is None:
            is_lost = self._node.timestamp >= given.event.valid_until
            return None if is_lost else Standing.PENDING
        if entry.terms != terms_commitment(opening.salt, opening.terms):
            return None  # Another consent took the id first.
        return Standing.ACTIVE if entry.withdrawn_height is None else Standing.WITHDRAWN
