"""The directives that this node knows: as custodian, as recipient, or because a patient is here.

Terms are sealed in the vault; here they are at hand, by subject. What became of each is asked of
the chain every time: it alone says whether a directive is final or withdrawn. A withdrawal that was
seen counts at once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from daemon.librarian.audits import AuditKey
from daemon.librarian.node import LibrarianNode
from daemon.vault.errors import TermsDamaged
from daemon.vault.vault import Vault
from protocol.codec import Message, decode, encode
from protocol.delivery import TermsOpening, concerns
from protocol.directives import Directive, Standing
from protocol.errors import DecodeError
from protocol.events import ConsentGiven, ConsentId, SignedEvent
from protocol.identity import SubjectId
from protocol.state import consent_entry
from protocol.terms import DirectiveKind, terms_commitment


class KeptTerms(Message, frozen=True, tag="kept-terms"):
    """Terms with the patient's signed event, as the vault keeps them."""

    given: SignedEvent
    opening: TermsOpening


@dataclass(frozen=True, slots=True)
class KnownConsent:
    """A directive that this node knows, and what became of it; None if it can never be final."""

    kept: KeptTerms
    standing: Standing | None

    @property
    def id(self) -> ConsentId:
        return self.kept.opening.terms.consent


class Consents:
    """All terms in the vault, by subject."""

    def __init__(self, node: LibrarianNode) -> None:
        self._node = node
        self._kept: dict[ConsentId, KeptTerms] = {}
        self._by_subject: dict[SubjectId, set[ConsentId]] = {}

    def add(self, kept: Iterable[KeptTerms]) -> None:
        """Take in terms that are in the vault."""
        for each in kept:
            terms = each.opening.terms
            self._kept[terms.consent] = each
            self._by_subject.setdefault(terms.subject, set()).add(terms.consent)

    def remove(self, consents: Iterable[ConsentId]) -> None:
        """Forget terms that are no longer in the vault."""
        for consent in consents:
            kept = self._kept.pop(consent, None)
            if kept is not None:
                self._by_subject[kept.opening.terms.subject].discard(consent)

    def get(self, consent: ConsentId) -> KnownConsent | None:
        kept = self._kept.get(consent)
        return None if kept is None else KnownConsent(kept, self._standing(kept))

    def of(self, subject: SubjectId) -> list[KnownConsent]:
        """Return all directives of `subject` that are known here, sorted by id."""
        return [
            KnownConsent(self._kept[consent], self._standing(self._kept[consent]))
            for consent in sorted(self._by_subject.get(subject, ()))
        ]

    def all(self) -> Iterator[KnownConsent]:
        for consent in sorted(self._kept):
            yield KnownConsent(self._kept[consent], self._standing(self._kept[consent]))

    def directives(self, subject: SubjectId) -> tuple[Directive, ...]:
        """Return what a decision about records of `subject` rests on, if we are its custodian."""
        return tuple(
            Directive(known.kept.opening.terms, known.standing)
            for known in self.of(subject)
            if known.standing is not None and known.kept.opening.terms.custodian == self._node.me
        )

    def grants(self) -> list[KnownConsent]:
        """Return the permits under which we may fetch records from others."""
        me = self._node.member(self._node.me)
        return [
            known
            for known in self.all()
            if me is not None
            and known.kept.opening.terms.kind == DirectiveKind.PERMIT
            and known.kept.opening.terms.custodian != me.id
            and concerns(known.kept.opening.terms, me)
        ]

    def _standing(self, kept: KeptTerms) -> Standing | None:
        body = kept.given.event.body
        assert isinstance(body, ConsentGiven)
        if self._node.is_withdrawn(body.consent):
            return Standing.WITHDRAWN
        entry = consent_entry(self._node.state, body.consent)
        if entry is None:
            is_lost = self._node.store.head.header.timestamp >= kept.given.event.valid_until
            return None if is_lost else Standing.PENDING
        opening = kept.opening
        if entry.subject != body.subject or entry.terms != terms_commitment(
            opening.salt, opening.terms
        ):
            return None  # Another consent took the id first.
        return Standing.ACTIVE if entry.withdrawn_height is None else Standing.WITHDRAWN


def save_terms(vault: Vault, kept: KeptTerms) -> None:
    """Put terms into the vault. Blocks; raises `TermsExist` for other terms of the same consent."""
    vault.put_terms(kept.opening.terms.consent, encode(kept))


def load_terms(vault: Vault) -> tuple[list[KeptTerms], list[ConsentId]]:
    """Return all terms in the vault, and the ids of those that are damaged. Blocks."""
    found, damaged = [], []
    for consent in vault.consent_ids():
        try:
            item: KeptTerms | AuditKey = decode(
                vault.terms(consent),
                KeptTerms | AuditKey,
            )
        except (TermsDamaged, DecodeError):
            damaged.append(consent)
            continue
        if isinstance(item, KeptTerms):
            found.append(item)
    return found, damaged
