"""What a node says about the authorities: who votes, and whether others are about to."""

from types import SimpleNamespace
from typing import Any

from daemon.api.authorities import describe
from daemon.membership import Membership
from protocol.electorates import want
from protocol.handoff import HANDOFF_LAG
from protocol.state import ChangesWanted
from tests.protocol.authority_examples import authority_ready
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import make_network

NETWORK = make_network()
ME, NEWCOMER = NETWORK.authorities[0], NETWORK.members[0]


def described(ledger: ExampleLedger) -> dict[str, Any]:
    members = Membership(ledger.state)
    node: Any = SimpleNamespace(
        me=ME.id, members=members, transport=SimpleNamespace(connected=lambda: ())
    )
    return dict(describe(node, ledger.state, ledger.height))


def test_a_handoff_is_pending_from_its_block_until_the_next_epoch_begins() -> None:
    ledger = ExampleLedger(NETWORK)
    assert described(ledger)["pending"] is None
    ledger.apply(authority_ready(NETWORK, NEWCOMER))
    ledger.set(want(ChangesWanted(additions=(NEWCOMER.id,))))
    assert described(ledger)["pending"] is None
    for _ in range(HANDOFF_LAG):
        ledger.apply()
        pending = described(ledger)["pending"]
        assert (pending["epoch"], pending["removed"], pending["renewed"]) == (1, [], [])
        assert len(pending["added"]) == 1
    ledger.apply()

    found = described(ledger)
    assert (found["pending"], found["epoch"], found["count"]) == (None, 1, 5)
