"""Our own events leave at once or together, and are pushed until they are settled."""

import pytest

from protocol import submissions as module
from protocol.codec import encode
from protocol.events import SignedEvent
from protocol.identity import Verifier
from protocol.messages import BUNDLE_SIZE_MAX, EVENTS_PER_BUNDLE_MAX, Bundle, bundle_signing_bytes
from protocol.submissions import (
    BUNDLES_PUSHED_MAX,
    COLLECT_DELAY,
    PUSH_DELAY_MAX,
    PUSH_DELAY_MIN,
    Submissions,
)
from tests.protocol.examples import (
    id_of,
    make_network,
    make_party,
    member_admitted,
    records_committed,
    token,
)

NETWORK = make_network()
CLINIC = NETWORK.members[0]


def is_aside(_: bytes) -> bool:
    """Nothing is set aside."""
    return False


def make_submissions(sequence: int = 100) -> Submissions:
    return Submissions(CLINIC.key, NETWORK.id, sequence)


def event(number: int = 0) -> SignedEvent:
    return records_committed(NETWORK, CLINIC, root=token(f"root {number}"))


def taken(submissions: Submissions, *events: SignedEvent, now: int = 0) -> list[Bundle]:
    submissions.collect(events)
    return submissions.take(now)


def test_a_single_event_leaves_at_once() -> None:
    submissions = make_submissions()
    assert not submissions.is_due(0)
    submissions.collect([event()])

    assert submissions.is_due(0)
    [bundle] = submissions.take(0)
    assert bundle.events == (event(),)
    assert not submissions.is_collecting


def test_what_comes_soon_after_leaves_together() -> None:
    submissions = make_submissions()
    taken(submissions, event(0), now=50)
    submissions.collect([event(1)])
    submissions.collect([event(2)])

    assert not submissions.is_due(50 + COLLECT_DELAY - 1)
    assert submissions.is_due(50 + COLLECT_DELAY)
    [bundle] = submissions.take(60)
    assert bundle.events == (event(1), event(2))


def test_a_full_bundle_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVENTS_PER_BUNDLE_MAX", 2)
    submissions = make_submissions()
    taken(submissions, event(0))
    submissions.collect([event(1)])
    assert not submissions.is_due(1)
    submissions.collect([event(2)])

    assert submissions.is_due(1)


def test_a_bundle_is_signed_and_numbered_upwards() -> None:
    submissions = make_submissions(sequence=100)
    [first] = taken(submissions, event(0))
    [second] = taken(submissions, event(1))

    assert (first.sequence, second.sequence) == (101, 102)
    for bundle in (first, second):
        message = bundle_signing_bytes(NETWORK.id, bundle.submitter, bundle.sequence, bundle.events)
        assert bundle.submitter == CLINIC.id
        assert Verifier().is_valid(CLINIC.id, message, bundle.signature)


def test_no_bundle_holds_more_events_than_it_may() -> None:
    one = event()
    bundles = taken(make_submissions(), *[one] * (EVENTS_PER_BUNDLE_MAX + 1))

    assert [len(bundle.events) for bundle in bundles] == [EVENTS_PER_BUNDLE_MAX, 1]


def test_no_bundle_is_larger_than_it_may_be() -> None:
    admissions = [
        member_admitted(NETWORK, make_party(f"clinic {number}"), NETWORK.authorities[0])
        for number in range(60)
    ]
    bundles = taken(make_submissions(), *admissions)

    assert len(bundles) == 2
    assert sum((bundle.events for bundle in bundles), ()) == tuple(admissions)
    assert all(len(encode(bundle)) <= BUNDLE_SIZE_MAX for bundle in bundles)


def test_a_bundle_is_pushed_again_until_all_its_events_are_settled() -> None:
    submissions = make_submissions()
    [bundle] = taken(submissions, event(0), event(1))
    submissions.settle([id_of(NETWORK, event(0))])
    assert submissions.push_again(is_aside) == [bundle]

    submissions.settle([id_of(NETWORK, event(1))])
    assert not submissions.is_unfinished
    assert submissions.push_again(is_aside) == []


def test_a_bundle_is_renewed_without_what_was_refused() -> None:
    submissions = make_submissions()
    [bundle] = taken(submissions, event(0), event(1), event(2))
    renewed = submissions.renew(bundle, {id_of(NETWORK, event(1))})

    assert renewed.events == (event(0), event(2))
    assert renewed.sequence == bundle.sequence + 1
    assert submissions.push_again(is_aside) == [renewed]
    submissions.settle([id_of(NETWORK, event(0)), id_of(NETWORK, event(2))])
    assert not submissions.is_unfinished


def test_pushes_become_rarer_and_then_begin_afresh() -> None:
    submissions = make_submissions()
    taken(submissions, event())
    delays = [submissions.push_delay]
    for _ in range(6):
        submissions.push_again(is_aside)
        delays.append(submissions.push_delay)

    assert delays[:3] == [PUSH_DELAY_MIN, 2 * PUSH_DELAY_MIN, 4 * PUSH_DELAY_MIN]
    assert delays[-1] == PUSH_DELAY_MAX
    submissions.settle([id_of(NETWORK, event())])
    assert submissions.push_delay == PUSH_DELAY_MIN


def test_the_oldest_bundles_are_pushed_and_no_more_than_so_many() -> None:
    submissions = make_submissions()
    bundles = [taken(submissions, event(n))[0] for n in range(BUNDLES_PUSHED_MAX + 1)]

    assert submissions.push_again(is_aside) == bundles[:-1]


def test_what_others_submitted_settles_nothing_of_ours() -> None:
    submissions = make_submissions()
    taken(submissions, event())
    other = records_committed(NETWORK, NETWORK.members[1])
    submissions.settle([id_of(NETWORK, other)])

    assert submissions.is_unfinished


def test_what_is_set_aside_is_not_pushed() -> None:
    submissions = make_submissions()
    bundles = [taken(submissions, event(n))[0] for n in range(2)]
    aside = id_of(NETWORK, event(0))

    assert submissions.push_again(aside.__eq__) == bundles[1:]
