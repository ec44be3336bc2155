"""The newest signed record of each member counts, and nobody else can say where a member is."""

import pytest
from msgspec.structs import replace

from protocol import directory as module
from protocol.directory import CLOCK_TOLERANCE, Directory
from protocol.errors import InvalidSignature
from protocol.identity import Verifier
from tests.protocol.examples import CREATED_AT, make_network, make_peer_record

NETWORK = make_network()
CLINIC, OTHER = NETWORK.members
HERE, THERE = "/ip4/192.0.2.1/tcp/4001", "/ip4/192.0.2.2/tcp/4001"
NOW = CREATED_AT + 1_000


@pytest.fixture
def directory() -> Directory:
    return Directory(NETWORK.id, Verifier())


def test_nobody_is_anywhere_before_they_say_so(directory: Directory) -> None:
    assert directory.addresses(CLINIC.id) == ()


def test_the_newest_record_counts(directory: Directory) -> None:
    assert directory.take_in(make_peer_record(NETWORK, CLINIC, HERE), NOW)
    assert directory.take_in(make_peer_record(NETWORK, CLINIC, THERE, issued_at=NOW), NOW)
    assert not directory.take_in(make_peer_record(NETWORK, CLINIC, HERE), NOW)

    assert directory.addresses(CLINIC.id) == (THERE,)


def test_the_same_record_is_no_news(directory: Directory) -> None:
    record = make_peer_record(NETWORK, CLINIC, HERE)
    assert directory.take_in(record, NOW)
    assert not directory.take_in(record, NOW)


@pytest.mark.parametrize(
    "forgery",
    [
        replace(make_peer_record(NETWORK, CLINIC, HERE), addresses=(THERE,)),
        replace(make_peer_record(NETWORK, CLINIC, HERE), issued_at=NOW),
        replace(make_peer_record(NETWORK, CLINIC, HERE), member=OTHER.id),
        make_peer_record(make_network(name="elsewhere"), CLINIC, HERE),
    ],
    ids=["addresses", "time", "member", "network"],
)
def test_what_its_member_did_not_sign_is_refused(directory: Directory, forgery) -> None:
    with pytest.raises(InvalidSignature):
        directory.take_in(forgery, NOW)
    assert directory.addresses(forgery.member) == ()


def test_a_record_from_the_far_future_is_not_kept_and_nobody_is_blamed(
    directory: Directory,
) -> None:
    """Our clock may be the wrong one, and then every peer would seem to be a liar."""
    latest = NOW + CLOCK_TOLERANCE
    assert not directory.take_in(make_peer_record(NETWORK, CLINIC, issued_at=latest + 1), NOW)
    assert directory.take_in(make_peer_record(NETWORK, CLINIC, issued_at=latest), NOW)


def test_what_an_earlier_run_has_checked_is_taken_as_it_is(directory: Directory) -> None:
    directory.load([make_peer_record(NETWORK, CLINIC, HERE)])

    assert directory.addresses(CLINIC.id) == (HERE,)


def test_it_holds_only_so_many_records(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECORDS_MAX", 1)
    assert directory.take_in(make_peer_record(NETWORK, CLINIC, HERE), NOW)
    assert not directory.take_in(make_peer_record(NETWORK, OTHER, THERE), NOW)

    assert directory.take_in(make_peer_record(NETWORK, CLINIC, THERE, issued_at=NOW), NOW)
    assert directory.addresses(OTHER.id) == ()
