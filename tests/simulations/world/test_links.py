"""Which rule counts for a link, who is cut apart, and what a network does to messages."""

from typing import Any

import pytest

from protocol.votes import NO_BLOCK, Vote, VoteKind
from simulations.scenario.model import LinkSpec
from simulations.world.links import Cut, Gap, Links, Rule
from simulations.world.network import Network, size_of

VOTE = Vote(VoteKind.NULLIFY, 0, 1, NO_BLOCK, 0, bytes(64))


class Ear:
    """A host that only notes when it hears something."""

    def __init__(self, network: Network, place: int) -> None:
        self.network, self.name, self.place = network, place, place
        self.heard: list[int] = []
        network.add(self)

    def hear(self, sender: int, message: Any) -> None:  # noqa: ARG002
        self.heard.append(self.network.now)


def send(count: int, spec: LinkSpec) -> list[int]:
    """Return when each of so many messages, sent at once, arrives."""
    network = Network(seed=3, links=spec)
    sender, receiver = Ear(network, 0), Ear(network, 1)
    for _ in range(count):
        network.carry(sender, 1, VOTE)
    network.run(until=100_000)
    return receiver.heard


def test_the_last_rule_counts() -> None:
    links = Links(LinkSpec(latency=1))
    links.add(Rule(LinkSpec(latency=2), frozenset({0, 1}), frozenset({1, 2})))
    last = Rule(LinkSpec(latency=3, is_one_way=True), frozenset({0}), frozenset({1}))
    links.add(last)

    assert [links.spec(*pair).latency for pair in ((0, 1), (1, 0), (2, 0), (2, 3))] == [3, 2, 2, 1]
    links.remove(last)
    assert links.spec(0, 1).latency == 2


def test_cuts_and_gaps_part_who_they_say() -> None:
    links = Links(LinkSpec())
    links.cuts = [Cut(frozenset({0}), is_one_way=True), Gap(frozenset({1}), frozenset({2}))]

    assert [links.is_cut(*pair) for pair in ((1, 0), (0, 1), (1, 2), (2, 1), (1, 3))] == [
        True,
        False,
        True,
        True,
        False,
    ]
    assert links.are_cut_apart(0, 3)


@pytest.mark.parametrize(
    ("spec", "least", "most"),
    [
        (LinkSpec(latency=30, jitter=0), 200, 200),
        (LinkSpec(loss=0.3), 120, 160),
        (LinkSpec(corruption=0.3), 120, 160),
        (LinkSpec(duplication=0.5), 280, 320),
    ],
)
def test_a_share_of_all_messages_is_lost_or_comes_twice(
    spec: LinkSpec, least: int, most: int
) -> None:
    assert least <= len(send(200, spec)) <= most


def test_delays_are_those_of_the_link() -> None:
    assert set(send(50, LinkSpec(latency=30, jitter=0))) == {30}
    assert set(send(200, LinkSpec(latency=30, jitter=2))) == {30, 31, 32}
    assert max(send(200, LinkSpec(latency=30, tail=0.2))) > 2_000


def test_a_narrow_link_sends_one_message_after_the_other() -> None:
    size = size_of(VOTE)
    each = size * 8_000 / 64_000

    arrivals = send(10, LinkSpec(latency=5, jitter=0, bandwidth=64_000))
    assert arrivals == [5 + int(each * number) for number in range(1, 11)]
