"""`placet chain prune`: on a stopped node by its files, on a running one by its socket."""

from pathlib import Path

from daemon.joining.setup import save_genesis
from daemon.storage.home import Home
from daemon.storage.store import ChainStore
from tests.daemon.cli.canned import canned_node
from tests.daemon.cli.screens import Screen
from tests.daemon.executed_chains import fill
from tests.daemon.stored_chains import NETWORK

PRUNED = {
    "lowest_height": 91, "blocks": 91, "size_before": 9_000_000, "size_after": 1_000_000,
    "came_back": 8_000_000,
}  # fmt: skip


def make_chain(home: Home) -> None:
    home.path.mkdir(mode=0o700, exist_ok=True)
    home.chain.mkdir()
    save_genesis(home, NETWORK.genesis)
    with ChainStore.open(home.chain, NETWORK.id) as store:
        fill(store, block_count=6)


def test_the_files_of_a_stopped_node_are_pruned_and_still_good(home: Home, screen: Screen) -> None:
    make_chain(home)

    found = screen.json("chain prune --keep 3 --yes")
    assert (found["lowest_height"], found["blocks"]) == (6, 6)
    assert found["came_back"] == found["size_before"] - found["size_after"]
    report = screen.json("chain verify")
    assert (report["good"], report["lowest_height"], report["blocks"]) == (True, 6, 3)
    assert screen.run("chain verify") == 0
    assert "Older blocks are not on this node" in screen.out


def test_a_running_node_is_asked(home: Home, screen: Screen) -> None:
    with home.locked(), canned_node(home, {"chain.prune": PRUNED}) as node:
        assert screen.run("chain prune --keep 10 --yes") == 0
        assert node.params_of("chain.prune") == {"keep": 10}
    assert "the oldest is now 91" in screen.out
    assert "came back to the disk" in screen.out


def test_nothing_is_deleted_without_a_yes(home: Home, screen: Screen) -> None:
    with home.locked(), canned_node(home, {"chain.prune": PRUNED}) as node:
        assert screen.run("chain prune --keep 10") != 0
        assert node.asked == []


def test_the_newest_block_cannot_be_deleted(home: Home, screen: Screen) -> None:
    assert screen.run("chain prune --keep 0 --yes") == 2


def test_a_home_without_a_chain_is_told(screen: Screen, tmp_path: Path) -> None:
    assert screen.run(f"chain prune --keep 1 --yes --home {tmp_path / 'none'}") != 0
