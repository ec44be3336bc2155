"""What does it cost to keep what is final, and to remember a vote?

Blocks of consents, executed by the ledger, are appended one by one to a real LevelDB, each with a
sync; so are votes to a real vote log. Numbers are medians and 99th percentiles, in milliseconds
or, for reads, microseconds. `fdatasync_ms` is what the disk itself takes.

    python -m tests.benchmarks.store [--blocks 30] [--folder DIR]
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from daemon.storage.leveldb_files import check_files
from daemon.storage.store import ChainStore
from daemon.storage.verification import verify_folder
from daemon.storage.vote_log import VoteLog
from protocol.blocks import Block
from protocol.consensus.log import CertificateLogged, LogRecord, OwnVote, ProposalLogged
from protocol.events import event_id
from protocol.state import consent_key, seen_key
from tests.daemon.executed_chains import ExecutedChain
from tests.protocol.examples import (
    Network,
    consent_given,
    make_certificate,
    make_key,
    make_network,
    make_vote,
    token,
)

BLOCK_SIZES = (1, 100, 1_000)
READS = 20_000
VOTES = 300


class Stopwatch:
    """A store that measures how long it takes to append."""

    def __init__(self, store: ChainStore) -> None:
        self.begin = store.begin
        self.get = store.get
        self.seconds: list[float] = []
        self._append = store.append

    def append(self, *arguments: Any) -> None:
        self.seconds.append(_seconds(lambda: self._append(*arguments)))


def measure(folder: Path, blocks: int) -> dict[str, Any]:
    """Return all figures."""
    network = make_network()
    figures: dict[str, Any] = {"fdatasync_ms": _measure_disk(folder)}
    for size in BLOCK_SIZES:
        path = folder / f"chain-{size}"
        count = max(3, blocks if size < 1_000 else blocks // 6)
        with ChainStore.open(path, network.id) as store:
            figures[f"append_{size}_events_ms"] = _measure_appends(store, network, count, size)
        figures[f"bytes_per_event_{size}"] = round(_size_of(path) / (count * size))
    with ChainStore.open(path, network.id) as store:
        figures["get_us"] = _measure_reads(store)
        figures["get_absent_us"] = _measure_absent_reads(store)
        figures["block_1000_events_ms"] = _timed([lambda: store.block(1)] * 20)
    events = BLOCK_SIZES[-1] * count
    figures["open_ms"] = _timed([lambda: _open(path, network)] * 5)
    figures["check_files_mb_per_second"] = round(
        _size_of(path) / 1e6 / _seconds(lambda: list(check_files(path))), 1
    )
    figures["verify_events_per_second"] = round(
        events / _seconds(lambda: verify_folder(path, network.genesis, lambda _: None))
    )
    figures |= _measure_votes(folder / "votes", network)
    return figures


def _measure_appends(
    store: ChainStore, network: Network, count: int, size: int
) -> dict[str, float]:
    """Append blocks, and time only what the store does."""
    watch = Stopwatch(store)
    chain = ExecutedChain(watch, network)
    for height in range(count):
        labels = [f"{height} {number}" for number in range(size)]
        chain.add([_consent(network, label) for label in labels])
    return _summary(watch.seconds)


def _consent(network: Network, label: str) -> Any:
    custodian = network.authorities[0]
    return consent_given(network, make_key(label), custodian, consent=token(label, 16))


def _measure_reads(store: ChainStore) -> dict[str, float]:
    block = store.block(1)
    assert block is not None
    keys = [seen_key(event_id(signed.event, store.network)) for signed in block.events]
    return _timed([partial(store.get, key) for key in keys * (READS // len(keys))], 1e6)


def _measure_absent_reads(store: ChainStore) -> dict[str, float]:
    keys = [consent_key(token(str(number), 16)) for number in range(READS)]
    return _timed([partial(store.get, key) for key in keys], 1e6)


def _measure_votes(folder: Path, network: Network) -> dict[str, Any]:
    vote = OwnVote(make_vote(network, 0))
    certificate = CertificateLogged(make_certificate(network))
    large = ProposalLogged(_large_block(network), make_vote(network, 1))
    with VoteLog[LogRecord].open(folder, network.id, LogRecord) as log:
        return {
            "vote_ms": _timed([lambda: log.append([certificate, vote])] * VOTES),
            "vote_with_block_of_1000_ms": _timed([lambda: log.append([large, vote])] * 50),
            "vote_log_bytes": log.size,
            "vote_log_prune_ms": _timed([lambda: log.prune(lambda _: True)] * 3),
        }


def _large_block(network: Network) -> Block:
    with (
        tempfile.TemporaryDirectory() as folder,
        ChainStore.open(Path(folder), network.id) as store,
    ):
        ExecutedChain(store, network).add(
            [_consent(network, str(number)) for number in range(BLOCK_SIZES[-1])]
        )
        return store.head


def _measure_disk(folder: Path) -> dict[str, float]:
    descriptor = os.open(folder / "probe", os.O_WRONLY | os.O_CREAT)

    def write() -> None:
        os.write(descriptor, bytes(300))
        os.fdatasync(descriptor)

    summary = _timed([write] * VOTES)
    os.close(descriptor)
    return summary


def _open(path: Path, network: Network) -> None:
    with ChainStore.open(path, network.id):
        pass


def _timed(calls: list[Callable[[], Any]], unit: float = 1e3) -> dict[str, float]:
    return _summary([_seconds(call) for call in calls], unit)


def _seconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _summary(seconds: list[float], unit: float = 1e3) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "p50": round(statistics.median(ordered) * unit, 3),
        "p99": round(ordered[int(len(ordered) * 0.99)] * unit, 3),
    }


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description="Measure the store and the vote log.")
    parser.add_argument("--blocks", type=int, default=30)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures = measure(Path(folder), options.blocks)
    sys.stdout.write(json.dumps({"benchmark": "store", **figures}) + "\n")


if __name__ == "__main__":
    main()
