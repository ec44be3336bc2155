"""A running node prunes when it is worth it, once the owner of the store lets older blocks go."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from daemon import pruner as module
from daemon.pruner import PAUSE_SECONDS, Pruner
from daemon.receipts import TooBusy
from daemon.storage.pruning import blocks_below, forget_below
from daemon.storage.store import ChainStore
from tests.daemon.stored_chains import (
    DIGEST,
    GENESIS,
    NETWORK,
    digest_of,
    finalize,
    make_chain,
    state_of,
)

HEAD = 30


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChainStore]:
    with ChainStore.open(tmp_path / "chain", NETWORK.id) as store:
        store.begin(GENESIS, {}, DIGEST)
        for block in make_chain(HEAD):
            height = block.header.height
            store.append([block], finalize(block), state_of(height), digest_of(height))
        yield store


class Owner:
    """Whoever may say what counts in the store."""

    def __init__(self, store: ChainStore) -> None:
        self.store = store
        self.asked: list[int] = []
        self.was_asked = trio.Event()

    async def forget_below(self, height: int) -> int:
        self.asked.append(height)
        self.was_asked.set()
        return forget_below(self.store, height)


def pruner_of(store: ChainStore, keep_blocks: int = 0) -> Pruner:
    return Pruner(store, keep_blocks=keep_blocks, forget_below=Owner(store).forget_below)


async def test_the_owner_of_the_store_is_asked_once(store: ChainStore) -> None:
    owner = Owner(store)
    pruner = Pruner(store, keep_blocks=0, forget_below=owner.forget_below)
    pruned = await pruner.prune(keep_blocks=10)

    assert owner.asked == [HEAD - 9]
    assert (pruned.lowest_height, pruned.blocks) == (HEAD - 9, HEAD - 9)


async def test_a_second_pruning_at_the_same_time_is_refused(store: ChainStore) -> None:
    pruner = pruner_of(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: pruner.prune(keep_blocks=10))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(TooBusy):
            await pruner.prune(keep_blocks=10)
    await pruner.prune(keep_blocks=5)


async def test_a_pruning_that_was_cancelled_is_finished_the_next_time(store: ChainStore) -> None:
    pruner = pruner_of(store)
    with trio.CancelScope() as scope:
        await pruner.prune(keep_blocks=10, report_progress=lambda _: scope.cancel())
    await pruner.prune(keep_blocks=10)

    assert list(blocks_below(store, HEAD - 9)) == []


async def test_what_the_configuration_says_is_kept(
    store: ChainStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SURPLUS_MIN", 5)
    owner = Owner(store)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Pruner(store, keep_blocks=20, forget_below=owner.forget_below).run)
        await owner.was_asked.wait()
        nursery.cancel_scope.cancel()

    assert owner.asked == [HEAD - 19]
    assert store.lowest_height == HEAD - 19


@pytest.mark.parametrize("keep", [0, HEAD])
async def test_what_is_not_worth_it_is_left(
    store: ChainStore, keep: int, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.move_on_after(PAUSE_SECONDS):
        await pruner_of(store, keep).run()
    assert store.lowest_height == 0
