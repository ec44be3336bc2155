"""A peer that writes raw yamux frames, against us: it is cut off, and nothing grows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from daemon.transport.errors import StreamClosed
from daemon.transport.patience import STREAM_UNITS, UNITS_BURST
from daemon.transport.yamux import REFUSED_STREAMS_MAX, Yamux
from daemon.transport.yamux_frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    GO_AWAY_INTERNAL_ERROR,
    GO_AWAY_NORMAL,
    GO_AWAY_PROTOCOL_ERROR,
    HEADER_SIZE,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    Frame,
    FrameParser,
    encode_header,
)
from daemon.transport.yamux_outbox import ANSWERS_SIZE_MAX
from daemon.transport.yamux_stream import SEND_WINDOW_MAX, WINDOW_SIZE, YamuxStream
from protocol.errors import DecodeError, LimitExceeded, ProtocolError
from tests.daemon.transport.pairs import (
    LIMITS,
    End,
    MemoryStream,
    memory_pair,
    receive_exactly,
    yamux_pair,
)


@asynccontextmanager
async def attacked() -> AsyncIterator[tuple[MemoryStream, End]]:
    """Yield the attacker's raw connection and the listener that it attacks."""
    attacker, ours = memory_pair()
    victim = End(Yamux(ours, is_dialler=False, limits=LIMITS))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(victim.run)
        await trio.testing.wait_all_tasks_blocked()
        yield attacker, victim
        nursery.cancel_scope.cancel()


async def test_a_byte_beyond_the_window_ends_the_connection() -> None:
    async with attacked() as (attacker, victim):
        await attacker.send_all(encode_header(DATA, SYN, 1, WINDOW_SIZE) + bytes(WINDOW_SIZE))
        await trio.testing.wait_all_tasks_blocked()
        assert not victim.ended.is_set()
        await attacker.send_all(encode_header(DATA, 0, 1, 1) + b"x")
        await victim.ended.wait()
        assert isinstance(victim.error, LimitExceeded)


async def test_a_frame_beyond_the_window_is_refused_by_its_header() -> None:
    async with attacked() as (attacker, victim):
        await attacker.send_all(encode_header(DATA, SYN, 1, WINDOW_SIZE + 1))
        await victim.ended.wait()
        assert isinstance(victim.error, LimitExceeded)


@pytest.mark.parametrize("stream_id", [0, 2, 4])
async def test_a_stream_id_of_ours_or_zero_ends_the_connection(stream_id: int) -> None:
    async with attacked() as (attacker, victim):
        await attacker.send_all(encode_header(WINDOW_UPDATE, SYN, stream_id, 0))
        await victim.ended.wait()
        assert isinstance(victim.error, DecodeError)


async def test_streams_beyond_the_limit_are_reset_and_the_others_live() -> None:
    async with attacked() as (attacker, victim):
        count = LIMITS.streams_max + 3
        for number in range(count):
            await attacker.send_all(encode_header(WINDOW_UPDATE, SYN, 2 * number + 1, 0))
        await trio.testing.wait_all_tasks_blocked()
        answers = list(FrameParser().feed(bytes(await attacker.receive_some())))
        assert [it.flags for it in answers if isinstance(it, Frame)].count(ACK) == count - 3
        assert [it.flags for it in answers if isinstance(it, Frame)].count(RST) == 3
        assert not victim.ended.is_set()


async def test_too_many_refused_streams_end_the_connection() -> None:
    async with attacked() as (attacker, victim):
        # One more would do, but one is forgiven each second, and machines may be slow.
        count = LIMITS.streams_max + 2 * REFUSED_STREAMS_MAX
        await attacker.send_all(
            b"".join(
                encode_header(WINDOW_UPDATE, SYN, 2 * number + 1, 0) for number in range(count)
            )
        )
        await victim.ended.wait()
        assert isinstance(victim.error, LimitExceeded)


async def test_streams_that_are_reset_at_once_do_not_pile_up_tasks() -> None:
    async with attacked() as (attacker, victim):
        flood = b"".join(
            encode_header(WINDOW_UPDATE, flag, 2 * number + 1, 0)
            for number in range(500)
            for flag in (SYN, RST)
        )
        await attacker.send_all(flood)
        await trio.testing.wait_all_tasks_blocked()
        assert victim.yamux.streams_accepted == LIMITS.streams_max


async def test_pings_whose_answers_are_not_read_end_the_connection() -> None:
    async with attacked() as (attacker, victim):
        pings = ANSWERS_SIZE_MAX // HEADER_SIZE + 2
        await attacker.send_all(encode_header(PING, SYN, 0, 7) * pings)
        await victim.ended.wait()
        assert isinstance(victim.error, LimitExceeded)


@pytest.mark.parametrize(
    "frame",
    [
        encode_header(WINDOW_UPDATE, 0, 1, 2**32 - 1),
        encode_header(DATA, 0, 77, 0),
        encode_header(DATA, 0, 77, 65_536) + bytes(65_536),
        encode_header(PING, ACK, 0, 7),
    ],
    ids=["window-update", "no-data", "data-for-no-stream", "answers-to-no-ping"],
)
async def test_frames_that_bring_nothing_end_the_connection_in_the_end(frame: bytes) -> None:
    async with attacked() as (attacker, victim):
        batch = frame * 100
        for _ in range(2 * UNITS_BURST // 100):
            if victim.ended.is_set():
                break
            await attacker.send_all(batch)
            await trio.testing.wait_all_tasks_blocked()
        assert isinstance(victim.error, LimitExceeded)


async def test_streams_that_are_opened_and_reset_for_ever_end_the_connection() -> None:
    async def serve_at_once(_: YamuxStream) -> None:
        await trio.lowlevel.checkpoint()

    attacker, ours = memory_pair()
    victim = End(Yamux(ours, is_dialler=False, limits=LIMITS))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(victim.run, serve_at_once)
        for number in range(2 * UNITS_BURST // STREAM_UNITS):
            if victim.ended.is_set():
                break
            stream_id = 2 * number + 1
            pair = [encode_header(WINDOW_UPDATE, it, stream_id, 0) for it in (SYN, RST)]
            await attacker.send_all(b"".join(pair))
            await trio.testing.wait_all_tasks_blocked()
        assert isinstance(victim.error, LimitExceeded)
        nursery.cancel_scope.cancel()


async def test_window_updates_for_what_was_sent_are_welcome() -> None:
    async with yamux_pair() as (dialler, listener):
        stream = dialler.yamux.open_stream()
        opened = await listener.next_stream()
        for _ in range(3 * UNITS_BURST // 256):
            await stream.send_all(bytes(256 * 1024))
            await receive_exactly(opened, 256 * 1024)
            # As an implementation would that opens the window after each KiB.
            updates = encode_header(WINDOW_UPDATE, 0, stream.id, 1) * 256
            listener.yamux.outbox.put_answer(updates)
            await trio.testing.wait_all_tasks_blocked()
        assert dialler.error is None
        assert not dialler.ended.is_set()


async def test_a_ping_is_answered_with_its_value() -> None:
    async with attacked() as (attacker, _):
        await attacker.send_all(encode_header(PING, SYN, 0, 0xDEADBEEF))
        assert await attacker.receive_some() == encode_header(PING, ACK, 0, 0xDEADBEEF)


async def test_a_go_away_ends_the_connection_without_blame() -> None:
    async with attacked() as (attacker, victim):
        await attacker.send_all(encode_header(GO_AWAY, 0, 0, 0))
        await victim.ended.wait()
        assert victim.error is None


async def test_data_for_unknown_streams_is_skipped() -> None:
    async with attacked() as (attacker, victim):
        await attacker.send_all(encode_header(DATA, FIN, 99, 3) + b"abc")
        await attacker.send_all(encode_header(WINDOW_UPDATE, RST, 98, 1))
        await attacker.send_all(encode_header(DATA, SYN, 1, 3) + b"abc")
        assert await (await victim.next_stream()).receive_some() == b"abc"


async def test_an_abandoned_stream_is_reset_when_more_comes() -> None:
    async with attacked() as (attacker, victim):
        await attacker.send_all(encode_header(WINDOW_UPDATE, SYN, 1, 0))
        (await victim.next_stream()).abandon()
        await attacker.send_all(encode_header(DATA, 0, 1, 3) + b"abc")
        await trio.testing.wait_all_tasks_blocked()
        answers = list(FrameParser().feed(bytes(await attacker.receive_some())))
        assert [it.flags for it in answers] == [ACK, FIN, RST]
        assert victim.yamux.is_idle


async def test_an_id_that_is_open_cannot_be_opened_again() -> None:
    async with attacked() as (attacker, victim):
        await attacker.send_all(encode_header(WINDOW_UPDATE, SYN, 1, 0) * 2)
        await victim.ended.wait()
        assert isinstance(victim.error, DecodeError)


async def test_an_id_whose_stream_is_over_is_a_new_stream() -> None:
    async with attacked() as (attacker, victim):
        await attacker.send_all(encode_header(DATA, SYN, 1, 3) + b"old")
        await victim.next_stream()
        await attacker.send_all(encode_header(WINDOW_UPDATE, RST, 1, 0))
        await attacker.send_all(encode_header(DATA, SYN, 1, 3) + b"new")
        assert await (await victim.next_stream()).receive_some() == b"new"


@pytest.mark.parametrize("updates", [[2**32 - WINDOW_SIZE], [2**31, 2**31]])
async def test_a_window_that_overflows_ends_the_connection(updates: list[int]) -> None:
    async with attacked() as (attacker, victim):
        await attacker.send_all(encode_header(WINDOW_UPDATE, SYN, 1, 0))
        for update in updates:
            await attacker.send_all(encode_header(WINDOW_UPDATE, 0, 1, update))
        await victim.ended.wait()
        assert isinstance(victim.error, LimitExceeded)


async def test_the_largest_window_is_taken() -> None:
    async with attacked() as (attacker, victim):
        await attacker.send_all(encode_header(WINDOW_UPDATE, SYN, 1, SEND_WINDOW_MAX - WINDOW_SIZE))
        await trio.testing.wait_all_tasks_blocked()
        assert not victim.ended.is_set()


async def test_data_after_the_end_of_a_stream_resets_it_alone() -> None:
    async with attacked() as (attacker, victim):
        await attacker.send_all(encode_header(DATA, SYN | FIN, 1, 3) + b"end")
        await attacker.send_all(encode_header(DATA, 0, 1, 4) + b"more")
        await attacker.send_all(encode_header(DATA, SYN, 3, 5) + b"other")
        finished, other = await victim.next_stream(), await victim.next_stream()
        with pytest.raises(StreamClosed):
            await finished.receive_some()
        assert await other.receive_some() == b"other"
        assert RST in [it.flags for it in await read_frames(attacker)]


async def test_a_stream_that_is_opened_and_reset_in_one_frame_is_over() -> None:
    async with attacked() as (attacker, victim):
        await attacker.send_all(encode_header(WINDOW_UPDATE, SYN | RST, 1, 0))
        with pytest.raises(StreamClosed):
            await (await victim.next_stream()).receive_some()
        assert victim.yamux.is_idle


async def test_flags_that_nobody_knows_mean_nothing() -> None:
    async with attacked() as (attacker, victim):
        await attacker.send_all(encode_header(DATA, 0xFFF0 | SYN, 1, 3) + b"abc")
        assert await (await victim.next_stream()).receive_some() == b"abc"


async def test_frames_of_our_own_streams_that_never_were_are_skipped() -> None:
    async with attacked() as (attacker, victim):
        for kind in (DATA, WINDOW_UPDATE):
            for flag in (0, ACK, FIN, RST):
                await attacker.send_all(encode_header(kind, flag, 2, 0))
        await attacker.send_all(encode_header(DATA, SYN, 1, 3) + b"abc")
        assert await (await victim.next_stream()).receive_some() == b"abc"


async def test_who_breaks_a_rule_is_told_so() -> None:
    async with attacked() as (attacker, victim):
        await attacker.send_all(encode_header(WINDOW_UPDATE, SYN, 2, 0))
        await victim.ended.wait()
        assert await read_frames(attacker) == [Frame(GO_AWAY, 0, 0, GO_AWAY_PROTOCOL_ERROR)]
        assert victim.yamux.close_reason == str(victim.error)


async def test_who_is_left_in_peace_is_told_so() -> None:
    async with attacked() as (attacker, victim):
        await victim.yamux.close()
        assert await read_frames(attacker) == [Frame(GO_AWAY, 0, 0, GO_AWAY_NORMAL)]


async def test_who_meets_a_bug_of_ours_is_told_so() -> None:
    async def fail(stream: YamuxStream) -> None:
        await trio.testing.wait_all_tasks_blocked()
        raise RuntimeError("a bug")

    attacker, ours = memory_pair()
    victim = End(Yamux(ours, is_dialler=False, limits=LIMITS))
    await attacker.send_all(encode_header(WINDOW_UPDATE, SYN, 1, 0))
    await victim.run(fail)
    assert isinstance(victim.error, ExceptionGroup)
    assert (await read_frames(attacker))[-1] == Frame(GO_AWAY, 0, 0, GO_AWAY_INTERNAL_ERROR)


@pytest.mark.parametrize(
    ("code", "reason"),
    [(0, "left$"), (1, "we broke the protocol"), (2, "an error of its own"), (77, "left$")],
)
async def test_a_go_away_is_believed_whatever_its_reason(code: int, reason: str) -> None:
    async with attacked() as (attacker, victim):
        await attacker.send_all(encode_header(DATA, SYN, 1, 3) + b"abc")
        stream = await victim.next_stream()
        await attacker.send_all(encode_header(GO_AWAY, 0, 0, code))
        await victim.ended.wait()
        assert victim.error is None
        assert await stream.receive_some() == b"abc"
        with pytest.raises(StreamClosed, match=reason):
            await stream.receive_some()
        with pytest.raises(StreamClosed, match=reason):
            victim.yamux.open_stream()


async def test_an_abandoned_stream_makes_room_for_one_of_its_own_side_alone() -> None:
    async with attacked() as (attacker, victim):
        for _ in range(LIMITS.streams_max):
            victim.yamux.open_stream().abandon()
        for number in range(LIMITS.streams_max + 1):
            await attacker.send_all(encode_header(WINDOW_UPDATE, SYN, 2 * number + 1, 0))
        await trio.testing.wait_all_tasks_blocked()
        assert victim.yamux.streams_accepted == LIMITS.streams_max
        victim.yamux.open_stream()


async def test_refusals_are_forgiven_with_time(autojump_clock: trio.testing.MockClock) -> None:
    async with attacked() as (attacker, victim):
        for number in range(LIMITS.streams_max + 2 * REFUSED_STREAMS_MAX):
            await attacker.send_all(encode_header(WINDOW_UPDATE, SYN, 2 * number + 1, 0))
            await trio.sleep(1)
        assert not victim.ended.is_set()


async def read_frames(attacker: MemoryStream) -> list[Frame]:
    """Return the headers that the victim has sent."""
    await trio.testing.wait_all_tasks_blocked()
    items = FrameParser().feed(bytes(await attacker.receive_some()))
    return [it for it in items if isinstance(it, Frame)]


headers = st.builds(
    encode_header,
    st.integers(min_value=0, max_value=3),
    st.integers(min_value=0, max_value=15),
    st.integers(min_value=0, max_value=6),
    st.integers(min_value=0, max_value=20) | st.integers(min_value=0, max_value=2**32 - 1),
)


@given(st.lists(headers | st.binary(max_size=30), max_size=20))
def test_no_input_raises_anything_but_a_protocol_error(pieces: list[bytes]) -> None:
    async def main() -> None:
        async with attacked() as (attacker, victim):
            for piece in pieces:
                await attacker.send_all(piece)
            await attacker.send_eof()
            await victim.ended.wait()
            assert victim.error is None or isinstance(victim.error, ProtocolError)

    trio.run(main)
