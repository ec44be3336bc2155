"""An invitation as text that survives mail and paper: `placet1` and base32 letters.

    placet1 | base32( length:2 | ticket | checksum:4 )

In small letters without padding; case and white space do not matter. The length tells a ticket
that was cut from one that was changed. Whoever has the ticket may join once until it expires, so it
is as secret as a password; the authority itself keeps only a hash of the secret in it.
"""

import base64
import binascii
from typing import Annotated

import msgspec

from daemon.errors import DaemonError, Exit
from protocol.codec import Bytes16, Message, Timestamp, decode, digest, encode
from protocol.errors import DecodeError
from protocol.genesis import Name
from protocol.identity import MemberId, NetworkId
from protocol.messages import Address

PREFIX = "placet1"
TICKET_LENGTH_MAX = 2_048
"""The longest text of a ticket, in characters."""

ADDRESSES_MAX = 4
CHECKSUM_SIZE = 4
LENGTH_SIZE = 2


class InvalidTicket(DaemonError):
    """The text is no ticket that can be used."""

    code = "invalid-ticket"
    exit_code = Exit.USAGE
    next_step = "Copy the whole ticket again, or ask the authority for a new one."


class TicketExpired(InvalidTicket):
    code = "ticket-expired"
    next_step = "Ask the authority for a new ticket."


class Ticket(Message, frozen=True, tag="ticket"):
    """Who invites to which network, and the secret that proves the invitation."""

    name: Name
    """What the network is called; only the id below counts."""
    network: NetworkId
    """The hash of the genesis."""
    sponsor: MemberId
    addresses: Annotated[tuple[Address, ...], msgspec.Meta(min_length=1, max_length=ADDRESSES_MAX)]
    secret: Bytes16
    expires_at: Timestamp

    def __repr__(self) -> str:
        return f"Ticket({self.name})"


def render_ticket(ticket: Ticket) -> str:
    """Return the text of a ticket."""
    encoded = encode(ticket)
    data = len(encoded).to_bytes(LENGTH_SIZE, "big") + encoded + _checksum(encoded)
    return PREFIX + base64.b32encode(data).decode("ascii").rstrip("=").lower()


def parse_ticket(text: str) -> Ticket:
    """Return the ticket, or raise `InvalidTicket` with what is wrong with the text."""
    letters = "".join(text.split()).lower()
    if len(letters) > TICKET_LENGTH_MAX:
        raise InvalidTicket("this is too long for a ticket")
    if not letters.startswith(PREFIX):
        raise InvalidTicket(f"a ticket starts with {PREFIX}")
    data = _decode_letters(letters.removeprefix(PREFIX))
    length = int.from_bytes(data[:LENGTH_SIZE], "big")
    encoded = data[LENGTH_SIZE : LENGTH_SIZE + length]
    checksum = data[LENGTH_SIZE + length :]
    if len(checksum) < CHECKSUM_SIZE:
        raise InvalidTicket("the end of the ticket is missing")
    if checksum != _checksum(encoded):
        raise InvalidTicket("the ticket was changed on its way: its checksum is wrong")
    try:
        return decode(encoded, Ticket)
    except DecodeError as error:
        raise InvalidTicket("the ticket is from another version of this program") from error


def require_fresh(ticket: Ticket, now: int) -> None:
    """Raise `TicketExpired` if the ticket is too old; `now` is in milliseconds."""
    if now > ticket.expires_at:
        raise TicketExpired(f"the ticket for {ticket.name} has expired")


def secret_hash(secret: bytes) -> bytes:
    """Return what the authority keeps of the secret."""
    return digest("invite-secret", secret)


def _decode_letters(letters: str) -> bytes:
    usable = (
        letters[: len(letters) - len(letters) % 8] if len(letters) % 8 in (1, 3, 6) else letters
    )
    try:
        return base64.b32decode(usable.upper() + "=" * (-len(usable) % 8))
    except (binascii.Error, ValueError) as error:
        raise InvalidTicket("the ticket holds letters that no ticket has") from error


def _checksum(encoded: bytes) -> bytes:
    return digest("ticket-checksum", encoded)[:CHECKSUM_SIZE]
