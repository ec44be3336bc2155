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

from dataclasses import dataclass

import trio

from daemon.errors import DaemonError, Exit
from daemon.joining.messages import (
    AdmissionWanted,
    Admitted,
    Answer,
    GenesisSent,
    GenesisWanted,
    JoinRefused,
    Request,
)
from daemon.joining.ticket import Ticket
from daemon.transport import Stream, StreamClosed
from protocol.codec import decode, encode
from protocol.errors import ProtocolError
from protocol.events import Event, MemberAdmitted, event_signing_bytes
from protocol.genesis import PROTOCOL_VERSION, Genesis, Member, network_id, validate_genesis
from protocol.identity import SigningKey, short
from protocol.messages import PeerRecord

ANSWER_SECONDS_MAX = 60
"""How long the joiner waits for each answer; an admission must become final meanwhile."""

ADMISSION_LIFETIME = 3_600_000
"""How long the signed admission may wait for a block, in milliseconds."""


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
