"""Members, records and terms for tests of decisions, and Hypothesis strategies over few of each."""

from hashlib import sha256

import msgspec
from hypothesis import strategies as st

from protocol.container import CHUNK_SIZE, Content, dek_commitment
from protocol.directives import BasePolicy, Directive, Question, Standing
from protocol.genesis import Member, MemberKind, Profile
from protocol.identity import SigningKey
from protocol.record import Description, Manifest
from protocol.terms import (
    TERMS_VERSION,
    AllRecords,
    AuthoredBetween,
    DirectiveKind,
    EvidenceClass,
    Purpose,
    Recipients,
    Scope,
    Terms,
    TheseRecords,
    WithCategory,
    WithSensitivity,
)

NETWORK = bytes([9]) * 32
SUBJECT_KEY = SigningKey(b"s" * 32)
SUBJECT = SUBJECT_KEY.public
NOON = 1_800_000_000_000
HOUR = 3_600_000
JUSTIFICATION = "Unconscious, allergies must be known"


def member_of(name: str, kind: MemberKind) -> Member:
    public = SigningKey(sha256(name.encode()).digest()).public
    return Member(id=public, name=name, kind=kind, kem_key=bytes(1216), officer=bytes(32))


HOSPITAL = member_of("hospital", MemberKind.HOSPITAL)
CLINIC = member_of("clinic", MemberKind.CLINIC)
PHARMACY = member_of("pharmacy", MemberKind.PHARMACY)
INSURER = member_of("insurer", MemberKind.INSURER)
REQUESTERS = (CLINIC, PHARMACY, INSURER)


def manifest_of(
    number: int,
    *,
    categories: tuple[str, ...] = (),
    sensitivity: tuple[str, ...] = (),
    authored_at: int = NOON,
) -> Manifest:
    description = Description(
        subject=SUBJECT,
        custodian=HOSPITAL.id,
        mime_type="text/plain",
        categories=categories,
        sensitivity=sensitivity,
        author="hospital",
        authored_at=authored_at,
        title=None,
    )
    content = Content(
        length=0,
        chunk_size=CHUNK_SIZE,
        prefix=bytes(16),
        root=bytes(32),
        dek_commitment=dek_commitment(bytes(32)),
        sha256=bytes(32),
        sha1=bytes(20),
    )
    return Manifest(
        id=bytes([number]) * 16, description=description, content=content, salt=bytes(32)
    )


RECORDS = (
    manifest_of(1, categories=("laboratory",)),
    manifest_of(2, categories=("imaging",), sensitivity=("PSY",), authored_at=NOON - HOUR),
    manifest_of(3),
)


def scope_of(
    *,
    recipients: Recipients | None = None,
    purposes: tuple[Purpose, ...] = (Purpose.TREAT,),
    records: tuple = (AllRecords(),),
) -> Scope:
    return Scope(
        recipients=recipients or Recipients(anyone=True), purposes=purposes, records=records
    )


def terms_of(number: int, kind: DirectiveKind = DirectiveKind.PERMIT, **changes: object) -> Terms:
    terms = Terms(
        version=TERMS_VERSION,
        consent=bytes([number]) * 16,
        network=NETWORK,
        subject=SUBJECT,
        custodian=HOSPITAL.id,
        kind=kind,
        scope=scope_of(),
        valid_from=NOON - HOUR,
        valid_until=NOON + HOUR,
        exceptions=(),
        emergency_override=True,
        policy=None,
        evidence=EvidenceClass.PATIENT_SIGNED,
        redisclosure="",
        supersedes=None,
    )
    return msgspec.structs.replace(terms, **changes)


def permit(number: int, **changes: object) -> Directive:
    return Directive(terms_of(number, DirectiveKind.PERMIT, **changes), Standing.ACTIVE)


def restriction(number: int, **changes: object) -> Directive:
    return Directive(terms_of(number, DirectiveKind.RESTRICT, **changes), Standing.ACTIVE)


def ask(
    requester: Member = CLINIC,
    purpose: Purpose = Purpose.TREAT,
    *,
    at: int = NOON,
    justification: str = "",
) -> Question:
    return Question(requester, HOSPITAL, purpose, at, justification)


OPT_IN = BasePolicy(Profile.OPT_IN, emergency_veto=True)

recipients = st.just(Recipients(anyone=True)) | st.sampled_from(
    [
        Recipients(anyone=True),
        Recipients(members=(CLINIC.id,)),
        Recipients(kinds=(MemberKind.PHARMACY, MemberKind.INSURER)),
        Recipients(members=(INSURER.id,), kinds=(MemberKind.CLINIC,)),
    ]
)
selectors = st.sampled_from(
    [
        AllRecords(),
        TheseRecords((RECORDS[0].id,)),
        WithCategory(("imaging", "laboratory")),
        WithSensitivity(("HIV", "PSY")),
        AuthoredBetween(NOON - HOUR, NOON),
    ]
)
purposes = st.sampled_from([Purpose.TREAT, Purpose.BTG]) | st.sampled_from(Purpose)
scopes = st.builds(
    Scope,
    recipients=recipients,
    purposes=st.lists(purposes, min_size=1, max_size=3).map(tuple),
    records=st.lists(selectors, min_size=1, max_size=2).map(tuple),
)
moments = st.sampled_from([NOON - HOUR, NOON - 1, NOON, NOON + 1, NOON + HOUR])


@st.composite
def directives(draw: st.DrawFn) -> list[Directive]:
    """A few directives with distinct ids; any may supersede another, or one never heard of."""
    return [
        Directive(
            terms_of(
                number,
                draw(st.sampled_from(DirectiveKind)),
                scope=draw(scopes),
                valid_from=draw(moments),
                valid_until=NOON + HOUR + draw(st.integers(1, 2)),
                exceptions=tuple(draw(st.lists(scopes, max_size=2))),
                emergency_override=draw(st.booleans()),
                supersedes=draw(
                    st.none() | st.sampled_from([bytes([n]) * 16 for n in range(4) if n != number])
                ),
            ),
            draw(st.sampled_from([Standing.ACTIVE, Standing.ACTIVE, *Standing])),
        )
        for number in range(draw(st.integers(0, 4)))
    ]


questions = st.builds(
    ask,
    st.sampled_from(REQUESTERS),
    purposes,
    at=moments,
    justification=st.sampled_from(["", "too short", " " * 30, "x" * 20, JUSTIFICATION]),
)
policies = st.builds(BasePolicy, st.sampled_from(Profile), st.booleans())
