"""What holds for every event and every block, whatever they say."""

import pytest
from msgspec.structs import replace

from protocol.codec import encode
from protocol.digest import StateDigest
from protocol.errors import InvalidEvent
from protocol.events import (
    EVENT_LIFETIME_MAX,
    EVENT_SIZE_MAX,
    SIGNATURES_MAX,
    MemberRemoved,
    SignedEvent,
)
from protocol.identity import Verifier
from protocol.ledger import (
    AlreadyInChain,
    EventExpired,
    EventTooEarly,
    EventTooLarge,
    apply_event,
    execute_selection,
    genesis_changes,
)
from protocol.membership import NotAMember
from protocol.signers import EventNotSigned
from protocol.state import PRESENT, seen_key
from tests.protocol.authority_examples import equivocation
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    consent_given,
    consent_withdrawn,
    disclosure,
    id_of,
    make_key,
    make_network,
    make_party,
    records_committed,
    signed_by,
    token,
)

NETWORK = make_network()
MEMBER = NETWORK.members[0]
PATIENT = make_key("patient")


@pytest.fixture
def ledger() -> ExampleLedger:
    return ExampleLedger(NETWORK)


def committed(number: int) -> SignedEvent:
    return records_committed(NETWORK, MEMBER, root=token(f"root {number}"))


def test_an_event_lives_from_a_week_before_its_end_to_its_end(ledger: ExampleLedger) -> None:
    now = ledger.timestamp

    def refusal(valid_until: int) -> object:
        return ledger.refusal(records_committed(NETWORK, MEMBER, valid_until=valid_until))

    assert refusal(now - 1) is EventExpired
    assert refusal(now) is None
    assert refusal(now + EVENT_LIFETIME_MAX) is None
    assert refusal(now + EVENT_LIFETIME_MAX + 1) is EventTooEarly


def test_an_event_enters_the_chain_once(ledger: ExampleLedger) -> None:
    assert ledger.refusal(committed(1), committed(1)) is AlreadyInChain
    ledger.apply(committed(1))
    assert ledger.refusal(committed(1)) is AlreadyInChain
    assert ledger.refusal(committed(2)) is None


def test_an_event_that_is_signed_again_is_the_same_event(ledger: ExampleLedger) -> None:
    ledger.apply(committed(1))
    again = replace(committed(1), signatures=(bytes(64),))
    assert ledger.refusal(again) is AlreadyInChain


def test_an_event_has_a_largest_size(ledger: ExampleLedger) -> None:
    body = MemberRemoved(MEMBER.id, tuple(token(str(number)) for number in range(150)))
    few = signed_by(NETWORK, body, MEMBER.key)
    padding = (EVENT_SIZE_MAX - len(encode(few))) // 66
    assert padding > SIGNATURES_MAX // 2
    fits = replace(few, signatures=few.signatures * (1 + padding))
    assert len(encode(fits)) <= EVENT_SIZE_MAX < len(encode(fits)) + 66

    assert ledger.refusal(fits) is not EventTooLarge
    beyond = replace(fits, signatures=(*fits.signatures, bytes(64)))
    assert ledger.refusal(beyond) is EventTooLarge


def test_a_refusal_has_a_code_and_no_long_id(ledger: ExampleLedger) -> None:
    stranger = make_party("stranger")
    with pytest.raises(InvalidEvent) as caught:
        ledger.apply(records_committed(NETWORK, stranger))

    assert caught.value.code == "not-a-member"
    assert stranger.id.hex()[:8] in str(caught.value)
    assert stranger.id.hex()[:9] not in str(caught.value)


def test_every_refusal_has_a_code_of_its_own() -> None:
    codes = [each.code for each in _subclasses(InvalidEvent)]
    assert len(codes) > 25
    assert len(set(codes)) == len(codes)
    assert InvalidEvent.code not in codes


def _subclasses(parent: type[InvalidEvent]) -> list[type[InvalidEvent]]:
    found: list[type[InvalidEvent]] = []
    for child in parent.__subclasses__():
        if child.__module__.startswith("protocol."):
            found += [child, *_subclasses(child)]
    return found


def test_the_signature_is_checked_last(ledger: ExampleLedger) -> None:
    def nobody_asks(*_: bytes) -> bool:
        raise AssertionError("an event that is not valid costs no signature check")

    refused = records_committed(NETWORK, make_party("stranger"))
    with pytest.raises(NotAMember):
        apply_event(ledger.state, refused, ledger.context, Verifier(nobody_asks))


def test_one_event_changes_nothing_but_says_what_it_would(ledger: ExampleLedger) -> None:
    before = dict(ledger.state)
    changes = apply_event(ledger.state, committed(1), ledger.context, ledger.verifier)
    assert ledger.state == before
    assert changes[seen_key(id_of(NETWORK, committed(1)))] == PRESENT


def test_a_block_is_valid_as_a_whole_or_not_at_all(ledger: ExampleLedger) -> None:
    forged = replace(committed(2), signatures=(bytes(64),))
    assert ledger.refusal(committed(1), forged, committed(3)) is EventNotSigned
    assert ledger.height == 0


def test_a_block_tells_the_ids_of_its_events(ledger: ExampleLedger) -> None:
    execution = ledger.apply(committed(1), committed(2))
    assert execution.event_ids == (id_of(NETWORK, committed(1)), id_of(NETWORK, committed(2)))


def test_one_block_or_several_lead_to_almost_the_same_state() -> None:
    """Only heights, and where things are kept until they are forgotten, may differ."""
    given = consent_given(NETWORK, PATIENT, MEMBER)
    events = [committed(1), given, disclosure(NETWORK, PATIENT, *NETWORK.members)]
    together, apart = ExampleLedger(NETWORK), ExampleLedger(NETWORK)
    together.apply(*events)
    for signed in events:
        apart.apply(signed)

    def kept(ledger: ExampleLedger) -> set[bytes]:
        return {key for key in ledger.state if key[:1] not in b"hp"}

    assert kept(together) == kept(apart)
    assert together.digest != apart.digest


def test_the_same_blocks_lead_to_the_same_digest() -> None:
    roots = []
    for _ in range(2):
        ledger = ExampleLedger(NETWORK)
        ledger.apply(committed(1), committed(2))
        ledger.apply()
        ledger.assert_digest()
        roots.append(ledger.digest.root)
    assert roots[0] == roots[1]


def test_the_genesis_decides_the_first_digest() -> None:
    digests = {
        StateDigest().updated({}, genesis_changes(network.genesis)).root
        for network in (NETWORK, make_network(5), make_network(4, 3))
    }
    assert len(digests) == 3


def select(ledger: ExampleLedger, *candidates: SignedEvent, **limits: int) -> list[SignedEvent]:
    sizes = {"count_max": 100, "size_max": 100_000, **limits}
    chosen, execution = execute_selection(
        ledger.state, ledger.digest, candidates, ledger.context, ledger.verifier, **sizes
    )
    assert execution == ledger.judge(*chosen), "what a leader did is what all others do"
    return chosen


def test_a_leader_selects_what_is_valid_in_the_order_of_arrival(ledger: ExampleLedger) -> None:
    first, second, third = (
        disclosure(NETWORK, PATIENT, *NETWORK.members, counter=counter) for counter in (1, 2, 3)
    )
    stranger = records_committed(NETWORK, make_party("stranger"))

    assert select(ledger, stranger, first, third, second) == [first, second]
    assert select(ledger, first, first) == [first]
    assert select(ledger) == []


def test_a_no_comes_before_everything_else(ledger: ExampleLedger) -> None:
    ledger.apply(consent_given(NETWORK, PATIENT, MEMBER))
    withdrawn = consent_withdrawn(NETWORK, PATIENT)
    proof = equivocation(NETWORK, MEMBER, culprit=0)

    assert select(ledger, committed(1), withdrawn, proof) == [withdrawn, proof, committed(1)]


def test_a_no_to_what_is_not_final_comes_right_after_the_yes(ledger: ExampleLedger) -> None:
    given, withdrawn = consent_given(NETWORK, PATIENT, MEMBER), consent_withdrawn(NETWORK, PATIENT)
    assert select(ledger, given, committed(1), withdrawn) == [given, committed(1), withdrawn]


def test_a_leader_keeps_to_the_size_of_a_block(ledger: ExampleLedger) -> None:
    events = [committed(number) for number in range(4)]
    size = len(encode(events[0]))
    assert all(len(encode(signed)) == size for signed in events)

    assert select(ledger, *events, count_max=3) == events[:3]
    assert select(ledger, *events, size_max=2 * size) == events[:2]
    assert select(ledger, *events, size_max=2 * size - 1) == events[:1]
    assert select(ledger, *events, count_max=0) == []


def test_a_leader_fills_the_gap_with_what_is_small_enough(ledger: ExampleLedger) -> None:
    large, small = disclosure(NETWORK, PATIENT, *NETWORK.members), committed(1)
    size = len(encode(small))
    assert len(encode(large)) > size
    assert select(ledger, large, small, size_max=size) == [small]


def test_a_leader_tries_only_so_many(
    ledger: ExampleLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protocol.ledger.SELECTION_ATTEMPTS_MAX", 2)
    stranger = records_committed(NETWORK, make_party("stranger"))

    assert select(ledger, stranger, committed(1), committed(2)) == [committed(1)]
