"""A verifier checks each signature once, and remembers many of them in little room."""

import pytest

from protocol import identity
from protocol.identity import Verifier, is_valid_signature
from tests.protocol.examples import make_key

KEY, OTHER = make_key("one"), make_key("other")
MESSAGE = b"x" * 60_000
SIGNATURE = KEY.sign(MESSAGE)


class Counting:
    """Counts how often a signature is really checked."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, key: bytes, message: bytes, signature: bytes) -> bool:
        self.count += 1
        return is_valid_signature(key, message, signature)


def test_a_good_signature_is_checked_once() -> None:
    counting = Counting()
    verifier = Verifier(counting)

    assert all(verifier.is_valid(KEY.public, MESSAGE, SIGNATURE) for _ in range(3))
    assert counting.count == 1


def test_what_was_found_good_elsewhere_is_not_checked() -> None:
    counting = Counting()
    verifier = Verifier(counting)
    verifier.remember(KEY.public, MESSAGE, SIGNATURE)

    assert verifier.is_valid(KEY.public, MESSAGE, SIGNATURE)
    assert counting.count == 0


@pytest.mark.parametrize(
    ("key", "message", "signature"),
    [
        (OTHER.public, MESSAGE, SIGNATURE),
        (KEY.public, MESSAGE + b"x", SIGNATURE),
        (KEY.public, MESSAGE[:-1], SIGNATURE),
        (KEY.public, MESSAGE, OTHER.sign(MESSAGE)),
    ],
)
def test_a_good_signature_makes_no_other_one_good(
    key: bytes, message: bytes, signature: bytes
) -> None:
    verifier = Verifier()
    assert verifier.is_valid(KEY.public, MESSAGE, SIGNATURE)

    assert not verifier.is_valid(key, message, signature)


def test_a_bad_signature_is_not_remembered() -> None:
    counting = Counting()
    verifier = Verifier(counting)

    assert not any(verifier.is_valid(KEY.public, MESSAGE, bytes(64)) for _ in range(2))
    assert counting.count == 2


def test_only_so_many_are_remembered_and_none_by_its_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bundles are signed as a whole: remembering their bytes took gigabytes."""
    monkeypatch.setattr(identity, "VERIFIED_SIGNATURES_MAX", 2)
    verifier = Verifier()
    for number in range(3):
        verifier.remember(KEY.public, MESSAGE + bytes([number]), SIGNATURE)

    assert [len(name) for name in verifier._verified] == [32, 32]
