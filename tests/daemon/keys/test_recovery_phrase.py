"""The patient's 24 words, against the published vectors of BIP 39."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.keys.keystore import PatientKeys
from daemon.keys.recovery_phrase import InvalidPhrase, keys_of, phrase_of

ZEROS = "abandon " * 23 + "art"
ONES = "zoo " * 23 + "vote"
OTHER = (
    "hamster diagram private dutch cause delay private meat slide toddler razor book "
    "happy fancy gospel tennis maple dilemma loan word shrug inflict delay length"
)


@pytest.mark.parametrize(
    ("seed", "phrase"),
    [
        ("00" * 32, ZEROS),
        ("ff" * 32, ONES),
        ("68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c", OTHER),
    ],
)
def test_the_phrases_are_those_of_bip_39(seed: str, phrase: str) -> None:
    keys = PatientKeys(bytes.fromhex(seed))
    assert phrase_of(keys) == phrase
    assert keys_of(phrase) == keys


@given(st.binary(min_size=32, max_size=32))
def test_a_phrase_gives_back_the_seed(seed: bytes) -> None:
    phrase = phrase_of(PatientKeys(seed))
    assert len(phrase.split()) == 24
    assert keys_of(f"  {phrase.upper().replace(' ', '  ')}\n") == PatientKeys(seed)


@pytest.mark.parametrize(
    ("phrase", "reason"),
    [
        ("", "not 0"),
        ("abandon " * 23, "not 23"),
        (ZEROS + " art", "not 25"),
        ("abandon " * 24, "belong together"),
        ("abandon abandom " + "abandon " * 21 + "art", "number 2"),
        ("art " + "abandon " * 23, "belong together"),
        ("a" * 1_025, "1024"),
    ],
)
def test_a_slip_of_the_pen_is_noticed_and_not_repeated(phrase: str, reason: str) -> None:
    with pytest.raises(InvalidPhrase, match=reason) as caught:
        keys_of(phrase)
    assert "aband" not in str(caught.value)
