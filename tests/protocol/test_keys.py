"""Derived keys are pinned: a patient's phrase must give the same keys in every version."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.identity import is_valid_signature
from protocol.keys import derive, subject_kem_seed, subject_signing_key

SEED = bytes(range(32))
NETWORK = b"n" * 32
CLINIC = b"c" * 32
HOSPITAL = b"h" * 32


def test_the_derivations_never_change() -> None:
    subject = subject_signing_key(SEED, network=NETWORK, custodian=CLINIC)
    kem_seed = subject_kem_seed(SEED, network=NETWORK, custodian=CLINIC)
    assert (
        subject.public.hex() == "d27b603d843122ac3c4da6e806c2de74dc3a5f59f4e232b67cd9ac747c87b8de"
    )
    assert kem_seed.hex() == "8527b88d80a765f0e9f31b50d46e5c4fe54dca2650c47d1e993ea0385307e870"
    assert (
        derive(SEED, "record-chunks").hex()
        == "2c4f90b8324565fb0c64f4345aeeb7bb394b824b2301a6a6621a8da1933fd027"
    )


def test_a_patient_is_a_different_subject_everywhere() -> None:
    seeds, networks, custodians = (SEED, bytes(32)), (NETWORK, bytes(32)), (CLINIC, HOSPITAL)
    subjects = {
        subject_signing_key(seed, network=network, custodian=custodian).public
        for seed, network, custodian in itertools.product(seeds, networks, custodians)
    }
    assert len(subjects) == 8


def test_a_subject_signs_with_its_id() -> None:
    subject = subject_signing_key(SEED, network=NETWORK, custodian=CLINIC)
    assert is_valid_signature(subject.public, b"placet", subject.sign(b"placet"))


@given(st.lists(st.binary(max_size=4), max_size=3), st.lists(st.binary(max_size=4), max_size=3))
def test_contexts_that_differ_give_keys_that_differ(one: list[bytes], other: list[bytes]) -> None:
    keys_are_equal = derive(SEED, "purpose", *one) == derive(SEED, "purpose", *other)
    assert keys_are_equal == (one == other)


def test_purposes_are_kept_apart() -> None:
    assert derive(SEED, "record-chunks") != derive(SEED, "record-manifest")


@pytest.mark.parametrize("purpose", ["", "seventeen-letters"])
def test_a_purpose_has_one_to_sixteen_letters(purpose: str) -> None:
    assert derive(SEED, "sixteen--letters")
    with pytest.raises(AssertionError):
        derive(SEED, purpose)
