"""What a member hands to others to found a network: who it is, its public keys, where it is.

    placet-card 1
    <the card as base64, in lines>

The card is signed with the member's own key, so a card that was damaged on the way does not open,
and nobody can put another's keys into a genesis under a name of theirs.
"""

import base64
import binascii
from typing import Annotated

import msgspec

from daemon.errors import DaemonError, Exit
from protocol.codec import Message, decode, encode
from protocol.errors import DecodeError
from protocol.genesis import Member
from protocol.identity import PublicKey, Signature, SigningKey, is_valid_signature, signing_bytes
from protocol.messages import ADDRESSES_MAX, Address

CARD_HEADER = "placet-card 1"
CARD_SIZE_MAX = 8 * 1024
"""A longer file is no card; in characters."""

NO_NETWORK = bytes(32)
"""A card is signed before there is a network."""


class InvalidCard(DaemonError):
    """The text is no member card, or it was damaged."""

    code = "invalid-card"
    exit_code = Exit.USAGE
    next_step = "Ask that member to send the file `member-card` of its node's folder again."


class Card(Message, frozen=True, tag="member-card"):
    member: Member
    voting_key: PublicKey
    recovery_key: PublicKey
    addresses: Annotated[tuple[Address, ...], msgspec.Meta(max_length=ADDRESSES_MAX)]


class SignedCard(Message, frozen=True, tag="signed-member-card"):
    card: Card
    signature: Signature


def render_card(card: Card, key: SigningKey) -> str:
    """Return the card as text, signed with the member's `key`."""
    assert key.public == card.member.id
    signature = key.sign(_statement(card))
    text = base64.b64encode(encode(SignedCard(card, signature))).decode("ascii")
    lines = [text[start : start + 76] for start in range(0, len(text), 76)]
    return "\n".join([CARD_HEADER, *lines, ""])


def parse_card(text: str) -> Card:
    """Return the card that its member signed, or raise `InvalidCard`."""
    header, _, rest = text.strip().partition("\n")
    if header.strip() != CARD_HEADER or len(text) > CARD_SIZE_MAX:
        raise InvalidCard("this is no member card")
    try:
        signed = decode(base64.b64decode("".join(rest.split()), validate=True), SignedCard)
    except (binascii.Error, ValueError, DecodeError) as error:
        raise InvalidCard("the member card is damaged") from error
    if not is_valid_signature(signed.card.member.id, _statement(signed.card), signed.signature):
        raise InvalidCard(f"the card of {signed.card.member.name} is not signed by its key")
    return signed.card


def _statement(card: Card) -> bytes:
    return signing_bytes("member-card", NO_NETWORK, encode(card))
