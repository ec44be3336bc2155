"""js-libp2p dials us: Noise, yamux, ping, identify, 16 MiB both ways, and a stream that we open."""

import json
import shutil
from pathlib import Path

import pytest
import trio

from daemon.transport import Stream, StreamClosed, Transport
from daemon.transport.identity import peer_id_of

FOLDER = Path(__file__).parent
SECONDS_MAX = 60
FRAMES = 256
FRAME_AND_HEADER_SIZE = 65_536 + 5

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(
        not (FOLDER / "node_modules").is_dir(),
        reason="`npm install --no-package-lock` was not run in tests/interop",
    ),
]


async def echo(stream: Stream) -> None:
    while True:
        try:
            frame = await stream.receive()
        except StreamClosed:
            return
        await stream.send(frame)


async def test_a_js_peer_finds_everything_as_the_specifications_say() -> None:
    transport = Transport(
        seed=bytes([1]) * 32, listen=["/ip4/127.0.0.1/tcp/0"], admit=lambda _: True
    )
    heard: list[bytes] = []

    async def call_back(stream: Stream) -> None:
        async with await transport.open_stream(stream.member, "/test/hello/1") as hello:
            heard.append(await hello.receive())

    transport.serve("/test/echo/1", echo)
    transport.serve("/test/call-back/1", call_back)
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        address = f"{transport.addresses[0]}/p2p/{peer_id_of(transport.me)}"
        with trio.fail_after(SECONDS_MAX):
            process = await trio.run_process(
                ["node", str(FOLDER / "js_peer.mjs"), address], capture_stdout=True
            )
        seen = json.loads(process.stdout)
        nursery.cancel_scope.cancel()
    assert seen["ping"] >= 0
    assert "/ipfs/ping/1.0.0" in seen["identity"]
    assert "/test/echo/1" in seen["identity"]
    assert seen["echoed"] == FRAMES * FRAME_AND_HEADER_SIZE
    assert seen["refused"] == "UnsupportedProtocolError"
    assert seen["called"] is True
    assert heard == [b"hi"]
