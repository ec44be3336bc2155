"""A member whose bytes are no messages (B9): on the level of the codec, below all rules.

Truncated, with bytes behind the end, deeply nested, of an unknown type, of the right type with
fields missing, too large, not canonical, noise. Met by `decode`: whatever is not the canonical
encoding of a known message is a `DecodeError`, which is put down to the sender, and nothing else.
"""

from collections.abc import Callable
from random import Random

import msgspec

from protocol.codec import MESSAGE_SIZE_MAX, encode
from protocol.messages import Status
from simulations.adversaries.traitor import Traitor
from simulations.world.frame import Raw
from simulations.world.world import World

SPEAK_EVERY = 400
NESTING = 2_000
HUGE_EVERY = 20
"""Too large ones are sent more rarely: they only cost memory here."""

Malform = Callable[[bytes, Random], bytes]


def _not_canonical(data: bytes, _: Random) -> bytes:
    """Encode the same message with a longer header than it needs."""
    assert data[0] & 0xF0 == 0x90, "messages are short arrays"
    return b"\xdc\x00" + bytes([data[0] & 0x0F]) + data[1:]


def _flip(data: bytes, chance: Random) -> bytes:
    """Change one bit of the type's name: then it is none that we know."""
    place = 2 + chance.randrange(4)
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


MALFORMS: dict[str, Malform] = {
    "truncated": lambda data, chance: data[: chance.randrange(len(data))],
    "trailing": lambda data, chance: data + bytes([chance.randrange(256)]),
    "nested": lambda _, __: b"\x91" * NESTING + b"\xc0",
    "nested-in-field": lambda data, _: data[:8] + b"\x91" * NESTING + data[8:],
    "unknown-type": lambda _, __: encode(("no-such-message", 1, 2)),
    "missing-fields": lambda _, __: encode(("status", 0)),
    "wrong-types": lambda _, __: encode(("status", "0", b"1", None, [], {})),
    "bad-text": lambda _, __: b"\x92\xa4\xff\xfe\xfd\xfc\x00",
    "not-canonical": _not_canonical,
    "number-too-large": lambda _, __: encode(("status", 0, 2**64 - 1, 0, None, 0)),
    "flipped": _flip,
    "noise": lambda _, chance: chance.randbytes(chance.randrange(400)),
    "empty": lambda _, __: b"",
}


def too_large() -> bytes:
    """Return a frame just above the largest message."""
    return msgspec.msgpack.encode(("payload", 0, bytes(MESSAGE_SIZE_MAX)))


class Malformer(Traitor):
    """Sends bytes that are no message: truncated, nested, too large, noise."""

    kind = "malformer"

    def enter(self, world: World) -> None:
        super().enter(world)
        self._spoken = 0
        self.every(SPEAK_EVERY, self._speak)

    def _speak(self) -> None:
        chance = self.network.random
        head = self.disk.blocks[-1].header
        good = encode(Status(self.epoch, head.view, head.height, None, 0))
        for name in list(self.linked):
            self._spoken += 1
            if self._spoken % HUGE_EVERY == 0:
                self.did("too-large")
                self._say(name, too_large())
                continue
            what = chance.choice(list(MALFORMS))
            self.did(what)
            self._say(name, MALFORMS[what](good, chance))

    def _say(self, name: int, data: bytes) -> None:
        self.say(name, Raw(data))
