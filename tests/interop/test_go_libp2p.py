"""go-libp2p and we: Noise, yamux, ping, identify, 64 MiB each way, slow readers and resets."""

from pathlib import Path

import pytest

from tests.interop.conversation import check_that_they_understand_us

pytestmark = pytest.mark.system


@pytest.mark.parametrize("we_dial", [False, True], ids=["go-dials", "we-dial"])
async def test_a_go_peer_and_we_understand_each_other(go_peer: Path, we_dial: bool) -> None:
    await check_that_they_understand_us([str(go_peer)], we_dial=we_dial)
