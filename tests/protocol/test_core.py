"""One core, told what others say: what it answers, whom it blames, and whom it does not."""

from typing import Any

import pytest
from msgspec.structs import replace

from protocol.blocks import Block, FinalizedBlocks
from protocol.codec import encode
from protocol.effects import (
    HeartbeatTimer,
    PeerConnected,
    PeerRecordIssued,
    RefuseEvents,
    RememberPeer,
    ScheduleTimer,
    StoreBlocks,
)
from protocol.errors import (
    DecodeError,
    InvalidBlock,
    InvalidCertificate,
    InvalidSignature,
    LimitExceeded,
    ProtocolError,
)
from protocol.events import Equivocation
from protocol.messages import (
    BlockWanted,
    Bundle,
    Graft,
    Have,
    Payload,
    Prune,
    RangeWanted,
    Status,
    Topic,
)
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.example_node import (
    ExampleNode,
    blamed,
    finalized,
    gossiped_to,
    joined,
    of,
    said,
)
from tests.protocol.examples import (
    CREATED_AT,
    consent_given,
    consent_withdrawn,
    id_of,
    make_bundle,
    make_key,
    make_network,
    make_party,
    make_peer_record,
    make_vote,
    member_admitted,
    member_removed,
    records_committed,
    token,
)

NETWORK = make_network()
FIRST, SECOND = NETWORK.authorities[:2]
CLINIC, OTHER = NETWORK.members
STRANGER = make_party("stranger")
PATIENT = make_key("patient")
CONSENT = consent_given(NETWORK, PATIENT, CLINIC)
WITHDRAWAL = consent_withdrawn(NETWORK, PATIENT)
EVENT = records_committed(NETWORK, CLINIC)


@pytest.fixture
def node() -> ExampleNode:
    """Return a clinic's node with links to two authorities and another clinic."""
    return ExampleNode(NETWORK, CLINIC, FIRST, SECOND, OTHER)


@pytest.fixture
def authority() -> ExampleNode:
    return ExampleNode(NETWORK, FIRST, *NETWORK.authorities[1:], CLINIC)


@pytest.fixture
def ledger() -> ExampleLedger:
    return ExampleLedger(NETWORK)


# ── events ──


def test_our_event_goes_to_every_neighbour(node: ExampleNode) -> None:
    bundles = gossiped_to(node.submit(EVENT), Bundle)

    assert [peer for peer, _ in bundles] == [FIRST.id, SECOND.id, OTHER.id]
    assert {bundle.events for _, bundle in bundles if isinstance(bundle, Bundle)} == {(EVENT,)}


def test_a_refusal_goes_back_to_the_submitter_and_nowhere_else(node: ExampleNode) -> None:
    [refusal] = node.submit(WITHDRAWAL)

    assert isinstance(refusal, RefuseEvents)
    assert refusal.refusals[0][0] == id_of(NETWORK, WITHDRAWAL)


def test_a_bundle_is_passed_on_to_all_but_its_sender(node: ExampleNode) -> None:
    bundle = make_bundle(NETWORK, OTHER, EVENT)

    assert gossiped_to(node.gossip(SECOND, bundle), Bundle) == [
        (FIRST.id, bundle),
        (OTHER.id, bundle),
    ]


def test_an_authority_proposes_what_it_hears(authority: ExampleNode) -> None:
    authority.gossip(CLINIC, make_bundle(NETWORK, CLINIC, EVENT))

    assert authority.core.consensus is not None
    assert authority.core.consensus.waiting_for().reason == "events"


def test_a_withdrawal_counts_from_the_moment_it_is_seen(
    node: ExampleNode, ledger: ExampleLedger
) -> None:
    node.gossip(FIRST, finalized(ledger, CONSENT))
    consent = token("consent", 16)
    assert not node.core.is_withdrawn(consent)

    node.gossip(FIRST, make_bundle(NETWORK, OTHER, WITHDRAWAL))
    assert node.core.is_withdrawn(consent)


def test_a_pushed_bundle_is_judged_again_though_it_is_known(
    node: ExampleNode, ledger: ExampleLedger
) -> None:
    """The withdrawal came before the consent that it is about: now it spreads like news."""
    bundle = make_bundle(NETWORK, OTHER, WITHDRAWAL)
    assert gossiped_to(node.gossip(FIRST, bundle), Bundle) == []
    assert len(node.core.mempool) == 0
    node.gossip(FIRST, finalized(ledger, CONSENT))

    effects = node.hear(OTHER, bundle)
    assert node.core.mempool.contains(id_of(NETWORK, WITHDRAWAL))
    assert gossiped_to(effects, Bundle) == [(FIRST.id, bundle), (SECOND.id, bundle)]
    assert gossiped_to(node.hear(OTHER, bundle), Bundle) == []


def test_nobody_is_blamed_for_a_bundle_whose_submitter_we_do_not_know(
    node: ExampleNode, ledger: ExampleLedger
) -> None:
    """It may have been admitted where the chain is longer."""
    bundle = make_bundle(NETWORK, STRANGER, EVENT)
    assert node.gossip(FIRST, bundle) == []

    node.gossip(FIRST, finalized(ledger, member_admitted(NETWORK, STRANGER, FIRST)))
    assert len(gossiped_to(node.gossip(SECOND, bundle), Bundle)) == 2


def test_nobody_is_blamed_for_an_event_that_is_not_valid_here(node: ExampleNode) -> None:
    bundle = make_bundle(NETWORK, OTHER, WITHDRAWAL)

    assert node.gossip(FIRST, bundle) == []
    assert node.hear(FIRST, bundle) == []


def test_nobody_is_blamed_for_a_full_mempool(
    node: ExampleNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protocol.mempool.EVENTS_MAX", 1)
    node.gossip(FIRST, make_bundle(NETWORK, OTHER, EVENT))
    other = records_committed(NETWORK, OTHER, root=token("other"))

    assert node.gossip(FIRST, make_bundle(NETWORK, OTHER, other, sequence=2)) == []


def test_a_removed_members_client_hears_of_it(node: ExampleNode, ledger: ExampleLedger) -> None:
    node.gossip(FIRST, finalized(ledger, member_removed(NETWORK, CLINIC.id)))

    [refusal] = node.submit(records_committed(NETWORK, OTHER))
    assert isinstance(refusal, RefuseEvents)
    assert refusal.refusals[0][1].code == "not-a-member"


# ── blame ──

GOOD = make_bundle(NETWORK, OTHER, EVENT)
HUGE = make_bundle(
    NETWORK, OTHER, *(member_admitted(NETWORK, make_party(f"c{n}"), FIRST) for n in range(60))
)
MADE, CERTIFICATE, _ = ExampleLedger(NETWORK).next_block(EVENT)
FINAL = FinalizedBlocks((MADE,), CERTIFICATE)
FORGED = replace(CERTIFICATE, signatures=(bytes(64), *CERTIFICATE.signatures[1:]))
EXCHANGED = FinalizedBlocks((Block(MADE.header, ()),), CERTIFICATE)
RECORD = make_peer_record(NETWORK, OTHER)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (replace(GOOD, signature=bytes(64)), InvalidSignature),
        (replace(GOOD, submitter=FIRST.id), InvalidSignature),
        (HUGE, LimitExceeded),
        (Payload(Topic.EVENTS, encode(replace(GOOD, sequence=9))), InvalidSignature),
        (Payload(Topic.EVENTS, b"\xc1"), DecodeError),
        (Payload(Topic.EVENTS, encode(GOOD) + b"\x00"), DecodeError),
        (Payload(Topic.PEERS, encode(replace(RECORD, issued_at=1))), InvalidSignature),
        (Payload(Topic.BLOCKS, encode(EXCHANGED)), InvalidBlock),
        (EXCHANGED, InvalidBlock),
        (FinalizedBlocks((MADE,), FORGED), InvalidCertificate),
        (FinalizedBlocks((MADE, MADE), CERTIFICATE), InvalidBlock),
    ],
)
def test_what_no_honest_node_sends_is_blamed(
    node: ExampleNode, message: Any, error: type[ProtocolError]
) -> None:
    effects = node.hear(OTHER, message)

    assert blamed(effects) == [error]
    assert of(StoreBlocks, effects) == []
    assert len(node.core.mempool) == 0


@pytest.mark.parametrize(
    "message",
    [
        FinalizedBlocks((MADE,), FORGED),
        EXCHANGED,
    ],
)
def test_a_false_copy_does_not_keep_a_true_one_away(node: ExampleNode, message: Any) -> None:
    node.gossip(OTHER, message)

    assert len(of(StoreBlocks, node.gossip(FIRST, FINAL))) == 1


@pytest.mark.parametrize(
    "message",
    [
        make_vote(NETWORK, 0),
        CERTIFICATE,
    ],
)
def test_only_authorities_take_part_in_consensus(authority: ExampleNode, message: Any) -> None:
    assert blamed(authority.hear(CLINIC, message)) == [LimitExceeded]
    assert blamed(authority.hear(SECOND, message)) == []


def test_who_wants_a_block_may_have_been_an_authority(authority: ExampleNode) -> None:
    assert authority.hear(CLINIC, BlockWanted(token("block"))) == []


@pytest.mark.parametrize(
    "message",
    [
        Status(0, 0, 2**63 - 1, None, 0),
        Status(7, 2**63 - 1, 0, CERTIFICATE, 2**63 - 1),
        RangeWanted(2**63 - 1, 0),
        RangeWanted(0, 2**63 - 1),
        Have(Topic.BLOCKS, (bytes(16),)),
        Graft(Topic.PEERS, (bytes(16),)),
        Prune(Topic.EVENTS),
    ],
)
def test_strange_but_harmless_messages_of_members_are_not_blamed(
    node: ExampleNode, message: Any
) -> None:
    assert blamed(node.hear(OTHER, message)) == []


def test_what_a_peer_announced_before_we_knew_of_the_link_is_fetched() -> None:
    node = ExampleNode(NETWORK, CLINIC)
    assert node.hear(OTHER, Have(Topic.EVENTS, (bytes(16),))) == []

    [asking] = of(ScheduleTimer, node.step(PeerConnected(OTHER.id)))
    assert said(node.fire(asking.timer), Graft) == [(OTHER.id, Graft(Topic.EVENTS, (bytes(16),)))]


def test_a_member_behind_is_not_blamed_for_old_blocks(
    node: ExampleNode, ledger: ExampleLedger
) -> None:
    old, new = finalized(ledger, EVENT), finalized(ledger, CONSENT)
    node.gossip(FIRST, joined(old, new))

    assert blamed(node.gossip(OTHER, old)) == []
    assert blamed(node.hear(OTHER, old)) == []


# ── cheats ──


def test_an_authority_that_contradicts_itself_is_reported(authority: ExampleNode) -> None:
    votes = [make_vote(NETWORK, 1, block=token(label)) for label in ("one", "other")]
    authority.hear(SECOND, votes[0])
    effects = authority.hear(SECOND, votes[1])

    [(_, bundle), *_] = gossiped_to(effects, Bundle)
    assert isinstance(bundle, Bundle)
    body = bundle.events[0].event.body
    assert isinstance(body, Equivocation)
    assert (body.first, body.second) == tuple(votes)


# ── peer records ──


def test_a_peer_record_is_remembered_and_passed_on(node: ExampleNode) -> None:
    effects = node.gossip(FIRST, RECORD)

    assert of(RememberPeer, effects) == [RememberPeer(RECORD)]
    assert [peer for peer, _ in said(effects, Payload)] == [SECOND.id, OTHER.id]
    assert node.core.directory.addresses(OTHER.id) == RECORD.addresses


def test_the_newest_peer_record_counts(node: ExampleNode) -> None:
    newer = make_peer_record(NETWORK, OTHER, "/ip4/192.0.2.9/tcp/1", issued_at=CREATED_AT + 1)
    node.gossip(FIRST, newer)

    assert node.gossip(SECOND, RECORD) == []
    assert node.core.directory.addresses(OTHER.id) == newer.addresses


def test_the_record_of_who_is_not_yet_a_member_here_may_come_again(
    node: ExampleNode, ledger: ExampleLedger
) -> None:
    record = make_peer_record(NETWORK, STRANGER)
    assert node.gossip(FIRST, record) == []

    node.gossip(FIRST, finalized(ledger, member_admitted(NETWORK, STRANGER, FIRST)))
    assert of(RememberPeer, node.gossip(FIRST, record)) == [RememberPeer(record)]


def test_a_record_from_the_future_blames_nobody(node: ExampleNode) -> None:
    record = make_peer_record(NETWORK, OTHER, issued_at=CREATED_AT + 10**9)

    assert node.gossip(FIRST, record) == []


def test_our_own_record_is_spread(node: ExampleNode) -> None:
    record = make_peer_record(NETWORK, CLINIC)

    effects = node.step(PeerRecordIssued(record))
    assert [peer for peer, _ in said(effects, Payload)] == [FIRST.id, SECOND.id, OTHER.id]
    assert node.core.directory.addresses(CLINIC.id) == record.addresses


# ── links and heartbeats ──


def test_a_new_neighbour_hears_where_we_stand(node: ExampleNode) -> None:
    node.gossip(FIRST, FINAL)
    effects = node.step(PeerConnected(STRANGER.id))

    [(peer, status)] = said(effects, Status)
    assert (peer, status.height, status.certificate) == (STRANGER.id, 1, CERTIFICATE)


def test_heartbeats_say_where_we_stand(node: ExampleNode) -> None:
    effects = node.fire(HeartbeatTimer())

    assert [peer for peer, _ in said(effects, Status)] == [FIRST.id, SECOND.id, OTHER.id]
    assert of(ScheduleTimer, effects) == [ScheduleTimer(HeartbeatTimer(), node.now + 1_500)]


def test_a_heartbeat_refuses_what_expired_while_nothing_became_final(node: ExampleNode) -> None:
    signed = records_committed(NETWORK, CLINIC, valid_until=CREATED_AT + node.now + 5_000)
    node.submit(signed)
    node.now += 5_000
    assert of(RefuseEvents, node.fire(HeartbeatTimer())) == []

    node.now += 1
    [refusal] = of(RefuseEvents, node.fire(HeartbeatTimer()))
    assert [identifier for identifier, _ in refusal.refusals] == [id_of(NETWORK, signed)]


def test_among_authorities_consensus_says_it(authority: ExampleNode) -> None:
    effects = authority.fire(HeartbeatTimer())

    assert [peer for peer, _ in said(effects, Status)] == [CLINIC.id]
