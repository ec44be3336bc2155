"""Which events come in, what happens to those that do not, and how often bundles are pushed."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from protocol.codec import decode, encode
from protocol.consensus import Instant
from protocol.effects import Effect, RefuseEvents, ScheduleTimer, SendMessage
from protocol.errors import InvalidSignature
from protocol.events import EventId, SignedEvent
from protocol.gossip import Outcome
from protocol.identity import Verifier
from protocol.intake import PUSH_PAUSE_MAX, PUSH_PAUSE_MIN, PUSHED_SIZE_MAX, Intake
from protocol.ledger import EventExpired
from protocol.membership import NotAMember
from protocol.messages import Bundle, Payload
from protocol.relay import Relay
from protocol.submissions import COLLECT_DELAY, PUSH_DELAY_MIN, Submissions, SubmissionTimer
from tests.protocol.example_chain import ExampleChain
from tests.protocol.examples import (
    CREATED_AT,
    Party,
    id_of,
    make_bundle,
    make_network,
    make_party,
    member_admitted,
    member_removed,
    records_committed,
    token,
)

NETWORK = make_network()
HOSPITAL, CLINIC = NETWORK.authorities[0], NETWORK.members[0]
AUTHORITIES = tuple(party.id for party in NETWORK.authorities[:2])
STRANGER = make_party("stranger")


def event(number: int, party: Party = CLINIC) -> SignedEvent:
    return records_committed(NETWORK, party, root=token(f"root {number}"))


def at(monotonic: int) -> Instant:
    return Instant(monotonic=monotonic, wall=CREATED_AT + 1 + monotonic)


class Desk:
    """The intake of a clinic's node."""

    def __init__(self) -> None:
        self.example = ExampleChain(NETWORK)
        self.relay = Relay(lambda: AUTHORITIES)
        for peer in AUTHORITIES:
            list(self.relay.connected(peer, 0))
        self.intake = Intake(
            chain=self.example.chain,
            network=NETWORK.id,
            submissions=Submissions(CLINIC.key, NETWORK.id, 0),
            relay=self.relay,
            verifier=Verifier(),
        )

    def submit(self, *events: SignedEvent, now: int = 0) -> list[Effect]:
        return list(self.intake.submit(events, AUTHORITIES, at(now)))

    def pushes(self, now: int) -> list[Bundle]:
        return list(bundles_of(self.intake.push_pending(AUTHORITIES, at(now))))

    def fill(self, count: int) -> list[Bundle]:
        """Let large bundles wait that others brought."""
        bundles = []
        for number in range(count):
            events = [
                member_admitted(NETWORK, make_party(f"clinic-{number}-{each}"), HOSPITAL)
                for each in range(20)
            ]
            bundles.append(make_bundle(NETWORK, HOSPITAL, *events, sequence=number))
            assert self.intake.judge(bundles[-1], at(0)) is Outcome.ACCEPT
        return bundles

    def finalize(self, *events: SignedEvent, now: int = 0) -> list[Effect]:
        """Let a block of what waits and of `events` become final."""
        self.example.submit(*events, party=HOSPITAL)
        block = self.example.propose()
        assert block is not None
        self.example.chain.finalize([block])
        return list(self.intake.settle(self.example.chain.take_finalization(), at(now)))


def bundles_of(effects: Iterator[Effect] | list[Effect]) -> Iterator[Bundle]:
    for effect in effects:
        match effect:
            case SendMessage(message=Bundle() as bundle):
                yield bundle


def refused(effects: list[Effect]) -> dict[EventId, type[Exception]]:
    return {
        identifier: type(error)
        for effect in effects
        if isinstance(effect, RefuseEvents)
        for identifier, error in effect.refusals
    }


@pytest.fixture
def desk() -> Desk:
    return Desk()


def short_lived(lifetime: int) -> SignedEvent:
    return records_committed(NETWORK, CLINIC, valid_until=at(lifetime).wall)


# ── from others ──


def test_a_good_bundle_is_accepted_and_its_events_wait(desk: Desk) -> None:
    bundle = make_bundle(NETWORK, HOSPITAL, event(1))

    assert desk.intake.judge(bundle, at(0)) is Outcome.ACCEPT
    assert desk.example.mempool.contains(id_of(NETWORK, event(1)))


def test_a_bundle_without_news_is_ignored(desk: Desk) -> None:
    bundle = make_bundle(NETWORK, HOSPITAL, event(1))
    desk.intake.judge(bundle, at(0))

    assert desk.intake.judge(bundle, at(0)) is Outcome.IGNORE


def test_a_bundle_of_a_stranger_may_come_again(desk: Desk) -> None:
    """Its submitter may be a member where the chain is longer: nobody is to blame."""
    bundle = make_bundle(NETWORK, STRANGER, event(1))
    assert desk.intake.judge(bundle, at(0)) is Outcome.FORGET

    desk.finalize(member_admitted(NETWORK, STRANGER, HOSPITAL))
    assert desk.intake.judge(bundle, at(0)) is Outcome.ACCEPT


def test_a_bundle_that_its_submitter_did_not_sign_is_blamed(desk: Desk) -> None:
    bundle = replace(make_bundle(NETWORK, HOSPITAL, event(1)), events=(event(2),))

    with pytest.raises(InvalidSignature):
        desk.intake.judge(bundle, at(0))


# ── our own ──


def test_our_event_goes_to_all_neighbours_and_is_remembered(desk: Desk) -> None:
    effects = desk.submit(event(1))

    sent = [each for each in effects if isinstance(each, SendMessage)]
    assert [each.recipients for each in sent] == [(peer,) for peer in AUTHORITIES]
    assert all(isinstance(each.message, Payload) for each in sent)
    assert effects[-1] == ScheduleTimer(SubmissionTimer("push"), PUSH_DELAY_MIN)


def test_while_more_come_they_are_collected(desk: Desk) -> None:
    desk.submit(event(1))

    collect = ScheduleTimer(SubmissionTimer("collect"), COLLECT_DELAY)
    assert desk.submit(event(2), now=5) == [collect]
    assert desk.submit(event(3), now=8) == [collect], "who comes later does not wait longer"
    assert len(desk.example.mempool) == 1
    list(desk.intake.send_collected(AUTHORITIES, at(10)))
    assert len(desk.example.mempool) == 3


def test_what_is_refused_goes_back_and_not_out(desk: Desk) -> None:
    bad = replace(event(1), signatures=(bytes(64),))

    effects = desk.submit(bad)
    assert list(refused(effects)) == [id_of(NETWORK, bad)]
    assert len(effects) == 1
    assert not desk.intake.submissions.is_unfinished


def test_what_is_refused_does_not_leave_among_good_events_either(desk: Desk) -> None:
    """Another node might admit it, and make final what its submitter was told is not."""
    bad = replace(event(1), signatures=(bytes(64),))
    effects = desk.submit(event(2), bad, event(3))

    assert list(refused(effects)) == [id_of(NETWORK, bad)]
    sent = {effect.message for effect in effects if isinstance(effect, SendMessage)}
    [payload] = sent
    assert isinstance(payload, Payload)
    assert decode(payload.content, Bundle).events == (event(2), event(3))
    assert [each.events for each in desk.example.mempool.bundles()] == [(event(2), event(3))]
    pushed = list(bundles_of(desk.intake.push_again(AUTHORITIES, at(PUSH_DELAY_MIN))))
    assert [each.events for each in pushed] == [(event(2), event(3))]


def test_a_member_that_was_removed_hears_it_from_its_own_node(desk: Desk) -> None:
    desk.finalize(member_removed(NETWORK, CLINIC.id))

    effects = desk.submit(event(1, HOSPITAL))
    assert refused(effects) == {id_of(NETWORK, event(1, HOSPITAL)): NotAMember}
    assert len(effects) == 1


def test_an_event_too_large_for_any_bundle_is_refused_at_home(desk: Desk) -> None:
    large = SignedEvent(event(1).event, (bytes(64),) * 1_100)
    effects = desk.submit(large)

    assert list(refused(effects)) == [id_of(NETWORK, large)]
    assert len(effects) == 1


def test_our_bundle_is_pushed_until_its_events_are_final(desk: Desk) -> None:
    desk.submit(event(1))
    pushed = list(desk.intake.push_again(AUTHORITIES, at(PUSH_DELAY_MIN)))
    assert [each.events for each in bundles_of(pushed)] == [(event(1),)]
    assert pushed[-1] == ScheduleTimer(SubmissionTimer("push"), 3 * PUSH_DELAY_MIN)

    assert desk.finalize() == []
    assert list(desk.intake.push_again(AUTHORITIES, at(0))) == []


def test_what_a_block_made_invalid_is_refused(desk: Desk) -> None:
    desk.submit(member_admitted(NETWORK, STRANGER, HOSPITAL))
    rival = ExampleChain(NETWORK)
    removed = rival.proposed(member_removed(NETWORK, CLINIC.id))
    desk.example.chain.finalize([removed])
    effects = list(desk.intake.settle(desk.example.chain.take_finalization(), at(0)))

    assert list(refused(effects).values()) == [NotAMember]
    assert not desk.intake.submissions.is_unfinished


# ── pushing what waits ──


def test_each_bundle_is_pushed_in_its_turn_within_bounds(desk: Desk) -> None:
    bundles = desk.fill(5)
    size = len(encode(bundles[0]))
    each_time = PUSHED_SIZE_MAX // size
    assert 1 <= each_time < 5

    pushed: list[Bundle] = []
    now = 0
    for _ in range(6):
        turn = desk.pushes(now)
        assert 1 <= len(turn) <= each_time
        pushed += turn
        now += 2 * PUSH_PAUSE_MAX
    assert pushed[:5] == bundles


def test_pushes_become_rarer(desk: Desk) -> None:
    desk.fill(1)
    assert desk.pushes(0)
    assert not desk.pushes(PUSH_PAUSE_MIN - 1)
    assert desk.pushes(PUSH_PAUSE_MIN)

    assert not desk.pushes(3 * PUSH_PAUSE_MIN - 1)
    assert desk.pushes(3 * PUSH_PAUSE_MIN)


def test_nothing_is_pushed_while_blocks_become_final(desk: Desk) -> None:
    desk.finalize(event(1), now=1_000)
    bundles = desk.fill(1)

    assert not desk.pushes(1_000 + PUSH_PAUSE_MIN - 1)
    assert desk.pushes(1_000 + PUSH_PAUSE_MIN) == bundles


def test_an_authority_that_is_back_does_not_wait(desk: Desk) -> None:
    bundles = desk.fill(1)
    desk.pushes(0)
    desk.intake.hurry()

    assert desk.pushes(1) == bundles


# ── what nobody makes a block for ──


def test_an_event_that_expires_on_an_idle_chain_is_refused_and_wanted_no_more(desk: Desk) -> None:
    signed = short_lived(1_000)
    desk.submit(signed)
    genesis = desk.example.chain.head_hash

    assert list(desk.intake.expire(at(1_000))) == []
    assert desk.example.chain.is_wanted(genesis)
    assert refused(list(desk.intake.expire(at(1_001)))) == {id_of(NETWORK, signed): EventExpired}
    assert not desk.example.chain.is_wanted(genesis)
    assert not desk.intake.submissions.is_unfinished


def test_what_has_not_expired_goes_on_waiting(desk: Desk) -> None:
    desk.submit(short_lived(1_000), event(1))
    list(desk.intake.expire(at(2_000)))

    assert list(desk.example.mempool.ids()) == [id_of(NETWORK, event(1))]
