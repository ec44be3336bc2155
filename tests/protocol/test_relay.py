"""Three topics that do not disturb each other, and names by which copies are recognised."""

import pytest
from msgspec.structs import replace

from protocol.blocks import FinalizedBlocks
from protocol.codec import encode
from protocol.effects import ScheduleTimer, SendMessage
from protocol.gossip import ANNOUNCE_DELAY, REMIND_DELAY, GossipTimer, Outcome
from protocol.messages import Gossiped, Have, Payload, Prune, Topic
from protocol.relay import Relay, gossip_id, item_of, read_item, topic_of
from protocol.votes import assemble_certificate
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    make_bundle,
    make_network,
    make_peer_record,
    make_vote,
    records_committed,
    token,
)

NETWORK = make_network()
CLINIC, AUTHORITY = NETWORK.members[0], NETWORK.authorities[0]
ANN, BOB = token("ann"), token("bob")
BUNDLE = make_bundle(NETWORK, CLINIC, records_committed(NETWORK, CLINIC))
RECORD = make_peer_record(NETWORK, CLINIC)
BLOCK, CERTIFICATE, _ = ExampleLedger(NETWORK).next_block(records_committed(NETWORK, CLINIC))
BLOCKS = FinalizedBlocks((BLOCK,), CERTIFICATE)
ITEM = item_of(BUNDLE)
NOW = 5_000
AUTHORITIES = tuple(authority.id for authority in NETWORK.authorities)


def make_relay(*peers: bytes) -> Relay:
    relay = Relay(lambda: AUTHORITIES)
    for peer in peers:
        assert list(relay.connected(peer, NOW)) == []
    return relay


@pytest.mark.parametrize(
    ("message", "topic"),
    [(BUNDLE, Topic.EVENTS), (BLOCKS, Topic.BLOCKS), (RECORD, Topic.PEERS)],
    ids=["bundle", "blocks", "record"],
)
def test_each_kind_has_its_topic(message: Gossiped, topic: Topic) -> None:
    relay = make_relay(ANN)

    assert topic_of(message) is topic
    published = list(relay.publish(item_of(message), (), NOW))
    assert published == [SendMessage((ANN,), Payload(topic, encode(message)))]
    assert relay.is_known(topic, gossip_id(message))


@pytest.mark.parametrize("message", [BUNDLE, BLOCKS, RECORD], ids=["bundle", "blocks", "record"])
def test_what_is_read_is_what_was_published(message: Gossiped) -> None:
    item = read_item(encode(message))

    assert item == item_of(message)
    assert item.id == gossip_id(message)


def test_one_copy_of_a_block_is_enough_whoever_signed_it() -> None:
    """Authorities hold different certificates of the same block."""
    votes = [
        make_vote(NETWORK, n, block=CERTIFICATE.block, kind=CERTIFICATE.kind) for n in (1, 2, 3)
    ]
    other = FinalizedBlocks((BLOCK,), assemble_certificate(votes, 4))

    assert other != BLOCKS
    assert gossip_id(other) == gossip_id(BLOCKS)


def test_bundles_that_differ_in_anything_differ_in_name() -> None:
    later = make_bundle(NETWORK, CLINIC, *BUNDLE.events, sequence=2)

    assert gossip_id(later) != gossip_id(BUNDLE)
    assert gossip_id(replace(BUNDLE, signature=bytes(64))) != gossip_id(BUNDLE)


def test_a_good_message_is_passed_on() -> None:
    relay = make_relay(ANN, BOB)

    passed_on = list(relay.judged(ANN, ITEM, Outcome.ACCEPT, NOW))
    assert passed_on == [SendMessage((BOB,), Payload(Topic.EVENTS, encode(BUNDLE)))]


def test_what_we_publish_reaches_some_in_any_case() -> None:
    relay = make_relay(ANN, BOB)
    list(relay.controlled(BOB, Prune(Topic.EVENTS), NOW))

    sent = [each for each in relay.publish(ITEM, (BOB,), NOW) if isinstance(each, SendMessage)]
    assert [each.recipients for each in sent] == [(ANN,), (BOB,)]


def test_a_pruned_link_is_pruned_in_one_topic_only() -> None:
    relay = make_relay(ANN)
    list(relay.controlled(ANN, Prune(Topic.EVENTS), NOW))

    timer = GossipTimer(Topic.EVENTS, "announce")
    assert list(relay.publish(ITEM, (), NOW)) == [ScheduleTimer(timer, NOW + ANNOUNCE_DELAY)]
    [announced] = relay.fired(timer, NOW + ANNOUNCE_DELAY)
    assert announced == SendMessage((ANN,), Have(Topic.EVENTS, (gossip_id(BUNDLE),)))
    assert len(list(relay.publish(item_of(RECORD), (), NOW))) == 1


@pytest.mark.parametrize(
    ("message", "is_informed"),
    [
        (BUNDLE, False),
        (make_bundle(NETWORK, AUTHORITY, records_committed(NETWORK, AUTHORITY)), True),
        (BLOCKS, True),
        (RECORD, False),
        (make_peer_record(NETWORK, AUTHORITY), False),
    ],
    ids=["bundle", "bundle-of-authority", "blocks", "record", "record-of-authority"],
)
@pytest.mark.parametrize("is_ours", [False, True], ids=["theirs", "ours"])
def test_authorities_know_their_own_bundles_and_blocks_without_gossip(
    message: Gossiped, is_informed: bool, is_ours: bool
) -> None:
    peers = (ANN, BOB, *AUTHORITIES[1:3])
    item, topic = item_of(message), topic_of(message)
    relay = make_relay(*peers)
    for peer in peers:
        list(relay.controlled(peer, Prune(topic), NOW))
    published = relay.publish(item, (), NOW)
    list(published if is_ours else relay.judged(ANN, item, Outcome.ACCEPT, NOW))

    soon = list(relay.fired(GossipTimer(topic, "announce"), NOW + ANNOUNCE_DELAY))
    later = list(relay.fired(GossipTimer(topic, "remind"), NOW + REMIND_DELAY))

    announced = Have(topic, (item.id,))
    first = ([ANN] if is_ours else []) + [BOB]
    others = list(AUTHORITIES[1:3])
    assert soon == [
        SendMessage((peer,), announced) for peer in first + ([] if is_informed else others)
    ]
    assert later == [SendMessage((peer,), announced) for peer in (others if is_informed else [])]


def test_a_second_copy_asks_its_sender_for_announcements() -> None:
    relay = make_relay(ANN, BOB)
    list(relay.judged(ANN, ITEM, Outcome.ACCEPT, NOW))

    assert list(relay.repeated(BOB, ITEM, NOW)) == [SendMessage((BOB,), Prune(Topic.EVENTS))]


def test_a_new_neighbour_hears_of_all_topics() -> None:
    relay = make_relay()
    for message in (BUNDLE, BLOCKS, RECORD):
        list(relay.publish(item_of(message), (), NOW))

    assert list(relay.connected(ANN, NOW)) == [
        SendMessage((ANN,), Have(topic_of(message), (gossip_id(message),)))
        for message in (BUNDLE, BLOCKS, RECORD)
    ]


def test_nothing_is_sent_to_who_has_left() -> None:
    relay = make_relay(ANN)
    assert list(relay.disconnected(ANN, NOW)) == []

    assert list(relay.publish(ITEM, (), NOW)) == []
