"""Ed25519 as we check it, against Wycheproof's forged, malleable and truncated signatures."""

import json
from pathlib import Path

import pytest

from protocol.identity import is_valid_signature

VECTORS = Path(__file__).parents[1] / "vectors"
CASES = json.loads((VECTORS / "wycheproof_ed25519.json").read_text())


def test_all_cases_are_there() -> None:
    assert len(CASES) == 151
    assert {case["result"] for case in CASES} == {"valid", "invalid"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['tcId']} {case['comment']}")
def test_a_signature_is_valid_exactly_if_wycheproof_says_so(case: dict[str, str]) -> None:
    key, message, signature = (bytes.fromhex(case[name]) for name in ("pk", "msg", "sig"))
    if len(signature) != 64:
        # The codec refuses these before anybody checks them: `Signature` is `Bytes64`.
        assert case["result"] == "invalid"
        return
    assert is_valid_signature(key, message, signature) == (case["result"] == "valid")
