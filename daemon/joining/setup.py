"""Makes the home of a new node: folders, configuration, keys and its member card.

What exists is never overwritten: keys that are lost cannot be had back, and a second `init` on one
home is a mistake.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from daemon.config import Config, read_config, render_config
from daemon.errors import DaemonError
from daemon.joining.member_card import Card, render_card
from daemon.keys.keystore import (
    NodeKeys,
    RecoveryKey,
    load_keys,
    new_node_keys,
    new_recovery_key,
    save_keys,
)
from daemon.keys.voting import VotingKeys
from daemon.storage.files import disk_errors, write_file
from daemon.storage.home import Home
from protocol.codec import encode
from protocol.genesis import Genesis, Member, MemberKind, validate_genesis
from protocol.identity import PublicKey, SigningKey
from protocol.kem import KemPrivateKey


class HomeExists(DaemonError):
    """There is a node in this folder already."""

    code = "home-exists"
    next_step = "Choose another folder with --home, or use the node that is there."


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a new node is to be."""

    name: str
    kind: str
    listen: Sequence[str] = ()
    announce: Sequence[str] = ()
    bootstrap: Sequence[str] = ()
    mdns: bool = True


def create_home(home: Home, plan: Plan, passphrase: str | None) -> Card:
    """Make the home of a new node; without a passphrase its keys are not locked."""
    if home.config.exists() or home.node_keys.exists():
        raise HomeExists(f"there is a node in {home.path} already")
    text = _render(plan)
    # Before anything is made: what was asked for may be impossible.
    config = read_config(text, home.config, environment={}).config
    home.prepare()
    with disk_errors("the configuration"):
        write_file(home.config, text.encode(), replace=False)
    keys, recovery = new_node_keys(), new_recovery_key()
    save_keys(home.node_keys, keys, passphrase)
    save_keys(home.recovery_key, recovery, passphrase)
    voting = load_voting_keys(home, keys).add()
    return _write_card(home, config, keys, voting_key=voting.public, recovery=recovery)


def member_of(config: Config, keys: NodeKeys) -> Member:
    """Return who this node is, as others know it."""
    return Member(
        id=SigningKey(keys.signing_seed).public,
        name=config.node.name,
        kind=MemberKind(config.node.kind),
        kem_key=KemPrivateKey(keys.kem_seeds[0]).public,
        officer=SigningKey(keys.officer_seed).public,
    )


def load_node_keys(home: Home, passphrase: str | None) -> NodeKeys:
    """Return the keys of the node, or raise one of `keystore`'s errors."""
    return load_keys(home.node_keys, NodeKeys, passphrase)


def load_voting_keys(home: Home, keys: NodeKeys) -> VotingKeys:
    """Return the voting keys of the node. May raise `VotingKeyDamaged`."""
    return VotingKeys(home.voting_keys, keys.vault_master)


def save_genesis(home: Home, genesis: Genesis) -> None:
    """Write what all nodes of the network share; it never changes afterwards."""
    validate_genesis(genesis)
    with disk_errors("the genesis"):
        write_file(home.genesis, encode(genesis), replace=False)


def _render(plan: Plan) -> str:
    network: dict[str, object] = {"listen": list(plan.listen)} if plan.listen else {}
    if plan.announce:
        network["announce"] = list(plan.announce)
    if plan.bootstrap:
        network["bootstrap"] = list(plan.bootstrap)
    network["mdns"] = plan.mdns
    return render_config({"node": {"name": plan.name, "kind": plan.kind}, "network": network})


def _write_card(
    home: Home, config: Config, keys: NodeKeys, *, voting_key: PublicKey, recovery: RecoveryKey
) -> Card:
    card = Card(
        member=member_of(config, keys),
        voting_key=voting_key,
        recovery_key=SigningKey(recovery.seed).public,
        addresses=tuple(config.network.announce or config.network.listen),
    )
    with disk_errors("the member card"):
        text = render_card(card, SigningKey(keys.signing_seed))
        write_file(home.member_card, text.encode(), replace=True)
    return card
