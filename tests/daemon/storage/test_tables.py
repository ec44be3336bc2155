"""What a node keeps for itself, in a real LevelDB."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.storage.errors import CorruptStore
from daemon.storage.store import ChainStore
from daemon.storage.tables import (
    INVITES,
    NOTES,
    PEERS,
    Invite,
    Note,
    RecordEntry,
    peer_records,
    put_peer_record,
    put_record,
    records_of,
)
from tests.daemon.stored_chains import DIGEST, GENESIS, NETWORK
from tests.protocol.examples import CREATED_AT, make_key, make_peer_record, token

INVITE = Invite(token("secret"), CREATED_AT, CREATED_AT + 1, None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChainStore]:
    with ChainStore.open(tmp_path, NETWORK.id) as store:
        yield store


def test_what_is_put_is_there_after_opening_again(tmp_path: Path) -> None:
    with ChainStore.open(tmp_path, NETWORK.id) as store:
        INVITES.put(store, INVITE.secret_hash, INVITE)

    with ChainStore.open(tmp_path, NETWORK.id) as store:
        assert INVITES.get(store, INVITE.secret_hash) == INVITE
        assert INVITES.get(store, token("other")) is None


def test_what_is_deleted_is_gone(store: ChainStore) -> None:
    INVITES.put(store, INVITE.secret_hash, INVITE)
    INVITES.delete(store, INVITE.secret_hash)

    assert INVITES.items(store) == []


def test_tables_know_nothing_of_each_other_nor_of_the_chain(store: ChainStore) -> None:
    NOTES.put(store, b"one", Note(b"1"))
    NOTES.put(store, b"other", Note(b"2"))
    NOTES.put(store, b"two", Note(b"3"))
    store.begin(GENESIS, {b"one": b"entry"}, DIGEST)

    assert NOTES.items(store, b"o") == [(b"one", Note(b"1")), (b"other", Note(b"2"))]
    assert INVITES.items(store) == []
    assert PEERS.items(store) == []
    assert dict(store.state_items()) == {b"one": b"entry"}


def test_the_newest_peer_record_replaces_the_one_before(store: ChainStore) -> None:
    party = NETWORK.authorities[0]
    old = make_peer_record(NETWORK, party)
    new = make_peer_record(NETWORK, party, "/ip4/192.0.2.9/tcp/1", issued_at=CREATED_AT + 1)
    put_peer_record(store, old)
    put_peer_record(store, new)

    assert peer_records(store) == [new]


def test_records_are_listed_by_subject(store: ChainStore) -> None:
    subjects = sorted(make_key(name).public for name in ("patient", "other"))
    entries = [
        RecordEntry(subject, bytes([number]) * 16, NETWORK.authorities[0].id, CREATED_AT)
        for subject in subjects
        for number in (1, 2)
    ]
    for entry in reversed(entries):
        put_record(store, entry)

    assert records_of(store, subjects[0]) == entries[:2]
    assert records_of(store, subjects[1]) == entries[2:]
    assert records_of(store, b"\xff" * 32) == []


def test_what_cannot_be_read_means_damage(store: ChainStore) -> None:
    store.write({b"t" + NOTES.prefix + b"note": b"not a note"})

    with pytest.raises(CorruptStore):
        NOTES.get(store, b"note")
