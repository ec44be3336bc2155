"""The fast stand-in for HPKE opens where HPKE would, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import InvalidRecord
from protocol.kem import KemPrivateKey, seal_to
from simulations.workload.sealing import OVERHEAD, FastKemKey, seal_fast

KEY = FastKemKey(b"k" * 1_216)


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_what_is_sealed_opens_to_its_receiver_in_its_context(text: bytes, info: bytes) -> None:
    sealed = seal_fast(KEY.public, text, info)

    assert KEY.open(sealed, info) == text
    for other, context in ((KEY, info + b"x"), (FastKemKey(b"o" * 1_216), info)):
        with pytest.raises(InvalidRecord):
            other.open(sealed, context)


@given(st.binary(min_size=16, max_size=200))
def test_what_is_sealed_does_not_show(text: bytes) -> None:
    assert text not in seal_fast(KEY.public, text, b"info")[OVERHEAD:]


@given(st.binary(max_size=1_300))
def test_arbitrary_bytes_do_not_open(data: bytes) -> None:
    with pytest.raises(InvalidRecord):
        KEY.open(data, b"")


def test_lengths_are_those_of_the_hybrid_suite() -> None:
    real = seal_to(KemPrivateKey(b"k" * 32).public, b"text", b"info")

    assert len(seal_fast(KEY.public, b"text", b"info")) == len(real) == OVERHEAD + 4
