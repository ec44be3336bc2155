"""What expires is forgotten, never early, at a bounded cost for each block."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.blocks import EVENTS_PER_BLOCK_MAX
from protocol.forgetting import (
    ASKED_DURATION,
    FORGETTING_KEY,
    FORGOTTEN_PER_BLOCK_MAX,
    SLOT_DURATION,
    SLOTS_PER_BLOCK_MAX,
    begin_forgetting,
    forget,
    schedule,
)
from protocol.ledger import AlreadyInChain, EventExpired
from protocol.state import (
    PRESENT,
    CorruptState,
    asked_entry,
    asked_key,
    custodian_entry,
    request_key,
    seen_key,
)
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    CREATED_AT,
    VALID_UNTIL,
    access_requested,
    disclosure,
    id_of,
    make_key,
    make_network,
    records_committed,
    token,
)

NETWORK = make_network()


class Memory:
    """A state in which nothing happens but remembering and forgetting."""

    def __init__(self, timestamp: int) -> None:
        self.state: dict[bytes, bytes] = {}
        self.height = 0
        self._write(begin_forgetting(timestamp))
        self.empty = dict(self.state)

    def remember(self, *due: tuple[bytes, int]) -> None:
        self.height += 1
        self._write(dict.fromkeys((key for key, _ in due), PRESENT))
        self._write(schedule(self.state, due, self.height))

    def forget(self, timestamp: int) -> int:
        """Forget, and return how many keys are gone."""
        before = len(self.remembered())
        self._write(forget(self.state, timestamp))
        return before - len(self.remembered())

    def remembered(self) -> set[bytes]:
        return {key for key in self.state if key.startswith(b"k")}

    def _write(self, changes: dict) -> None:
        for key, value in changes.items():
            if value is None:
                del self.state[key]
            else:
                self.state[key] = value


def keys(count: int, first: int = 0) -> list[bytes]:
    return [b"k%d" % number for number in range(first, first + count)]


def test_a_key_is_kept_until_its_slot_has_passed() -> None:
    memory = Memory(0)
    memory.remember((b"k1", 0), (b"k2", SLOT_DURATION - 1), (b"k3", SLOT_DURATION))

    assert memory.forget(SLOT_DURATION - 1) == 0
    memory.forget(SLOT_DURATION)
    assert memory.remembered() == {b"k3"}
    memory.forget(2 * SLOT_DURATION)
    assert memory.remembered() == set()
    assert memory.state.keys() == memory.empty.keys()


def test_blocks_add_pages_to_one_slot() -> None:
    memory = Memory(0)
    for number in range(5):
        memory.remember((b"k%d" % number, 7))

    assert memory.forget(SLOT_DURATION) == 5
    assert memory.state.keys() == memory.empty.keys()


def test_a_block_forgets_so_many_and_the_next_goes_on() -> None:
    memory = Memory(0)
    first, second = FORGOTTEN_PER_BLOCK_MAX - 1, 3
    memory.remember(*((key, 0) for key in keys(second)))
    memory.remember(*((key, 0) for key in keys(first, second)))
    memory.remember((b"klater", SLOT_DURATION))

    later = 2 * SLOT_DURATION
    assert memory.forget(later) == FORGOTTEN_PER_BLOCK_MAX
    assert memory.forget(later) == 3
    assert memory.forget(later) == 0
    assert memory.state.keys() == memory.empty.keys()


def test_more_than_a_block_can_add_is_forgotten_in_one() -> None:
    assert FORGOTTEN_PER_BLOCK_MAX >= 2 * EVENTS_PER_BLOCK_MAX


def test_after_an_idle_time_blocks_visit_so_many_slots() -> None:
    memory = Memory(0)
    memory.remember((b"k1", SLOT_DURATION * SLOTS_PER_BLOCK_MAX))
    much_later = SLOT_DURATION * 10 * SLOTS_PER_BLOCK_MAX

    assert memory.forget(much_later) == 0
    assert memory.forget(much_later) == 1


def test_the_oldest_slot_never_passes_the_present() -> None:
    memory = Memory(0)
    for _ in range(3):
        memory.forget(5 * SLOT_DURATION)
    memory.remember((b"k1", 5 * SLOT_DURATION))

    assert memory.forget(6 * SLOT_DURATION) == 1


@given(
    st.lists(
        st.lists(st.integers(0, 20 * SLOT_DURATION), max_size=4),
        max_size=8,
    )
)
def test_everything_is_forgotten_once_it_expired_and_nothing_before(
    blocks: list[list[int]],
) -> None:
    memory = Memory(0)
    until_of: dict[bytes, int] = {}
    for step, lifetimes in enumerate(blocks):
        now = step * 3 * SLOT_DURATION
        memory.forget(now)
        due = [(b"k%d-%d" % (step, index), now + each) for index, each in enumerate(lifetimes)]
        until_of |= dict(due)
        memory.remember(*due)
        assert {key for key, until in until_of.items() if until >= now} <= memory.remembered()
    memory.forget(len(blocks) * 3 * SLOT_DURATION + 21 * SLOT_DURATION)
    assert memory.state.keys() == memory.empty.keys()


def test_a_state_that_lost_a_page_is_corrupt() -> None:
    memory = Memory(0)
    memory.remember((b"k1", 0))
    (page,) = (key for key in memory.state if key.startswith(b"p"))
    del memory.state[page]
    with pytest.raises(CorruptState):
        memory.forget(SLOT_DURATION)
    del memory.state[FORGETTING_KEY]
    with pytest.raises(CorruptState):
        memory.forget(SLOT_DURATION)


def test_events_and_requests_are_forgotten_and_nothing_else_changes() -> None:
    ledger = ExampleLedger(NETWORK)
    custodian, requester = NETWORK.members
    patient, request = make_key("patient"), token("request")
    request_until = VALID_UNTIL + SLOT_DURATION
    committed = records_committed(NETWORK, custodian)
    disclosed = disclosure(
        NETWORK, patient, custodian, requester, request=request, request_until=request_until
    )
    ledger.apply(committed, disclosed)
    seen = {seen_key(id_of(NETWORK, each)) for each in (committed, disclosed)}
    used = request_key(requester.id, request)
    assert seen | {used} <= ledger.state.keys()

    ledger.timestamp = VALID_UNTIL + SLOT_DURATION
    ledger.apply()
    assert not seen & ledger.state.keys()
    assert used in ledger.state
    ledger.timestamp = request_until + SLOT_DURATION
    ledger.apply()
    assert used not in ledger.state
    assert not [key for key in ledger.state if key[:1] in b"hip"]
    ledger.assert_digest()


def test_a_request_that_was_never_answered_stays_in_the_custodians_count() -> None:
    ledger = ExampleLedger(NETWORK)
    custodian, requester = NETWORK.members
    ledger.apply(access_requested(NETWORK, requester, custodian, request=token("request")))
    ledger.timestamp = CREATED_AT + ASKED_DURATION
    for _ in range(30):
        ledger.apply()
    assert asked_entry(ledger.state, requester.id, token("request")) is not None

    ledger.timestamp += 2 * SLOT_DURATION
    ledger.apply()
    assert asked_key(requester.id, token("request")) not in ledger.state
    counts = custodian_entry(ledger.state, custodian.id)
    assert (counts.asked_count, counts.answered_count) == (1, 0)
    ledger.assert_digest()


def test_nobody_can_enter_an_event_again_after_it_was_forgotten() -> None:
    ledger = ExampleLedger(NETWORK)
    committed = records_committed(NETWORK, NETWORK.members[0])
    ledger.apply(committed)
    for _ in range(3):
        ledger.timestamp += SLOT_DURATION
        assert ledger.refusal(committed) is AlreadyInChain
        ledger.apply()
    ledger.timestamp = VALID_UNTIL
    assert ledger.refusal(committed) is AlreadyInChain
    ledger.timestamp = VALID_UNTIL + 2 * SLOT_DURATION
    ledger.apply()
    assert seen_key(id_of(NETWORK, committed)) not in ledger.state
    assert ledger.refusal(committed) is EventExpired
