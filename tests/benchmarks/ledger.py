"""How many events a second can a node judge and execute, and where does the time go?

Each figure is microseconds of one processor for one event, the best of some runs: decoding it,
admitting it to the mempool, executing it in a block (of which the digest), and checking its
signatures, which a node does once. `events_per_second` is what all of it allows on one core,
`events_per_second_cached` what executing a block of known events allows. The state is a dict: what
LevelDB adds is measured with the store.

    python -m tests.benchmarks.ledger [--events 1000] [--runs 5] [--consents 10000]
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence

from protocol.codec import decode, encode
from protocol.digest import StateDigest
from protocol.events import ConsentBasis, SignedEvent
from protocol.identity import Verifier
from protocol.mempool import EVENTS_PER_SUBMITTER_MAX, Mempool
from protocol.messages import Bundle, sign_bundle
from protocol.signers import signature_checks
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import (
    Network,
    consent_given,
    disclosure,
    make_key,
    make_network,
    token,
)

EVENTS_PER_BUNDLE = 128
CONSENTS_PER_BLOCK = 2_000


def best(runs: int, function: Callable[[], object]) -> float:
    """Return the shortest time of the processor in seconds."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def make_consents(network: Network, label: str, count: int) -> list[SignedEvent]:
    return [
        consent_given(
            network,
            make_key(f"{label} {number}"),
            network.members[0],
            consent=token(f"{label} {number}", 16),
        )
        for number in range(count)
    ]


def make_disclosures(network: Network, label: str, count: int) -> list[SignedEvent]:
    """Return one disclosure for each of the consents with this label."""
    custodian, requester = network.members
    return [
        disclosure(
            network,
            make_key(f"{label} {number}"),
            custodian,
            requester,
            basis=ConsentBasis(token(f"{label} {number}", 16)),
        )
        for number in range(count)
    ]


def make_bundles(network: Network, events: Sequence[SignedEvent]) -> list[Bundle]:
    starts = range(0, len(events), EVENTS_PER_BUNDLE)
    return [
        sign_bundle(
            network.authorities[0].key,
            network.id,
            start,
            tuple(events[start : start + EVENTS_PER_BUNDLE]),
        )
        for start in starts
    ]


def measure_kind(ledger: ExampleLedger, events: list[SignedEvent], runs: int) -> dict[str, float]:
    """Return microseconds for one event of a kind, on the state of `ledger`."""
    believer = Verifier(lambda *_: True)
    context = ledger.context
    encoded = [encode(signed) for signed in events]
    bundles = make_bundles(ledger.network, events)
    checks = [
        check
        for signed in events
        for check in signature_checks(ledger.state, signed, ledger.network.id)
    ]
    ledger.verifier = believer
    execution = ledger.judge(*events)

    def admit() -> None:
        mempool = Mempool(ledger.network.id)
        for bundle in bundles:
            _, refused = mempool.add(bundle, ledger.state, context, believer)
            assert not refused

    def verify() -> None:
        verifier = Verifier()
        assert all(verifier.is_valid(*check) for check in checks)

    seconds = {
        "decode": best(runs, lambda: [decode(data, SignedEvent) for data in encoded]),
        "admit": best(runs, admit),
        "execute": best(runs, lambda: ledger.judge(*events)),
        "of_which_digest": best(
            runs, lambda: ledger.digest.updated(ledger.state, execution.changes)
        ),
        "signatures": best(runs, verify),
    }
    return summarize({name: value / len(events) for name, value in seconds.items()}, encoded)


def summarize(seconds: dict[str, float], encoded: list[bytes]) -> dict[str, float]:
    pure = seconds["decode"] + seconds["admit"] + seconds["execute"]
    whole = pure + seconds["signatures"]
    return {
        "bytes": sum(map(len, encoded)) / len(encoded),
        **{f"{name}_us": round(1e6 * value, 1) for name, value in seconds.items()},
        "without_signatures_us": round(1e6 * pure, 1),
        "signature_share": round(seconds["signatures"] / whole, 2),
        "events_per_second": round(1 / whole),
        "events_per_second_cached": round(1 / seconds["execute"]),
    }


def measure_digest(ledger: ExampleLedger, runs: int) -> dict[str, float]:
    """Return microseconds for one changed entry, and for the root of a changed digest."""
    changes: dict[bytes, bytes | None] = {b"c" + token(f"{n}", 16): bytes(120) for n in range(500)}
    update = best(runs, lambda: ledger.digest.updated({}, changes))
    roots = [StateDigest(ledger.digest.accumulators) for _ in range(100 * runs)]
    root = best(runs, lambda: [roots.pop().root for _ in range(100)])
    return {
        "entry_us": round(1e6 * update / len(changes), 2),
        "root_us": round(1e6 * root / 100, 1),
    }


def measure(*, events: int, runs: int, consents: int) -> dict[str, object]:
    network = make_network()
    ledger = ExampleLedger(network, Verifier(lambda *_: True))
    for start in range(0, consents, CONSENTS_PER_BLOCK):
        count = min(CONSENTS_PER_BLOCK, consents - start)
        ledger.apply(*make_consents(network, f"old {start}", count))
    given = make_consents(network, "new", events)
    result: dict[str, object] = {
        "events": events,
        "entries": len(ledger.state),
        "consent_given": measure_kind(ledger, given, runs),
    }
    ledger.apply(*given)
    result["disclosure"] = measure_kind(ledger, make_disclosures(network, "new", events), runs)
    result["digest"] = measure_digest(ledger, runs)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=1_000, help="in a block")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--consents", type=int, default=10_000, help="in the state before")
    arguments = parser.parse_args()
    if not 1 <= arguments.events <= min(CONSENTS_PER_BLOCK, EVENTS_PER_SUBMITTER_MAX):
        parser.error(f"--events must be 1 to {CONSENTS_PER_BLOCK}")
    result = measure(events=arguments.events, runs=arguments.runs, consents=arguments.consents)
    json.dump(result, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
