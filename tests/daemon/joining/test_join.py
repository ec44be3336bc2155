"""A newcomer and its sponsor, over real streams; the sponsor's ledger and store are real too."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import structlog
import trio
import trio.testing

from daemon.errors import DaemonError
from daemon.joining.invites import Invites
from daemon.joining.join import Joined, NotAdmitted, SponsorFailed, WrongGenesis, join
from daemon.joining.messages import (
    AdmissionWanted,
    Admitted,
    Answer,
    GenesisSent,
    GenesisWanted,
    JoinRefused,
    Request,
)
from daemon.joining.sponsor import JOINS_AT_ONCE_MAX, REFUSALS_LOGGED_BURST, Sponsor
from daemon.joining.ticket import Ticket
from daemon.transport import Stream
from daemon.transport.bytestream import BufferedStream
from daemon.transport.yamux import Yamux, YamuxLimits
from daemon.transport.yamux_stream import YamuxStream
from protocol.codec import decode, encode
from protocol.events import Event, MemberAdmitted, event_signing_bytes
from protocol.genesis import Member, MemberKind
from protocol.identity import MemberId, SigningKey
from protocol.messages import sign_peer_record
from protocol.state import is_member
from tests.daemon.town import Town
from tests.protocol.examples import make_key

LIMITS = YamuxLimits(streams_max=16, allowance=1024 * 1024)
NEWCOMER, THIEF = make_key("newcomer"), make_key("thief")


@dataclass
class Gate:
    """A sponsor and the way to it."""

    town: Town
    sponsor: Sponsor
    ticket: Ticket

    @property
    def now(self) -> int:
        return self.town.hospital.now()

    async def join(self, key: SigningKey = NEWCOMER, name: str = "newcomer") -> Joined:
        async with stream_to(self.sponsor.serve, key.public) as stream:
            return await join(stream, self.ticket, key=key, member=member(key, name), now=self.now)

    async def say(self, *requests: Request, key: SigningKey = NEWCOMER) -> list[Answer]:
        """Send requests one after the other; return the answers."""
        answers: list[Answer] = []
        async with stream_to(self.sponsor.serve, key.public) as stream:
            for request in requests:
                await stream.send(encode(request))
                answers.append(decode(await stream.receive(), Answer))
        return answers

    def wanted(self, member: Member, signer: SigningKey, **changes: object) -> AdmissionWanted:
        values: dict[str, object] = {"sponsor": self.town.hospital.me}
        body = MemberAdmitted(member=member, **(values | changes))  # type: ignore[arg-type]
        event = Event(valid_until=self.now + 1000, body=body)
        return AdmissionWanted(event, signer.sign(event_signing_bytes(event, self.ticket.network)))


def member(key: SigningKey, name: str) -> Member:
    return Member(
        id=key.public,
        name=name,
        kind=MemberKind.CLINIC,
        kem_key=bytes(1216),
        officer=make_key("officer").public,
    )


@asynccontextmanager
async def stream_to(
    serve: Callable[[Stream], Awaitable[None]], caller: MemberId
) -> AsyncIterator[Stream]:
    """Open a stream to a handler that takes us for `caller`."""
    left, right = trio.testing.memory_stream_pair()
    dialler = Yamux(left, is_dialler=True, limits=LIMITS)
    listener = Yamux(right, is_dialler=False, limits=LIMITS)

    async def answer(carrier: YamuxStream) -> None:
        await serve(Stream(caller, carrier, BufferedStream(carrier)))

    async def refuse(carrier: YamuxStream) -> None:
        carrier.reset()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(dialler.run, refuse)
        nursery.start_soon(listener.run, answer)
        await trio.lowlevel.checkpoint()
        carrier = dialler.open_stream()
        yield Stream(bytes(32), carrier, BufferedStream(carrier))
        nursery.cancel_scope.cancel()


@pytest.fixture
def gate(town: Town) -> Gate:
    hospital = town.hospital
    ticket = Invites(hospital.store).create(
        town.network.genesis,
        sponsor=hospital.me,
        addresses=["/ip4/192.0.2.1/tcp/4001"],
        now=hospital.now(),
        lifetime_seconds=60,
    )
    record = sign_peer_record(hospital.keys.signing, town.network.id, hospital.now(), ("/ip4/x",))
    return Gate(town, Sponsor(hospital, hospital.keys.signing, lambda: [record]), ticket)


async def refusal(joining: Awaitable[object]) -> DaemonError:
    """Return why joining failed; the nursery around a stream may put it into a group."""
    try:
        await joining
    except DaemonError as error:
        return error
    except BaseExceptionGroup as group:
        return first_error(group)
    raise AssertionError("it did not fail")


def first_error(group: BaseExceptionGroup[BaseException]) -> DaemonError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, DaemonError)
    return error


async def test_a_ticket_makes_a_member_and_brings_what_it_needs(gate: Gate) -> None:
    joined = await gate.join()
    assert joined.genesis == gate.town.network.genesis
    assert joined.height == gate.town.hospital.store.height
    assert [record.member for record in joined.peers] == [gate.town.hospital.me]
    assert is_member(gate.town.hospital.state, NEWCOMER.public)
    [invite] = Invites(gate.town.hospital.store).all()
    assert invite.used_by == NEWCOMER.public


async def test_a_ticket_works_for_one_member_only(gate: Gate) -> None:
    await gate.join()
    error = await refusal(gate.join(THIEF, "thief"))
    assert isinstance(error, NotAdmitted)
    assert "used by another member" in str(error)
    assert not is_member(gate.town.hospital.state, THIEF.public)


async def test_whoever_lost_the_answer_asks_again_and_hears_the_same(gate: Gate) -> None:
    first = await gate.join()
    height = gate.town.hospital.store.height
    assert await gate.join() == first
    assert gate.town.hospital.store.height == height


async def test_two_at_once_cannot_use_one_ticket(gate: Gate) -> None:
    async with stream_to(gate.sponsor.serve, NEWCOMER.public) as stream:
        wanted = GenesisWanted(1, gate.ticket.secret)
        await stream.send(encode(wanted))
        assert isinstance(decode(await stream.receive(), Answer), GenesisSent)
        [answer] = await gate.say(wanted, key=THIEF)
    assert isinstance(answer, JoinRefused)
    assert "being used at this moment" in answer.reason


async def test_a_refused_name_leaves_the_ticket_good(gate: Gate) -> None:
    error = await refusal(gate.join(name="clinic"))  # Somebody has that name.
    assert isinstance(error, NotAdmitted)
    assert "clinic" in str(error) or "name" in str(error)
    await gate.join(name="another-clinic")


async def test_a_wrong_secret_learns_nothing(gate: Gate) -> None:
    [answer] = await gate.say(GenesisWanted(1, bytes(16)))
    assert isinstance(answer, JoinRefused)


async def test_another_version_is_told_so(gate: Gate) -> None:
    [answer] = await gate.say(GenesisWanted(9, gate.ticket.secret))
    assert isinstance(answer, JoinRefused)
    assert "we speak version 1, not 9" in answer.reason


async def test_one_asks_for_oneself_through_this_sponsor_with_ones_own_signature(
    gate: Gate,
) -> None:
    first = GenesisWanted(1, gate.ticket.secret)
    for wanted in (
        gate.wanted(member(THIEF, "thief"), THIEF),
        gate.wanted(member(NEWCOMER, "newcomer"), NEWCOMER, sponsor=gate.town.clinic.me),
        gate.wanted(member(NEWCOMER, "newcomer"), THIEF),
    ):
        _, answer = await gate.say(first, wanted)
        assert isinstance(answer, JoinRefused)
    assert not is_member(gate.town.hospital.state, NEWCOMER.public)
    _, answer = await gate.say(first, gate.wanted(member(NEWCOMER, "newcomer"), NEWCOMER))
    assert isinstance(answer, Admitted)


async def test_nonsense_is_refused(gate: Gate) -> None:
    async with stream_to(gate.sponsor.serve, NEWCOMER.public) as stream:
        await stream.send(b"nonsense")
        answer = decode(await stream.receive(), Answer)
    assert isinstance(answer, JoinRefused)
    assert answer.code == "not-decodable"


async def test_whoever_guesses_keeps_nobody_out(gate: Gate) -> None:
    with structlog.testing.capture_logs() as logs:
        for number in range(2 * REFUSALS_LOGGED_BURST):
            [answer] = await gate.say(GenesisWanted(1, number.to_bytes(16, "big")))
            assert isinstance(answer, JoinRefused)
    refusals = [line for line in logs if line["event"] == "join-refused"]
    assert REFUSALS_LOGGED_BURST <= len(refusals) < 2 * REFUSALS_LOGGED_BURST
    await gate.join()
    assert is_member(gate.town.hospital.state, NEWCOMER.public)


async def test_only_so_many_join_at_once(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.joining.sponsor.JOINS_AT_ONCE_MAX", 1)
    assert JOINS_AT_ONCE_MAX > 1
    async with stream_to(gate.sponsor.serve, NEWCOMER.public) as stream:
        await stream.send(encode(GenesisWanted(1, gate.ticket.secret)))
        await stream.receive()
        error = await refusal(gate.join(THIEF, "thief"))
    assert isinstance(error, SponsorFailed)


async def lie(gate: Gate, *answers: Answer) -> DaemonError:
    """Return what joining a sponsor raises that answers so, whatever it is asked."""

    async def serve(stream: Stream) -> None:
        for answer in answers:
            await stream.receive()
            await stream.send(encode(answer))
        await stream.close()

    async def ask() -> None:
        async with stream_to(serve, NEWCOMER.public) as stream:
            await join(
                stream, gate.ticket, key=NEWCOMER, member=member(NEWCOMER, "x"), now=gate.now
            )

    return await refusal(ask())


async def test_a_sponsor_with_another_genesis_is_not_believed(gate: Gate) -> None:
    genesis = gate.town.network.genesis
    forged = type(genesis)(
        genesis.version,
        "other",
        genesis.created_at,
        genesis.profile,
        genesis.emergency_veto,
        genesis.delay_bound,
        genesis.members,
        genesis.authorities,
    )
    error = await lie(gate, GenesisSent(forged))
    assert isinstance(error, WrongGenesis)
    assert error.exit_code == 7
    assert "by telephone" in error.next_step


async def test_a_sponsor_that_answers_something_else_has_failed(gate: Gate) -> None:
    genesis = GenesisSent(gate.town.network.genesis)
    assert isinstance(await lie(gate, Admitted(1, ())), SponsorFailed)
    assert isinstance(await lie(gate, genesis, genesis), SponsorFailed)
    assert isinstance(await lie(gate, genesis), SponsorFailed)


async def test_what_a_sponsor_says_cannot_forge_lines_on_a_terminal(gate: Gate) -> None:
    error = await lie(gate, JoinRefused("x", "no\n\033[31mred"))
    assert str(error) == "the sponsor says: no[31mred"
