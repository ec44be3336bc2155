"""Networks, people and signed events for tests: the same bytes in every run.

    network = make_network(authority_count=4, member_count=2)
    hospital, clinic = network.authorities[0], network.members[0]
    patient = make_key("patient")
    grant = consent_given(network, patient, hospital)

Every builder returns a signed event that is valid in the state it naturally follows, unless the
test changes a field on purpose (`signed_by` signs any body with any keys). Keys come from labels,
ids from `token(label)`. Nothing here reads a clock or rolls dice.
"""

from dataclasses import dataclass
from hashlib import sha256

from protocol.codec import MILLISECONDS_PER_DAY
from protocol.events import (
    AccessRequested,
    Basis,
    Body,
    ConsentGiven,
    ConsentWithdrawn,
    Disclosure,
    EmergencyBasis,
    EmergencyReviewed,
    Erased,
    Event,
    EventId,
    MemberAdmitted,
    MemberRemoved,
    RecordsCommitted,
    RequestStatement,
    SignedEvent,
    Verdict,
    event_id,
    request_signing_bytes,
    sign_event,
)
from protocol.genesis import (
    PROTOCOL_VERSION,
    Authority,
    Genesis,
    Member,
    MemberKind,
    Profile,
    network_id,
    quorum,
    validate_genesis,
)
from protocol.identity import MemberId, NetworkId, SigningKey
from protocol.messages import Bundle, PeerRecord, sign_bundle, sign_peer_record
from protocol.votes import (
    NO_BLOCK,
    Certificate,
    Vote,
    VoteKind,
    assemble_certificate,
    sign_vote,
)

CREATED_AT = 1_800_000_000_000
"""When example networks begin: Friday, 15 January 2027, 08:00 UTC, in milliseconds."""

TODAY = CREATED_AT // MILLISECONDS_PER_DAY
VALID_UNTIL = CREATED_AT + MILLISECONDS_PER_DAY
"""When events expire, if the test does not say."""

KINDS = tuple(MemberKind)


@dataclass(frozen=True)
class Party:
    """A member and all its keys. Ordinary members have a voting key too; nobody knows it."""

    member: Member
    key: SigningKey
    voting_key: SigningKey
    officer_key: SigningKey
    recovery_key: SigningKey

    @property
    def id(self) -> MemberId:
        return self.member.id

    @property
    def next_voting_key(self) -> SigningKey:
        return make_key(f"{self.member.name} next voting")

    @property
    def authority(self) -> Authority:
        """What the genesis says of it, if it votes."""
        return Authority(
            member=self.id,
            voting_key=self.voting_key.public,
            recovery_key=self.recovery_key.public,
        )


@dataclass(frozen=True)
class Network:
    """A genesis and everybody in it. The index of an authority is its index as a signer."""

    genesis: Genesis
    id: NetworkId
    authorities: tuple[Party, ...]
    members: tuple[Party, ...]
    """The members that are no authorities, sorted by id."""

    @property
    def parties(self) -> tuple[Party, ...]:
        return (*self.authorities, *self.members)

    @property
    def quorum(self) -> int:
        return quorum(len(self.authorities))


def make_key(label: str) -> SigningKey:
    """Return the key that belongs to the label."""
    return SigningKey(sha256(f"key {label}".encode()).digest())


def token(label: str, size: int = 32) -> bytes:
    """Return bytes that stand for a commitment, an id or a hash."""
    assert size <= 32
    return sha256(f"token {label}".encode()).digest()[:size]


def make_party(name: str, kind: MemberKind = MemberKind.CLINIC) -> Party:
    """Return an organisation, which need not be a member of any network."""
    key, officer_key = make_key(name), make_key(f"{name} officer")
    kem_key = (token(f"{name} kem") * 38)[:1216]
    member = Member(
        id=key.public, name=name, kind=kind, kem_key=kem_key, officer=officer_key.public
    )
    voting_key, recovery_key = make_key(f"{name} voting"), make_key(f"{name} recovery")
    return Party(member, key, voting_key, officer_key, recovery_key)


def make_network(
    authority_count: int = 4,
    member_count: int = 2,
    *,
    profile: Profile = Profile.OPT_IN,
    delay_bound: int = 50,
    name: str = "example",
) -> Network:
    """Return a network of authority-0, authority-1, ... and member-0, member-1, ..."""
    authorities = _make_parties("authority", authority_count)
    members = _make_parties("member", member_count)
    everybody = sorted((*authorities, *members), key=lambda party: party.id)
    genesis = Genesis(
        version=PROTOCOL_VERSION,
        name=name,
        created_at=CREATED_AT,
        profile=profile,
        emergency_veto=False,
        delay_bound=delay_bound,
        members=tuple(party.member for party in everybody),
        authorities=tuple(party.authority for party in authorities),
    )
    validate_genesis(genesis)
    return Network(genesis, network_id(genesis), authorities, members)


def _make_parties(name: str, count: int) -> tuple[Party, ...]:
    parties = [make_party(f"{name}-{index}", KINDS[index % len(KINDS)]) for index in range(count)]
    return tuple(sorted(parties, key=lambda party: party.id))


def signed_by(
    network: Network, body: Body, *keys: SigningKey, valid_until: int = VALID_UNTIL
) -> SignedEvent:
    """Return the event with the signatures of `keys`, be they right or wrong."""
    return sign_event(Event(valid_until, body), network.id, *keys)


def id_of(network: Network, signed: SignedEvent) -> EventId:
    return event_id(signed.event, network.id)


def member_admitted(
    network: Network, newcomer: Party, sponsor: Party, *, valid_until: int = VALID_UNTIL
) -> SignedEvent:
    body = MemberAdmitted(newcomer.member, sponsor.id)
    return signed_by(network, body, sponsor.key, newcomer.key, valid_until=valid_until)


def member_removed(
    network: Network,
    member: MemberId,
    removers: tuple[Party, ...] | None = None,
    *,
    valid_until: int = VALID_UNTIL,
) -> SignedEvent:
    """Remove with the first quorum of authorities, or with exactly `removers` in their order."""
    if removers is None:
        removers = network.authorities[: network.quorum]
    body = MemberRemoved(member, tuple(party.id for party in removers))
    keys = [party.key for party in removers]
    return signed_by(network, body, *keys, valid_until=valid_until)


def consent_given(
    network: Network,
    subject: SigningKey,
    custodian: Party,
    *,
    consent: bytes | None = None,
    terms: bytes | None = None,
    expiry_day: int = TODAY + 30,
    valid_until: int = VALID_UNTIL,
) -> SignedEvent:
    """Give the consent `token("consent", 16)`, if the test does not say which."""
    body = ConsentGiven(
        subject=subject.public,
        consent=token("consent", 16) if consent is None else consent,
        custodian=custodian.id,
        terms=token("terms") if terms is None else terms,
        expiry_day=expiry_day,
    )
    return signed_by(network, body, subject, valid_until=valid_until)


def consent_withdrawn(
    network: Network,
    subject: SigningKey,
    *,
    consent: bytes | None = None,
    valid_until: int = VALID_UNTIL,
) -> SignedEvent:
    body = ConsentWithdrawn(subject.public, token("consent", 16) if consent is None else consent)
    return signed_by(network, body, subject, valid_until=valid_until)


def records_committed(
    network: Network,
    custodian: Party,
    *,
    root: bytes | None = None,
    count: int = 8,
    valid_until: int = VALID_UNTIL,
) -> SignedEvent:
    body = RecordsCommitted(custodian.id, token("root") if root is None else root, count)
    return signed_by(network, body, custodian.key, valid_until=valid_until)


def access_requested(
    network: Network,
    requester: Party,
    custodian: Party,
    *,
    request: bytes | None = None,
    valid_until: int = VALID_UNTIL,
) -> SignedEvent:
    body = AccessRequested(
        requester.id, custodian.id, token("request") if request is None else request
    )
    return signed_by(network, body, requester.key, valid_until=valid_until)


def disclosure(
    network: Network,
    subject: SigningKey,
    custodian: Party,
    requester: Party,
    *,
    counter: int = 1,
    basis: Basis | None = None,
    request: bytes | None = None,
    request_until: int | None = None,
    valid_until: int = VALID_UNTIL,
) -> SignedEvent:
    """Disclose in an emergency, if the test does not say on what basis.

    The default request depends on subject and counter, so that counting up is all a test must do.
    """
    if request is None:
        request = token(f"request {counter} {subject.public.hex()}")
    if request_until is None:
        request_until = valid_until
    statement = RequestStatement(requester.id, custodian.id, request, request_until)
    body = Disclosure(
        subject=subject.public,
        counter=counter,
        custodian=custodian.id,
        requester=requester.id,
        basis=EmergencyBasis() if basis is None else basis,
        request=request,
        request_until=request_until,
        request_signature=requester.key.sign(request_signing_bytes(statement, network.id)),
        manifests=token("manifests"),
        release=token("release"),
    )
    return signed_by(network, body, custodian.key, valid_until=valid_until)


def emergency_reviewed(
    network: Network,
    disclosed: SignedEvent,
    reviewer: Party,
    verdict: Verdict = Verdict.JUSTIFIED,
    *,
    valid_until: int = VALID_UNTIL,
) -> SignedEvent:
    body = EmergencyReviewed(id_of(network, disclosed), reviewer.id, verdict)
    return signed_by(network, body, reviewer.officer_key, valid_until=valid_until)


def erased(
    network: Network,
    custodian: Party,
    *,
    what: bytes | None = None,
    valid_until: int = VALID_UNTIL,
) -> SignedEvent:
    body = Erased(custodian.id, token("erased") if what is None else what)
    return signed_by(network, body, custodian.key, valid_until=valid_until)


def make_vote(
    network: Network,
    signer: int,
    *,
    kind: VoteKind = VoteKind.NOTARIZE,
    view: int = 1,
    block: bytes | None = None,
    epoch: int = 0,
) -> Vote:
    """Return the vote of the authority with index `signer`; a nullify vote names no block."""
    if block is None:
        block = NO_BLOCK if kind == VoteKind.NULLIFY else token("block")
    return sign_vote(
        network.authorities[signer].voting_key,
        network.id,
        kind=kind,
        epoch=epoch,
        view=view,
        block=block,
        signer=signer,
    )


def make_certificate(
    network: Network,
    *,
    kind: VoteKind = VoteKind.FINALIZE,
    view: int = 1,
    block: bytes | None = None,
) -> Certificate:
    """Return the certificate of the first quorum of authorities."""
    votes = [
        make_vote(network, signer, kind=kind, view=view, block=block)
        for signer in range(network.quorum)
    ]
    return assemble_certificate(votes, len(network.authorities))


def make_bundle(
    network: Network, submitter: Party, *events: SignedEvent, sequence: int = 1
) -> Bundle:
    return sign_bundle(submitter.key, network.id, sequence, events)


def make_peer_record(
    network: Network, party: Party, *addresses: str, issued_at: int = CREATED_AT
) -> PeerRecord:
    addresses = addresses or ("/ip4/192.0.2.1/tcp/4001",)
    return sign_peer_record(party.key, network.id, issued_at, addresses)
