"""Releases are there for as long as they may be asked for again, and no longer."""

from pathlib import Path

import pytest

from daemon.librarian.releases import Releases
from protocol.envelope import Handover
from protocol.events import ConsentBasis
from protocol.release_effects import Remembered
from tests.protocol.directive_examples import NETWORK, NOON
from tests.protocol.release_examples import CLINIC, FIRST, HOSPITAL, SECOND, release_of, request_of

REQUEST = request_of().commitment
OTHER = bytes(32)


def remembered(*records: bytes) -> Remembered:
    handover = Handover(network=NETWORK, custodian=HOSPITAL.member.id, request=REQUEST)
    release = release_of(records, kem_public=CLINIC.kem.public, handover=handover, not_after=NOON)
    return Remembered(b"e" * 32, ConsentBasis(b"c" * 16), release, (b"o" * 16,))


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    return Releases(tmp_path / "releases")


def test_a_release_comes_back_after_a_restart(releases: Releases, tmp_path: Path) -> None:
    kept = remembered(FIRST, SECOND)
    releases.put(REQUEST, NOON, kept)
    again = Releases(tmp_path / "releases")
    assert again.get(REQUEST, NOON) == kept
    assert again.get(OTHER, NOON) is None
    assert again.get(REQUEST, NOON + 1) is None


def test_a_release_goes_with_its_receipt_its_time_or_its_record(releases: Releases) -> None:
    for number in range(4):
        records = (FIRST,) if number == 3 else (FIRST, SECOND)
        releases.put(bytes([number]) * 32, NOON + number, remembered(*records))
    releases.drop(b"\1" * 32, NOON + 1)
    releases.drop(b"\1" * 32, NOON + 1)
    releases.drop_outdated(NOON + 1)
    releases.drop_records([SECOND])
    left = [number for number in range(4) if releases.get(bytes([number]) * 32, NOON + number)]
    assert left == [3]


def test_a_release_that_ends_now_is_kept(releases: Releases) -> None:
    releases.put(REQUEST, NOON, remembered(FIRST))
    releases.drop_outdated(NOON)
    assert releases.get(REQUEST, NOON)


def test_no_more_than_so_many_are_kept(releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.librarian.releases.RELEASES_MAX", 2)
    for number in (5, 3, 4):
        releases.put(bytes([number]) * 32, NOON + number, remembered(FIRST))
    left = [number for number in (3, 4, 5) if releases.get(bytes([number]) * 32, NOON + number)]
    assert left == [4, 5]


def test_a_damaged_release_is_none(releases: Releases, tmp_path: Path) -> None:
    releases.put(REQUEST, NOON, remembered(FIRST))
    [file] = (tmp_path / "releases").iterdir()
    file.write_bytes(b"x")
    assert releases.get(REQUEST, NOON) is None
    releases.drop_records([FIRST])
    assert list((tmp_path / "releases").iterdir()) == []
