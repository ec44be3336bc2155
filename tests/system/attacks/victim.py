"""A process with our transport in it, to be attacked: `python -m tests.system.attacks.victim KEY…`.

The keys are the members'. It prints its id and addresses as one line of JSON, and ends with its
standard input.
"""

import json
import sys

import trio

from daemon.transport import Stream, StreamClosed, Transport

ECHO = "/test/echo/1"
UNREAD = "/test/unread/1"
RAISING = "/test/raising/1"
JOIN = "/test/join/1"

SEED = bytes([1]) * 32


async def echo(stream: Stream) -> None:
    while True:
        try:
            frame = await stream.receive()
        except StreamClosed:
            return
        await stream.send(frame)


async def never_read(stream: Stream) -> None:
    del stream
    await trio.sleep_forever()


async def fail(stream: Stream) -> None:
    await stream.receive()
    raise RuntimeError("a handler with a bug")


async def main(members: frozenset[bytes]) -> None:
    transport = Transport(
        seed=SEED,
        listen=["/ip4/127.0.0.1/tcp/0"],
        admit=members.__contains__,
        handlers={ECHO: echo, UNREAD: never_read, RAISING: fail, JOIN: echo},
        open_protocols=frozenset({JOIN}),
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        greeting = {"member": transport.me.hex(), "addresses": transport.addresses}
        sys.stdout.write(json.dumps(greeting) + "\n")
        sys.stdout.flush()
        async with trio.lowlevel.FdStream(sys.stdin.fileno()) as stdin:
            while await stdin.receive_some():
                pass
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, frozenset(map(bytes.fromhex, sys.argv[1:])))
