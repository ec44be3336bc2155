"""The invitations that an authority has given out, in its own table.

An invitation is bound to the first member that uses its secret, before that member is proposed for
admission. So nobody else can use it, and the member itself may come again if the answer was lost.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from daemon.errors import DaemonError, Exit
from daemon.joining.ticket import ADDRESSES_MAX, Ticket, secret_hash
from daemon.storage.store import ChainStore
from daemon.storage.tables import INVITES, Invite
from protocol.electorates import authorities_at
from protocol.errors import ProtocolError
from protocol.genesis import Genesis, network_id
from protocol.identity import MemberId

INVITES_MAX = 1_000
"""How many invitations an authority keeps; used and expired ones make room."""

LIFETIME_SECONDS_MAX = 90 * 86_400
SECRET_SIZE = 16


class InvitationRefused(ProtocolError):
    """The secret opens nothing, or not any more."""

    code = "invitation-refused"


class CannotInvite(DaemonError):
    """This node cannot give out invitations."""

    code = "cannot-invite"
    next_step = "Ask one of the authorities; see: placet member list"


class NoSuchInvite(DaemonError):
    """No invitation, or several, have an id that begins so."""

    code = "no-such-invite"
    exit_code = Exit.USAGE
    next_step = "See: placet invite list"


@dataclass(frozen=True, slots=True)
class Invites:
    """All that may be done with the invitations in `store`. Moments are in milliseconds."""

    store: ChainStore

    def create(
        self,
        genesis: Genesis,
        *,
        sponsor: MemberId,
        addresses: Sequence[str],
        now: int,
        lifetime_seconds: int,
    ) -> Ticket:
        """Return a new ticket of `sponsor`, or raise `CannotInvite`."""
        voters = authorities_at(self.store, self.store.height + 1)
        if sponsor not in {authority.member for authority in voters}:
            raise CannotInvite("only an authority can invite members")
        if not addresses:
            raise CannotInvite(
                "this node does not know where others reach it",
                "Set `announce` in [network], then run: placet restart",
            )
        self._make_room(now)
        ticket = Ticket(
            name=genesis.name,
            network=network_id(genesis),
            sponsor=sponsor,
            addresses=tuple(addresses)[:ADDRESSES_MAX],
            secret=secrets.token_bytes(SECRET_SIZE),
            expires_at=now + 1000 * min(lifetime_seconds, LIFETIME_SECONDS_MAX),
        )
        hashed = secret_hash(ticket.secret)
        invite = Invite(
            secret_hash=hashed, created_at=now, expires_at=ticket.expires_at, used_by=None
        )
        INVITES.put(self.store, hashed, invite)
        return ticket

    def all(self) -> list[Invite]:
        return [invite for _, invite in INVITES.items(self.store)]

    def check(self, secret: bytes, member: MemberId, now: int) -> Invite:
        """Return the invitation that lets `member` in, or raise `InvitationRefused`."""
        invite = INVITES.get(self.store, secret_hash(secret))
        if invite is None:
            raise InvitationRefused("there is no such invitation; it may have been revoked")
        if invite.used_by not in (None, member):
            raise InvitationRefused("this ticket was used by another member already")
        if invite.used_by is None and now > invite.expires_at:
            raise InvitationRefused("this ticket has expired")
        return invite

    def bind(self, invite: Invite, member: MemberId | None) -> None:
        """Let nobody but `member` use the invitation; with None it is free again."""
        bound = Invite(
            secret_hash=invite.secret_hash,
            created_at=invite.created_at,
            expires_at=invite.expires_at,
            used_by=member,
        )
        INVITES.put(self.store, invite.secret_hash, bound)

    def revoke(self, beginning: str) -> Invite:
        """Take back the invitation whose id begins so, or raise `NoSuchInvite`."""
        found = [each for each in self.all() if each.secret_hash.hex().startswith(beginning)]
        if len(found) != 1 or not beginning:
            count = "several invitations" if found else "no invitation"
            raise NoSuchInvite(f"there is {count} {beginning}")
        INVITES.delete(self.store, found[0].secret_hash)
        return found[0]

    def _make_room(self, now: int) -> None:
        known = self.all()
        if len(known) < INVITES_MAX:
            return
        over = [each for each in known if each.used_by is not None or now > each.expires_at]
        if not over:
            raise CannotInvite(
                f"{INVITES_MAX} invitations are open", "Revoke some: placet invite revoke ID"
            )
        INVITES.put_all(self.store, {each.secret_hash: None for each in over})
