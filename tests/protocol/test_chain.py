"""Building, judging and finalizing blocks on one node, and reading the state meanwhile."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from protocol import chain as module
from protocol.blocks import BLOCK_SIZE_MAX, Block, block_hash, compute_events_root
from protocol.chain import (
    EVENTS_PER_BLOCK_MIN,
    ROOM_MIN,
    UNFINALIZED_SIZE_MAX,
)
from protocol.codec import encode
from protocol.errors import InvalidBlock
from protocol.events import ConsentBasis, SignedEvent
from protocol.state import Overlay, consent_key, custodian_entry
from tests.protocol.example_chain import ExampleChain, changed
from tests.protocol.examples import (
    consent_given,
    consent_withdrawn,
    disclosure,
    id_of,
    make_key,
    make_network,
    make_party,
    member_admitted,
    records_committed,
    token,
)

NETWORK = make_network()
CLINIC, OTHER = NETWORK.members
PATIENT = make_key("patient")
CONSENT = consent_given(NETWORK, PATIENT, CLINIC)
CONSENT_KEY = consent_key(token("consent", 16))
NOWHERE = token("nowhere")


def event(number: int) -> SignedEvent:
    return records_committed(NETWORK, CLINIC, root=token(f"root {number}"))


@pytest.fixture
def example() -> ExampleChain:
    return ExampleChain(NETWORK)


# ── building ──


def test_a_leader_builds_a_block_that_others_find_valid(example: ExampleChain) -> None:
    block = example.proposed(event(1), event(2))

    assert block.events == (event(1), event(2))
    ExampleChain(NETWORK).chain.validate(block)


def test_without_events_there_is_no_block_unless_it_may_be_empty(example: ExampleChain) -> None:
    assert example.propose() is None

    block = example.propose(may_be_empty=True)
    assert block is not None
    assert block.events == ()


def test_a_leader_builds_on_a_block_that_is_not_final(example: ExampleChain) -> None:
    first = example.proposed(event(1))
    second = example.proposed(event(2), parent=first)

    assert second.events == (event(2),)
    assert second.header.parent == block_hash(first.header)


def test_what_is_in_the_branch_is_not_wanted_again(example: ExampleChain) -> None:
    genesis = example.chain.head_hash
    assert not example.chain.is_wanted(genesis)
    block = example.proposed(event(1))

    assert example.chain.is_wanted(genesis)
    assert not example.chain.is_wanted(block_hash(block.header))
    assert example.propose(block) is None


def test_an_event_that_its_parent_made_invalid_is_left_out(example: ExampleChain) -> None:
    example.finalize(example.proposed(CONSENT))
    withdrawal = example.proposed(consent_withdrawn(NETWORK, PATIENT))
    other = ExampleChain(NETWORK)
    other.finalize(example.chain.head)
    basis = ConsentBasis(token("consent", 16))
    assert not other.submit(disclosure(NETWORK, PATIENT, CLINIC, OTHER, basis=basis))
    other.chain.validate(withdrawal)

    assert other.chain.is_wanted(block_hash(withdrawal.header))
    assert other.propose(withdrawal) is None
    assert other.propose(withdrawal, may_be_empty=True) is not None


def test_a_block_holds_no_more_than_half_as_many_events_again(example: ExampleChain) -> None:
    first = example.proposed(*(event(number) for number in range(3 * EVENTS_PER_BLOCK_MIN)))
    second = example.propose(first)
    assert second is not None

    assert len(first.events) == EVENTS_PER_BLOCK_MIN
    assert len(second.events) == EVENTS_PER_BLOCK_MIN * 3 // 2


def test_after_nullified_views_a_block_holds_fewer(example: ExampleChain) -> None:
    first = example.proposed(*(event(number) for number in range(5 * EVENTS_PER_BLOCK_MIN)))
    second = example.propose(first)
    assert second is not None
    third = example.propose(second, view=second.header.view + 2)
    assert third is not None

    assert len(third.events) == max(EVENTS_PER_BLOCK_MIN, len(second.events) * 3 // 4)


def test_what_is_not_final_stays_small_enough_for_one_message(
    example: ExampleChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVENTS_PER_BLOCK_MIN", 2_000)
    large = [
        member_admitted(NETWORK, make_party(f"clinic-{number}"), NETWORK.authorities[0])
        for number in range(1_300)
    ]
    for start in range(0, len(large), 40):
        example.submit(*large[start : start + 40])
    blocks = [example.chain.head]
    for _ in range(3):
        block = example.propose(blocks[-1])
        assert block is not None
        blocks.append(block)

    sizes = [len(encode(block)) for block in blocks[1:]]
    assert BLOCK_SIZE_MAX * 9 // 10 < sizes[0] <= BLOCK_SIZE_MAX
    assert sizes[0] + sizes[1] <= UNFINALIZED_SIZE_MAX
    assert sizes[2] <= ROOM_MIN + module.HEADER_RESERVE


# ── judging ──

BREACHES: dict[str, Callable[[Block], Block]] = {
    "another network": lambda block: changed(block, network=NOWHERE),
    "does not follow": lambda block: changed(block, height=block.header.height + 1),
    "not later": lambda block: changed(block, timestamp=NETWORK.genesis.created_at),
    "views of block and parent": lambda block: changed(block, parent_view=1),
    "other authorities": lambda block: changed(block, authorities=NOWHERE),
    "is a tail": lambda block: changed(block, is_tail=True),
    "version": lambda block: changed(block, version=2),
    "are not 3": lambda block: changed(block, event_count=3),
    "not those of the header": lambda block: changed(block, events_root=NOWHERE),
    "another state": lambda block: changed(block, state_digest=NOWHERE),
}


@pytest.mark.parametrize("reason", BREACHES)
def test_a_block_that_breaks_a_rule_is_refused(example: ExampleChain, reason: str) -> None:
    block = BREACHES[reason](example.proposed(event(1)))

    with pytest.raises(InvalidBlock, match=reason):
        ExampleChain(NETWORK).chain.validate(block)


def test_the_next_authorities_cannot_be_others(example: ExampleChain) -> None:
    block = changed(example.proposed(event(1)), next_authorities=NOWHERE)

    with pytest.raises(InvalidBlock, match="other authorities"):
        ExampleChain(NETWORK).chain.validate(block)


def test_a_view_is_never_used_twice(example: ExampleChain) -> None:
    first = example.proposed(event(1))
    second = example.proposed(event(2), parent=first)

    with pytest.raises(InvalidBlock, match="views"):
        example.chain.validate(changed(second, view=first.header.view))


def test_an_event_that_is_not_valid_makes_the_block_invalid(example: ExampleChain) -> None:
    block = example.proposed(event(1))
    twice = (event(1), event(1))
    header = replace(
        block.header, event_count=2, events_root=compute_events_root(twice), timestamp=2**52
    )
    with pytest.raises(InvalidBlock, match="an event of block 1 is not valid"):
        ExampleChain(NETWORK).chain.validate(Block(header, twice))


def test_two_empty_blocks_never_stand_in_adjacent_views(example: ExampleChain) -> None:
    first = example.propose(may_be_empty=True)
    assert first is not None
    second = example.propose(first, may_be_empty=True)
    assert second is not None
    later = example.propose(first, view=first.header.view + 2, may_be_empty=True)
    assert later is not None

    other = ExampleChain(NETWORK).chain
    other.validate(first)
    other.validate(later)
    with pytest.raises(InvalidBlock, match="empty"):
        other.validate(second)


def test_beyond_what_one_answer_may_hold_only_empty_blocks_are_built(
    example: ExampleChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH_SIZE_MAX", 700)
    first = example.proposed(event(1), event(2))
    second = example.proposed(event(3), parent=first)
    assert second.header.event_count == 1
    assert len(encode(first)) + len(encode(second)) > module.FLUSH_SIZE_MAX

    assert not example.submit(event(4))
    assert example.propose(second) is None
    third = example.propose(second, may_be_empty=True)
    assert third is not None
    assert third.events == ()
    example.finalize(first, second, third)
    after = example.propose()
    assert after is not None
    assert after.events == (event(4),)


def test_a_block_is_judged_after_ancestors_that_were_only_kept(example: ExampleChain) -> None:
    first = example.proposed(event(1))
    second = example.proposed(event(2), parent=first)
    third = example.proposed(event(3), parent=second)
    other = ExampleChain(NETWORK).chain
    other.keep(second)
    other.keep(first)

    other.validate(third)
    assert other.block(block_hash(second.header)) == second


# ── finalizing ──


def test_finalizing_hands_out_all_that_is_to_be_stored(example: ExampleChain) -> None:
    first = example.proposed(event(1))
    second = example.proposed(CONSENT, parent=first)
    finalization = example.finalize(first, second)

    assert finalization.blocks == (first, second)
    assert finalization.event_heights.keys() == {id_of(NETWORK, event(1)), id_of(NETWORK, CONSENT)}
    assert finalization.digest.root == second.header.state_digest
    assert CONSENT_KEY in finalization.changes
    assert example.chain.head == second
    assert len(example.mempool) == 0


def test_final_events_are_named_in_the_order_of_the_block(example: ExampleChain) -> None:
    block = example.proposed(*(event(number) for number in range(12)))
    finalization = example.finalize(block)

    assert list(finalization.event_heights) == [id_of(NETWORK, each) for each in block.events]


def test_finalizations_are_handed_out_in_their_order(example: ExampleChain) -> None:
    first = example.proposed(event(1))
    second = example.proposed(event(2), parent=first)
    example.chain.finalize([first])
    example.chain.finalize([second])

    assert example.chain.take_finalization().blocks == (first,)
    assert example.chain.take_finalization().blocks == (second,)


def test_other_branches_are_dropped(example: ExampleChain) -> None:
    kept = example.proposed(event(1))
    child = example.proposed(event(2), parent=kept)
    fork = example.propose(view=2)
    assert fork is not None
    example.chain.keep(changed(fork, view=3))
    example.finalize(kept)

    assert example.chain.block(block_hash(fork.header)) is None
    assert example.chain.block(block_hash(changed(fork, view=3).header)) is None
    assert example.chain.block(block_hash(child.header)) == child


def test_an_invalid_block_finalizes_nothing(example: ExampleChain) -> None:
    good = example.proposed(event(1))
    bad = changed(example.proposed(event(2), parent=good), state_digest=NOWHERE)

    with pytest.raises(InvalidBlock):
        example.chain.finalize([good, bad])
    assert example.chain.height == 0


def test_blocks_from_others_are_executed_when_they_are_final(example: ExampleChain) -> None:
    first = example.proposed(event(1))
    second = example.proposed(event(2), parent=first)
    other = ExampleChain(NETWORK)
    other.finalize(first, second)

    assert other.chain.head == second
    assert other.chain.state.get(CONSENT_KEY) is None


def test_many_blocks_at_once_do_what_they_do_one_by_one(example: ExampleChain) -> None:
    count = 3 * module.OVERLAYS_MERGED + 1
    one_by_one = [example.finalize(example.proposed(CONSENT))]
    one_by_one += [example.finalize(example.proposed(event(number))) for number in range(count)]
    other = ExampleChain(NETWORK)
    at_once = other.finalize(*(each.blocks[0] for each in one_by_one))

    assert at_once.digest == one_by_one[-1].digest
    assert at_once.changes == {k: v for each in one_by_one for k, v in each.changes.items()}
    assert custodian_entry(other.chain.state, CLINIC.id).batch_count == count
    assert other.chain.state.get(CONSENT_KEY) == example.chain.state.get(CONSENT_KEY)
    assert other.submit(CONSENT), "it is found through all that came after it"
    height, view = 0, other.chain.state
    while isinstance(view, Overlay):
        height, view = height + 1, view.parent
    assert height < 2 * module.OVERLAYS_MERGED


# ── reading ──


def test_the_state_is_that_after_the_head_before_and_after_it_is_stored(
    example: ExampleChain,
) -> None:
    finalization = example.finalize(example.proposed(CONSENT))
    assert example.chain.state.get(CONSENT_KEY) is not None
    assert CONSENT_KEY not in example.stored

    example.store(finalization)
    assert example.chain.state.get(CONSENT_KEY) == example.stored[CONSENT_KEY]


def test_what_stands_on_the_head_reads_through_to_the_store(example: ExampleChain) -> None:
    first = example.proposed(event(1))
    second = example.proposed(event(2), parent=first)
    example.store(example.finalize(first))
    third = example.proposed(event(3), parent=second)
    example.finalize(second, third)

    assert custodian_entry(example.chain.state, CLINIC.id).batch_count == 3


def test_the_store_may_come_late(example: ExampleChain) -> None:
    first, second = (example.finalize(example.proposed(event(number))) for number in range(2))
    example.store(first)
    assert custodian_entry(example.chain.state, CLINIC.id).batch_count == 2
    example.store(second)

    assert custodian_entry(example.chain.state, CLINIC.id).batch_count == 2
    assert custodian_entry(example.stored, CLINIC.id).batch_count == 2


def test_nothing_is_stored_before_it_is_final(example: ExampleChain) -> None:
    with pytest.raises(AssertionError):
        example.chain.stored(1)


# ── bounds, and one beyond ──


def test_only_so_many_bodies_are_kept(
    example: ExampleChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BODIES_MAX", 2)
    block = example.proposed(event(1))
    bodies = [changed(block, view=view) for view in (5, 6, 7)]
    for body in bodies:
        example.chain.keep(body)

    kept = [example.chain.block(block_hash(body.header)) for body in bodies]
    assert kept == [None, *bodies[1:]]


def test_what_is_no_higher_than_the_head_is_not_kept(example: ExampleChain) -> None:
    block = example.proposed(event(1))
    example.finalize(block)
    other = changed(block, view=9)
    example.chain.keep(other)

    assert example.chain.block(block_hash(other.header)) is None


def test_only_so_many_blocks_are_kept_executed(
    example: ExampleChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXECUTED_MAX", 3)
    example.submit(event(1))
    blocks = [example.propose(view=view) for view in (1, 2, 3)]
    headers = [block.header for block in blocks if block is not None]

    known = [example.chain.block(block_hash(header)) is not None for header in headers]
    assert known == [False, True, True]
    assert blocks[0] is not None
    example.finalize(blocks[0])
    assert example.chain.head == blocks[0]
