"""Invitations in a real store: used once, by one member, in time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.joining.invites import CannotInvite, InvitationRefused, Invites, NoSuchInvite
from daemon.joining.ticket import ADDRESSES_MAX, Ticket
from daemon.storage.store import ChainStore
from protocol.ledger import genesis_changes
from tests.daemon.stored_chains import DIGEST, GENESIS, NETWORK
from tests.protocol.examples import make_key

NOW = 1_800_000_000_000
DAY = 86_400
SPONSOR = NETWORK.authorities[0].id
NEWCOMER, STRANGER = make_key("newcomer").public, make_key("stranger").public


@pytest.fixture
def invites(tmp_path: Path) -> Iterator[Invites]:
    with ChainStore.open(tmp_path / "chain", NETWORK.id) as store:
        store.begin(GENESIS, genesis_changes(NETWORK.genesis), DIGEST)
        yield Invites(store)


def create(invites: Invites, **changes: object) -> Ticket:
    values: dict[str, object] = {
        "sponsor": SPONSOR,
        "addresses": ["/ip4/192.0.2.1/tcp/4001"],
        "now": NOW,
        "lifetime_seconds": DAY,
    }
    return invites.create(NETWORK.genesis, **(values | changes))  # type: ignore[arg-type]


def test_a_new_ticket_lets_anybody_in_once(invites: Invites) -> None:
    ticket = create(invites)
    assert (ticket.network, ticket.sponsor) == (NETWORK.id, SPONSOR)
    invite = invites.check(ticket.secret, NEWCOMER, NOW)
    invites.bind(invite, NEWCOMER)
    with pytest.raises(InvitationRefused, match="used by another member"):
        invites.check(ticket.secret, STRANGER, NOW)


def test_the_member_itself_may_come_again_even_later(invites: Invites) -> None:
    ticket = create(invites)
    invites.bind(invites.check(ticket.secret, NEWCOMER, NOW), NEWCOMER)
    invites.check(ticket.secret, NEWCOMER, ticket.expires_at + 1)


def test_a_ticket_that_was_let_go_is_free_again(invites: Invites) -> None:
    ticket = create(invites)
    invite = invites.check(ticket.secret, NEWCOMER, NOW)
    invites.bind(invite, NEWCOMER)
    invites.bind(invite, None)
    invites.check(ticket.secret, STRANGER, NOW)


def test_a_ticket_expires(invites: Invites) -> None:
    ticket = create(invites)
    assert ticket.expires_at == NOW + DAY * 1000
    invites.check(ticket.secret, NEWCOMER, ticket.expires_at)
    with pytest.raises(InvitationRefused, match="expired"):
        invites.check(ticket.secret, NEWCOMER, ticket.expires_at + 1)


def test_a_wrong_secret_opens_nothing(invites: Invites) -> None:
    create(invites)
    with pytest.raises(InvitationRefused, match="no such invitation"):
        invites.check(bytes(16), NEWCOMER, NOW)


def test_the_store_never_holds_the_secret(invites: Invites) -> None:
    ticket = create(invites)
    assert all(ticket.secret not in value for _, value in invites.store.items(b"t"))


def test_a_revoked_ticket_opens_nothing(invites: Invites) -> None:
    ticket = create(invites)
    [invite] = invites.all()
    invites.revoke(invite.secret_hash.hex()[:8])
    with pytest.raises(InvitationRefused):
        invites.check(ticket.secret, NEWCOMER, NOW)


@pytest.mark.parametrize("beginning", ["", "zz", "00" * 32])
def test_only_a_known_invitation_can_be_revoked(invites: Invites, beginning: str) -> None:
    create(invites)
    with pytest.raises(NoSuchInvite):
        invites.revoke(beginning)


def test_only_an_authority_that_can_be_reached_invites(invites: Invites) -> None:
    with pytest.raises(CannotInvite, match="only an authority"):
        create(invites, sponsor=NEWCOMER)
    with pytest.raises(CannotInvite, match="does not know where others reach it"):
        create(invites, addresses=[])


def test_a_ticket_names_a_few_addresses_only(invites: Invites) -> None:
    many = [f"/ip4/192.0.2.{number}/tcp/4001" for number in range(9)]
    assert create(invites, addresses=many).addresses == tuple(many[:ADDRESSES_MAX])


def test_used_and_expired_invitations_make_room(
    invites: Invites, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.joining.invites.INVITES_MAX", 2)
    first = create(invites)
    create(invites)
    with pytest.raises(CannotInvite, match="2 invitations are open"):
        create(invites)
    invites.bind(invites.check(first.secret, NEWCOMER, NOW), NEWCOMER)
    create(invites)
    assert len(invites.all()) == 2
