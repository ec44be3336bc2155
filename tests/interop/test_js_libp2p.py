"""js-libp2p and we: Noise, yamux, ping, identify, 64 MiB each way, slow readers and resets."""

from pathlib import Path

import pytest

from tests.interop.conversation import check_that_they_understand_us
from tests.interop.toolchains import JS_FOLDER

pytestmark = pytest.mark.system


@pytest.mark.parametrize("we_dial", [False, True], ids=["js-dials", "we-dial"])
async def test_a_js_peer_and_we_understand_each_other(
    js_packages: Path, tmp_path: Path, we_dial: bool
) -> None:
    (tmp_path / "node_modules").symlink_to(js_packages)
    program = tmp_path / "peer.mjs"
    program.write_bytes((JS_FOLDER / "peer.mjs").read_bytes())
    await check_that_they_understand_us(["node", str(program)], we_dial=we_dial)
