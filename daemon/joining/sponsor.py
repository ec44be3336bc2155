"""Lets newcomers in who bring the secret of an invitation: the sponsor's side of joining.

The secret is bound to the first member that shows it before that member is proposed, so nobody else
can use it, and a member whose answer was lost hears the same again. What the network refuses (a
name that is taken, for one) leaves the ticket good.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

import structlog
import trio

from daemon.errors import DaemonError
from daemon.joining.invites import InvitationRefused, Invites
from daemon.joining.messages import (
    PEERS_MAX,
    REASON_LENGTH_MAX,
    AdmissionWanted,
    Admitted,
    Answer,
    GenesisSent,
    GenesisWanted,
    JoinRefused,
)
from daemon.receipts import Receipt
from daemon.storage.store import ChainStore
from daemon.transport import Stream
from daemon.transport.guards import TokenBucket
from protocol.codec import decode, encode
from protocol.errors import InvalidSignature, ProtocolError
from protocol.events import (
    EVENT_LIFETIME_MAX,
    EVENT_SIZE_MAX,
    MemberAdmitted,
    SignedEvent,
    event_signing_bytes,
)
from protocol.genesis import PROTOCOL_VERSION, Genesis, Member
from protocol.identity import MemberId, NetworkId, SigningKey, is_valid_signature, short
from protocol.messages import PeerRecord
from protocol.state import StateView, member_entry

REQUEST_SECONDS_MAX = 30
"""How long we wait for each request."""

REQUEST_SIZE_MAX = EVENT_SIZE_MAX + 1_024
"""Bytes of a request: an event, and what wraps it."""

JOINS_AT_ONCE_MAX = 8

REFUSALS_LOGGED_BURST = 30
REFUSALS_LOGGED_PER_SECOND = 0.5
"""How often refusals are logged. Whoever guesses keeps nobody out: a secret cannot be guessed."""

T = TypeVar("T")

log = structlog.get_logger("joining")


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
        self._may_log = TokenBucket(
            burst=REFUSALS_LOGGED_BURST, per_second=REFUSALS_LOGGED_PER_SECOND
        )

    async def serve(self, stream: Stream) -> None:
        """Answer one who wants to join, on a stream of `JOIN_PROTOCOL`."""
        stream.limit_frames(REQUEST_SIZE_MAX)
        if len(self._secrets_in_use) >= JOINS_AT_ONCE_MAX:
            await _send(stream, JoinRefused("try-again", "too many want to join at the moment"))
            return
        try:
            await self._admit(stream)
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
        log.info("member-admitted", peer=short(stream.member), name=member.name, height=height)
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
        if self._may_log.take():
            log.warning("join-refused", peer=short(stream.member), reason=error.code)
        await _send(stream, JoinRefused(error.code, str(error)[:REASON_LENGTH_MAX]))


async def _receive(stream: Stream, expected: type[T]) -> T:
    with trio.fail_after(REQUEST_SECONDS_MAX):
        return decode(await stream.receive(), expected, REQUEST_SIZE_MAX)


async def _send(stream: Stream, answer: Answer) -> None:
    with trio.fail_after(REQUEST_SECONDS_MAX):
        await stream.send(encode(answer))
