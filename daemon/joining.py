"""How a stranger with a ticket becomes a member: the protocol `/placet/join/1`.

    joiner                               sponsor (an authority)
    GenesisWanted(version, secret)   →
                                     ←   GenesisSent(genesis)        checked against the ticket
    AdmissionWanted(event, signature) →                              binds the ticket, co-signs,
                                     ←   Admitted(height, peers)     waits until it is final

At any point the sponsor may answer `JoinRefused`. The connection is encrypted and its ends are
known by their keys before the secret is sent, and the joiner dials nobody but the ticket's sponsor.
The secret works once; the same member may ask again, and hears the same.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Protocol, TypeVar

import msgspec
import structlog
import trio

from daemon.errors import DaemonError, Exit
from daemon.invites import InvitationRefused, Invites
from daemon.receipts import Receipt
from daemon.store import ChainStore
from daemon.ticket import Ticket
from daemon.transport import Stream, StreamClosed
from protocol.codec import Bytes16, Counter, Message, decode, encode
from protocol.errors import InvalidSignature, ProtocolError
from protocol.events import (
    EVENT_LIFETIME_MAX,
    Event,
    MemberAdmitted,
    SignedEvent,
    event_signing_bytes,
)
from protocol.genesis import (
    PROTOCOL_VERSION,
    Genesis,
    Member,
    network_id,
    validate_genesis,
)
from protocol.identity import (
    MemberId,
    NetworkId,
    Signature,
    SigningKey,
    is_valid_signature,
    short,
)
from protocol.messages import PeerRecord
from protocol.state import StateView, member_entry

JOIN_PROTOCOL = "/placet/join/1"

ANSWER_SECONDS_MAX = 60
"""How long the joiner waits for each answer; an admission must become final meanwhile."""

REQUEST_SECONDS_MAX = 30
"""How long the sponsor waits for each request."""

JOINS_AT_ONCE_MAX = 8
REFUSALS_MAX = 30
"""So many wrong secrets within `REFUSAL_WINDOW_SECONDS`, and nobody may try for a while."""
REFUSAL_WINDOW_SECONDS = 60

ADMISSION_LIFETIME = 3_600_000
"""How long the signed admission may wait for a block, in milliseconds."""

PEERS_MAX = 128
REASON_LENGTH_MAX = 300

log = structlog.get_logger("joining")


class GenesisWanted(Message, frozen=True, tag="genesis-wanted"):
    version: Annotated[int, msgspec.Meta(ge=0, le=255)]
    secret: Bytes16

    def __repr__(self) -> str:
        return "GenesisWanted()"


class GenesisSent(Message, frozen=True, tag="genesis-sent"):
    genesis: Genesis


class AdmissionWanted(Message, frozen=True, tag="admission-wanted"):
    """The admission of the sender, with its own signature; the sponsor's is to be added."""

    event: Event
    signature: Signature


class Admitted(Message, frozen=True, tag="admitted"):
    """The admission is final in the block at `height`."""

    height: Counter
    peers: Annotated[tuple[PeerRecord, ...], msgspec.Meta(max_length=PEERS_MAX)]


class JoinRefused(Message, frozen=True, tag="join-refused"):
    code: Annotated[str, msgspec.Meta(max_length=64)]
    reason: Annotated[str, msgspec.Meta(max_length=REASON_LENGTH_MAX)]


T = TypeVar("T")
Request = GenesisWanted | AdmissionWanted
Answer = GenesisSent | Admitted | JoinRefused


class NotAdmitted(DaemonError):
    """The sponsor does not let us in."""

    code = "not-admitted"
    next_step = "Ask the authority for a new ticket, then run: placet join TICKET"


class WrongGenesis(DaemonError):
    """The sponsor's network is not the one that the ticket names."""

    code = "wrong-genesis"
    exit_code = Exit.VERIFICATION_FAILED
    next_step = "Do not join. Ask the authority, by telephone, what its genesis hash is."


class SponsorFailed(DaemonError):
    """The sponsor did not answer, or said something else than the protocol wants."""

    code = "sponsor-failed"
    exit_code = Exit.TRY_AGAIN
    next_step = "Try again later, or ask another authority for a ticket."


@dataclass(frozen=True, slots=True)
class Joined:
    """What a new member starts with."""

    genesis: Genesis
    height: int
    peers: tuple[PeerRecord, ...]


class SponsorNode(Protocol):
    """What the sponsor's side needs of its node."""

    genesis: Genesis
    network: NetworkId
    me: MemberId
    store: ChainStore

    @property
    def state(self) -> StateView: ...

    def now(self) -> int: ...

    async def submit(self, signed: SignedEvent, /) -> Receipt: ...


async def join(
    stream: Stream, ticket: Ticket, *, key: SigningKey, member: Member, now: int
) -> Joined:
    """Ask the sponsor at the other end of `stream` to admit us as `member`.

    Raises `NotAdmitted` or `SponsorFailed`. Asking again after a failure does no harm.
    """
    assert key.public == member.id
    genesis = await _fetch_genesis(stream, ticket)
    body = MemberAdmitted(member=member, sponsor=ticket.sponsor)
    event = Event(valid_until=now + ADMISSION_LIFETIME, body=body)
    signature = key.sign(event_signing_bytes(event, ticket.network))
    answer = await _ask(stream, AdmissionWanted(event=event, signature=signature))
    if not isinstance(answer, Admitted):
        raise SponsorFailed("the sponsor did not answer our request for admission")
    return Joined(genesis=genesis, height=answer.height, peers=answer.peers)


class Sponsor:
    """Admits those who bring the secret of an invitation of ours."""

    def __init__(
        self,
        node: SponsorNode,
        key: SigningKey,
        known_peers: Callable[[], Sequence[PeerRecord]],
    ) -> None:
        """Sign with `key`, the node's own; newcomers are told of `known_peers`."""
        self._node = node
        self._key = key
        self._known_peers = known_peers
        self._invites = Invites(node.store)
        self._secrets_in_use: set[bytes] = set()
        self._refusals: deque[float] = deque(maxlen=REFUSALS_MAX)

    async def serve(self, stream: Stream) -> None:
        """Answer one who wants to join, on a stream of `JOIN_PROTOCOL`."""
        if len(self._secrets_in_use) >= JOINS_AT_ONCE_MAX or self._is_under_attack():
            await _send(stream, JoinRefused("try-again", "too many want to join at the moment"))
            return
        try:
            await self._admit(stream)
        except InvitationRefused as error:
            self._refusals.append(trio.current_time())
            await self._refuse(stream, error)
        except (ProtocolError, DaemonError) as error:
            await self._refuse(stream, error)
        finally:
            await stream.close()

    async def _admit(self, stream: Stream) -> None:
        first = await _receive(stream, GenesisWanted)
        if first.version != PROTOCOL_VERSION:
            raise InvitationRefused(f"we speak version {PROTOCOL_VERSION}, not {first.version}")
        self._invites.check(first.secret, stream.member, self._node.now())
        with self._in_use(first.secret):
            await _send(stream, GenesisSent(self._node.genesis))
            wanted = await _receive(stream, AdmissionWanted)
            member = self._checked(wanted, stream.member)
            height = await self._bring_in(first.secret, wanted, member)
        log.info("member admitted", peer=stream.member, name=member.name, height=height)
        await _send(stream, Admitted(height, tuple(self._known_peers())[:PEERS_MAX]))

    @contextmanager
    def _in_use(self, secret: bytes) -> Iterator[None]:
        """Keep everybody else from using the secret while its admission is under way."""
        if secret in self._secrets_in_use:
            raise InvitationRefused("this ticket is being used at this moment")
        self._secrets_in_use.add(secret)
        try:
            yield
        finally:
            self._secrets_in_use.discard(secret)

    def _checked(self, wanted: AdmissionWanted, asker: MemberId) -> Member:
        """Return whom to admit, or raise `InvitationRefused` or `InvalidSignature`."""
        event, body = wanted.event, wanted.event.body
        if not isinstance(body, MemberAdmitted) or body.member.id != asker:
            raise InvitationRefused("one can ask for one's own admission only")
        if (
            body.sponsor != self._node.me
            or event.valid_until > self._node.now() + EVENT_LIFETIME_MAX
        ):
            raise InvitationRefused("the admission names another sponsor, or a time too far ahead")
        message = event_signing_bytes(event, self._node.network)
        if not is_valid_signature(asker, message, wanted.signature):
            raise InvalidSignature("the admission is not signed by the one who asks")
        return body.member

    async def _bring_in(self, secret: bytes, wanted: AdmissionWanted, member: Member) -> int:
        """Return the height at which `member` was admitted, now or on an earlier try."""
        known = member_entry(self._node.state, member.id)
        if known is not None and known.removed_height is None:
            return known.admitted_height
        invite = self._invites.check(secret, member.id, self._node.now())
        await trio.to_thread.run_sync(self._invites.bind, invite, member.id)
        own = self._key.sign(event_signing_bytes(wanted.event, self._node.network))
        try:
            receipt = await self._node.submit(SignedEvent(wanted.event, (own, wanted.signature)))
        except ProtocolError:
            # The network does not want this member, for one because the name is taken. The ticket
            # stays good.
            await trio.to_thread.run_sync(self._invites.bind, invite, None)
            raise
        return receipt.height

    async def _refuse(self, stream: Stream, error: ProtocolError | DaemonError) -> None:
        log.warning("join refused", peer=stream.member, cause=error.code)
        await _send(stream, JoinRefused(error.code, str(error)[:REASON_LENGTH_MAX]))

    def _is_under_attack(self) -> bool:
        recent = trio.current_time() - REFUSAL_WINDOW_SECONDS
        return len(self._refusals) == REFUSALS_MAX and self._refusals[0] > recent


async def _fetch_genesis(stream: Stream, ticket: Ticket) -> Genesis:
    answer = await _ask(stream, GenesisWanted(PROTOCOL_VERSION, ticket.secret))
    if not isinstance(answer, GenesisSent):
        raise SponsorFailed("the sponsor did not send the genesis")
    if network_id(answer.genesis) != ticket.network:
        sent = short(network_id(answer.genesis))
        raise WrongGenesis(f"the sponsor is in network {sent}, not in {short(ticket.network)}")
    validate_genesis(answer.genesis)
    return answer.genesis


async def _ask(stream: Stream, request: Request) -> Answer:
    try:
        with trio.fail_after(ANSWER_SECONDS_MAX):
            await stream.send(encode(request))
            answer: Answer = decode(await stream.receive(), Answer)
    except trio.TooSlowError as error:
        raise SponsorFailed("the sponsor did not answer in time") from error
    except StreamClosed as error:
        raise SponsorFailed("the sponsor hung up") from error
    except ProtocolError as error:
        raise SponsorFailed(f"the sponsor's answer makes no sense: {error}") from error
    if isinstance(answer, JoinRefused):
        raise _refusal(answer)
    return answer


def _refusal(answer: JoinRefused) -> DaemonError:
    reason = "".join(letter for letter in answer.reason if letter.isprintable())
    if answer.code in ("try-again", "not-final-in-time"):
        return SponsorFailed(f"the sponsor says: {reason}")
    if answer.code == "name-taken":
        next_step = "The ticket stays good: change `name` in config.toml, then join with it again."
        return NotAdmitted(f"the sponsor says: {reason}", next_step)
    return NotAdmitted(f"the sponsor says: {reason}")


async def _receive(stream: Stream, expected: type[T]) -> T:
    with trio.fail_after(REQUEST_SECONDS_MAX):
        return decode(await stream.receive(), expected)


async def _send(stream: Stream, answer: Answer) -> None:
    with trio.fail_after(REQUEST_SECONDS_MAX):
        await stream.send(encode(answer))
