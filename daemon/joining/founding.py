"""Founds a network: a genesis from member cards, and where the founders find each other.

The genesis says who belongs and who votes. Where they are is no part of it: that goes into each
founder's configuration, until the nodes have told each other.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

from daemon.config import load_config
from daemon.errors import DaemonError, Exit
from daemon.joining.member_card import Card
from daemon.joining.setup import save_genesis
from daemon.storage.files import disk_errors, write_file
from daemon.storage.home import Home
from protocol.codec import decode, encode
from protocol.errors import ProtocolError
from protocol.genesis import (
    PROTOCOL_VERSION,
    Authority,
    Genesis,
    Profile,
    validate_genesis,
)

NETWORK_HEADER = "[network]"


class CannotFound(DaemonError):
    """These cards make no network."""

    code = "cannot-found"
    exit_code = Exit.USAGE
    next_step = "Check the cards and the names; see: placet genesis create --help"


def make_genesis(
    cards: Sequence[Card],
    *,
    name: str,
    authorities: Collection[str],
    profile: Profile,
    delay_bound: int,
    created_at: int,
) -> Genesis:
    """Return the genesis in which the members named in `authorities` vote."""
    by_id = sorted(cards, key=lambda card: card.member.id)
    for one, next_one in pairwise(by_id):
        if one.member.id == next_one.member.id:
            raise CannotFound(f"the card of {one.member.name} is there twice")
    unknown = set(authorities) - {card.member.name for card in cards}
    if unknown:
        raise CannotFound(f"no card is that of {', '.join(sorted(unknown))}")
    genesis = Genesis(
        version=PROTOCOL_VERSION,
        name=name,
        created_at=created_at,
        profile=profile,
        emergency_veto=False,
        delay_bound=delay_bound,
        members=tuple(card.member for card in by_id),
        authorities=tuple(
            Authority(
                member=card.member.id,
                voting_key=card.voting_key,
                recovery_key=card.recovery_key,
            )
            for card in by_id
            if card.member.name in authorities
        ),
    )
    try:
        decode(encode(genesis), Genesis)  # Constructors check no limits.
        validate_genesis(genesis)
    except ProtocolError as error:
        raise CannotFound(str(error)) from error
    return genesis


def settle(home: Home, genesis: Genesis, cards: Iterable[Card]) -> None:
    """Make the node in `home` a founder: it gets the genesis and the others' addresses."""
    config = load_config(home.config, environment={}).config
    if home.genesis.exists():
        raise CannotFound(
            f"the node in {home.path} belongs to a network already",
            "See which: placet genesis show",
        )
    if config.node.name not in {member.name for member in genesis.members}:
        raise CannotFound(f"{config.node.name} is not in this genesis")
    others = [card for card in cards if card.member.name != config.node.name]
    save_genesis(home, genesis)
    add_bootstrap(home, bootstrap_of(others))


def bootstrap_of(cards: Iterable[Card]) -> list[str]:
    """Return where the members of `cards` are, as the configuration wants it."""
    return [f"{card.member.id.hex()}@{address}" for card in cards for address in card.addresses]


def add_bootstrap(home: Home, entries: Sequence[str]) -> None:
    """Put `entries` into the configuration, unless it has a `bootstrap` of its own."""
    text = home.config.read_text(encoding="utf-8")
    if not entries or "bootstrap" in text:
        return
    listed = "".join(f'  "{entry}",\n' for entry in entries)
    addition = f"{NETWORK_HEADER}\nbootstrap = [\n{listed}]"
    if NETWORK_HEADER in text:
        text = text.replace(NETWORK_HEADER, addition, 1)
    else:
        text = f"{text}\n{addition}\n"
    with disk_errors("the configuration"):
        write_file(home.config, text.encode(), replace=True)
    load_config(home.config, environment={})
