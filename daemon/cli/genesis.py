"""`placet genesis`: found a network from the cards of its first members."""

import time
from pathlib import Path
from typing import Any

import click

from daemon.cli.errors import UsageWrong
from daemon.cli.options import NAME, common_options, confirm, yes_option
from daemon.cli.output import CAREFUL, FAINT, echo, mark, paint, pairs, show, table
from daemon.storage.home import Home

NONE_MAY_FAIL = "found it with four or more authorities, or nothing becomes final without all"

PROFILES = ("opt-in", "treatment-default", "opt-out")


@click.group(epilog="Example: placet genesis create *.card --name canton --out genesis.bin")
def genesis() -> None:
    """Found a network: what all of its nodes share from the start."""


@genesis.command(
    epilog="Example: placet genesis create a.card b.card --name canton --delay-bound 50"
)
@click.argument("cards", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--name", required=True, type=NAME, help="What the network is called.")
@click.option("--authority", "authorities", multiple=True, help="Who votes [all of them].")
@click.option("--profile", type=click.Choice(PROFILES), default="opt-in", show_default=True)
@click.option("--delay-bound", type=click.IntRange(10, 10_000), default=50, show_default=True,
              help="Milliseconds that a message takes between authorities.")  # fmt: skip
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default="genesis.bin",
              show_default=True, help="Where to write it.")  # fmt: skip
@common_options
def create(
    cards: tuple[Path, ...],
    name: str,
    authorities: tuple[str, ...],
    profile: str,
    delay_bound: int,
    out: Path,
    home: Home,  # noqa: ARG001
    as_json: bool,
) -> None:
    """Make the genesis of a new network from CARDS, the `member-card` files of its founders.

    One of the founders does this, and sends the file to the others, who compare its hash.
    """
    from daemon.joining.founding import make_genesis
    from daemon.storage.files import disk_errors, write_file
    from protocol.codec import encode
    from protocol.genesis import Profile

    found = [_read_card(path) for path in cards]
    made = make_genesis(
        found,
        name=name,
        authorities=authorities or [card.member.name for card in found],
        profile=Profile(profile),
        delay_bound=delay_bound,
        created_at=time.time_ns() // 1_000_000,
    )
    if out.exists():
        raise UsageWrong(f"{out} exists already", "Choose another file with --out.")
    with disk_errors("the genesis"):
        write_file(out.absolute(), encode(made), replace=False)
    show({**describe(made), "file": str(out)}, _render_created, as_json=as_json)


@genesis.command(epilog="Example: placet genesis use genesis.bin *.card")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("cards", nargs=-1, type=click.Path(exists=True, path_type=Path))
@yes_option
@common_options
def use(file: Path, cards: tuple[Path, ...], yes: bool, home: Home, as_json: bool) -> None:
    """Let this node found the network of FILE. CARDS tell where the other founders are."""
    from daemon.joining.founding import settle

    found = _read_genesis(file)
    described = describe(found)
    if not as_json:
        echo(_render(described), err=True)
    confirm("Is this the hash that the other founders see?", yes=yes)
    settle(home, found, [_read_card(path) for path in cards])
    text = f"{mark(True)} This node is a founder of {found.name}."
    show(described, lambda _: f"{text}\nNext: placet start", as_json=as_json)


@genesis.command("show", epilog="Example: placet genesis show genesis.bin")
@click.argument("file", required=False, type=click.Path(exists=True, path_type=Path))
@common_options
def show_genesis(file: Path | None, home: Home, as_json: bool) -> None:
    """Print the genesis in FILE, or that of this node, with its hash."""
    show(describe(_read_genesis(file or home.genesis)), _render, as_json=as_json)


def describe(found: Any) -> dict[str, Any]:
    """Return a genesis for people and programs."""
    from protocol.genesis import network_id, quorum

    voters = {authority.member for authority in found.authorities}
    return {
        "name": found.name,
        "hash": network_id(found).hex(),
        "profile": found.profile.value,
        "delay_bound": found.delay_bound,
        "quorum": quorum(len(voters)),
        "members": [
            {
                "name": member.name,
                "kind": member.kind.value,
                "id": member.id.hex(),
                "authority": member.id in voters,
            }
            for member in found.members
        ],
    }


def _read_card(path: Path) -> Any:
    from daemon.joining.member_card import CARD_SIZE_MAX, InvalidCard, parse_card

    with path.open(encoding="utf-8", errors="replace") as file:
        text = file.read(CARD_SIZE_MAX + 1)
    try:
        return parse_card(text)
    except InvalidCard as error:
        raise InvalidCard(f"{path}: {error}") from error


def _read_genesis(path: Path) -> Any:
    from daemon.joining.genesis_file import load_genesis

    return load_genesis(path)


def _render_created(found: dict[str, Any]) -> str:
    next_step = f"Next: send {found['file']} and all cards to the founders; each runs"
    command = f"  placet genesis use {found['file']} CARDS"
    return "\n".join([_render(found), paint(next_step, FAINT), paint(command, FAINT)])


def _render(found: dict[str, Any]) -> str:
    voters = sum(member["authority"] for member in found["members"])
    facts = [
        ("network", found["name"]),
        ("hash", found["hash"]),
        ("profile", found["profile"]),
        ("authorities", f"{voters}, {found['quorum']} of them make a block final"),
        ("careful", "" if found["quorum"] < voters else paint(NONE_MAY_FAIL, CAREFUL)),
    ]
    rows = [
        [each["name"], each["kind"], "authority" if each["authority"] else "member", each["id"]]
        for each in found["members"]
    ]
    return pairs(facts) + "\n" + table(["name", "kind", "role", "id"], rows)
