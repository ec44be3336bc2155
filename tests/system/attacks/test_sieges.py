"""What a real daemon bears: each attack of the catalogue, while an honest peer is served.

In each run those that are quick and have a kind of their own; all of them in a soak.
`make bench NAME=attacks` prints what they did as a table.
"""

from collections.abc import Iterator

import pytest
import trio

from tests.system.attacks.catalogue import ATTACKS
from tests.system.attacks.gossip import small_talk
from tests.system.attacks.siege import (
    FOES,
    FOES_OF_ALL,
    Attack,
    Siege,
    besieged,
    complaints,
)

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def siege(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Siege]:
    are_few = request.config.getoption("-m") == "not soak"
    foes = FOES if are_few else FOES_OF_ALL
    with besieged(tmp_path_factory.mktemp("siege"), foes) as siege:
        yield siege


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(each, id=each.name, marks=[pytest.mark.soak] if each.is_long else [])
        for each in ATTACKS
    ],
)
async def test_a_node_bears(siege: Siege, attack: Attack) -> None:
    row = await siege.endure(attack)
    assert not complaints(attack, row), row


async def test_the_network_went_on_and_agrees(siege: Siege) -> None:
    def agree() -> None:
        receipt = siege.net.first.submit(siege.net.new_consent(siege.net.authorities[0]))
        siege.net.wait_for_height(receipt["height"])

    await trio.to_thread.run_sync(agree)


async def test_a_node_ends_cleanly_while_it_is_attacked(siege: Siege) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(small_talk, siege, 20.0)
        await trio.sleep(0.5)
        assert await trio.to_thread.run_sync(siege.victim.stop) == 0
        nursery.cancel_scope.cancel()
