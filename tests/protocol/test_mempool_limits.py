"""Each submitter has a share, the pool an end, and a "no" finds room after that."""

from collections.abc import Callable

import pytest

from protocol import mempool as mempool_module
from protocol.codec import encode
from protocol.events import SignedEvent
from protocol.identity import Verifier
from protocol.mempool import Mempool, MempoolFull, ShareExceeded
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    Party,
    consent_given,
    consent_withdrawn,
    make_bundle,
    make_key,
    make_network,
    records_committed,
    token,
)

NETWORK = make_network()
ONE, OTHER = NETWORK.members
PATIENT = make_key("patient")

Limit = Callable[[str, int], None]


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Limit:
    return lambda name, value: monkeypatch.setattr(mempool_module, name, value)


class Pool:
    def __init__(self) -> None:
        self.ledger = ExampleLedger(NETWORK)
        self.mempool = Mempool(NETWORK.id)
        self.size = 0

    def refusals(self, *events: SignedEvent, submitter: Party = ONE) -> list[type]:
        """Add the events in one bundle, and return why some were refused."""
        bundle = make_bundle(NETWORK, submitter, *events)
        self.size = len(encode(bundle))
        _, refused = self.mempool.add(
            bundle, self.ledger.state, self.ledger.context, self.ledger.verifier
        )
        return [type(error) for _, error in refused]

    def finalize(self, *events: SignedEvent) -> None:
        execution = self.ledger.apply(*events)
        self.mempool.remove(execution.event_ids)
        context = self.ledger.context
        self.mempool.prune(self.ledger.state, context, self.ledger.verifier, execution.changes)


@pytest.fixture
def pool() -> Pool:
    return Pool()


def committed(number: int) -> SignedEvent:
    return records_committed(NETWORK, ONE, root=token(f"root {number}"))


def given(number: int) -> SignedEvent:
    return consent_given(NETWORK, PATIENT, ONE, consent=token(f"consent {number}", 16))


def withdrawn(number: int) -> SignedEvent:
    return consent_withdrawn(NETWORK, PATIENT, consent=token(f"consent {number}", 16))


def test_a_submitter_has_so_many_events_waiting(pool: Pool, limit: Limit) -> None:
    limit("EVENTS_PER_SUBMITTER_MAX", 3)
    assert pool.refusals(*map(committed, range(4))) == [ShareExceeded]
    assert pool.refusals(committed(4)) == [ShareExceeded]
    assert pool.refusals(committed(4), submitter=OTHER) == []

    pool.finalize(committed(0))
    assert pool.refusals(committed(5)) == []
    assert pool.refusals(committed(6)) == [ShareExceeded]


def test_the_pool_holds_so_many_events(pool: Pool, limit: Limit) -> None:
    limit("EVENTS_MAX", 3)
    assert pool.refusals(*map(committed, range(2))) == []
    assert pool.refusals(*map(committed, range(2, 4)), submitter=OTHER) == [MempoolFull]
    assert len(pool.mempool) == 3


def test_a_submitter_has_so_many_bytes_waiting(pool: Pool, limit: Limit) -> None:
    pool.refusals(committed(0))
    limit("BYTES_PER_SUBMITTER_MAX", 2 * pool.size)
    assert pool.refusals(committed(1)) == []
    assert pool.refusals(committed(2)) == [ShareExceeded]
    pool.finalize(committed(0))
    assert pool.refusals(committed(3)) == []


def test_a_bundle_is_charged_for_once(pool: Pool, limit: Limit) -> None:
    events = [committed(number) for number in range(3)]
    limit("BYTES_PER_SUBMITTER_MAX", len(encode(make_bundle(NETWORK, ONE, *events))))
    assert pool.refusals(*events) == []


def test_the_pool_holds_so_many_bytes(pool: Pool, limit: Limit) -> None:
    pool.refusals(committed(0))
    limit("BYTES_MAX", 2 * pool.size)
    assert pool.refusals(committed(1), submitter=OTHER) == []
    assert pool.refusals(committed(2), submitter=OTHER) == [MempoolFull]


def test_a_bundle_is_charged_for_until_its_last_event_has_gone(pool: Pool, limit: Limit) -> None:
    pool.refusals(committed(0), committed(1), committed(2))
    limit("BYTES_PER_SUBMITTER_MAX", pool.size)
    assert pool.refusals(committed(3)) == [ShareExceeded]
    pool.finalize(committed(0), committed(2))
    assert pool.refusals(committed(3)) == [ShareExceeded]
    pool.finalize(committed(1))
    assert pool.refusals(committed(3)) == []


def test_a_no_finds_room_where_nothing_else_does(pool: Pool, limit: Limit) -> None:
    limit("EVENTS_PER_SUBMITTER_MAX", 3)
    limit("URGENT_RESERVE", 2)
    assert pool.refusals(given(1), given(2), given(3)) == []
    assert pool.refusals(committed(1)) == [ShareExceeded]
    assert pool.refusals(withdrawn(1), withdrawn(2)) == []
    assert pool.refusals(withdrawn(3)) == [ShareExceeded]
    assert pool.mempool.is_withdrawn(token("consent 3", 16)), "it counts all the same"


def test_a_no_finds_room_in_a_full_pool(pool: Pool, limit: Limit) -> None:
    limit("EVENTS_MAX", 2)
    limit("URGENT_RESERVE", 1)
    assert pool.refusals(given(1), given(2)) == []
    assert pool.refusals(withdrawn(1), submitter=OTHER) == []
    assert pool.refusals(withdrawn(2), submitter=OTHER) == [MempoolFull]


def test_a_no_has_bytes_of_its_own(pool: Pool, limit: Limit) -> None:
    assert pool.refusals(given(1), given(2)) == []
    limit("BYTES_PER_SUBMITTER_MAX", pool.size)
    limit("BYTES_MAX", pool.size)
    assert pool.refusals(withdrawn(1)) == []
    limit("URGENT_BYTES_RESERVE", pool.size)
    assert pool.refusals(withdrawn(2)) == [ShareExceeded]
    assert pool.refusals(withdrawn(2), submitter=OTHER) == [MempoolFull]


def test_a_bundle_without_room_costs_no_signature_checks_but_one(pool: Pool, limit: Limit) -> None:
    limit("EVENTS_PER_SUBMITTER_MAX", 0)
    checks: list[bytes] = []

    def is_valid(key: bytes, *_: bytes) -> bool:
        checks.append(key)
        return True

    bundle = make_bundle(NETWORK, ONE, *map(committed, range(5)))
    pool.mempool.add(bundle, pool.ledger.state, pool.ledger.context, Verifier(is_valid))
    assert len(checks) == 1


def test_so_many_withdrawals_are_remembered(pool: Pool, limit: Limit) -> None:
    limit("WITHDRAWN_MAX", 2)
    pool.refusals(*map(given, range(3)))
    pool.refusals(*map(withdrawn, range(3)))
    remembered = [pool.mempool.is_withdrawn(token(f"consent {n}", 16)) for n in range(3)]
    assert remembered == [False, True, True]


def test_what_is_gone_is_not_counted_any_more(pool: Pool) -> None:
    pool.refusals(given(1), committed(1))
    pool.refusals(withdrawn(1), submitter=OTHER)
    pool.finalize(given(1), committed(1))
    pool.finalize(withdrawn(1))

    left = vars(pool.mempool)
    assert len(pool.mempool) == 0
    assert left["_bytes"] == 0
    assert not left["_events_of"]
    assert not left["_bytes_of"]
    assert not left["_disclosures_of"]
    assert not left["_withdrawn"]
