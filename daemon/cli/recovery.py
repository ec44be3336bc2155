"""`placet recovery`: go on when more than a third of the authorities are lost for ever.

All of it works on the files of a node that does not run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.errors import UsageWrong
from daemon.cli.options import (
    HexType,
    common_options,
    confirm,
    passphrase_option,
    read_passphrase,
    yes_option,
)
from daemon.cli.output import mark, pairs, show
from daemon.storage.home import Home

if TYPE_CHECKING:
    from daemon.storage.store import ChainStore
    from protocol.recovery import Recovery
    from protocol.state import EpochEntry

FREEZE_WARNING = (
    "This authority will never vote again in the present epoch, whatever comes of the recovery."
    " Do it only if so many authorities are lost for ever that the others cannot go on. Go on?"
)

OUT = click.Path(dir_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(epilog="Example: placet recovery report --out st-mary.report")
def recovery() -> None:
    """Go on when more than a third of the authorities are lost for ever.

    Read the operations guide, Recovery, before you begin.
    """


@recovery.command(epilog="Example: placet recovery report --out st-mary.report")
@click.option("--out", type=OUT, required=True, help="Where to write the report.")
@yes_option
@passphrase_option
@common_options
def report(out: Path, yes: bool, passphrase_file: Path | None, home: Home, as_json: bool) -> None:
    """Freeze this authority, which must be stopped, and write down what it knows."""
    from daemon.cli.lifecycle import node_passphrase
    from daemon.disk import open_disk
    from daemon.joining.genesis_file import load_genesis
    from daemon.joining.setup import load_node_keys
    from daemon.recovery import freeze
    from protocol.codec import encode
    from protocol.identity import SigningKey

    keys = load_node_keys(home, node_passphrase(home, passphrase_file))
    confirm(FREEZE_WARNING, yes=yes)
    with open_disk(home, load_genesis(home.genesis), keys) as disk:
        made = freeze(disk.store, disk.vote_log, SigningKey(keys.signing_seed))
    _write(out, encode(made), replace=False)
    found = {"file": str(out), "epoch": made.epoch, "height": made.head.height}
    show(found, _render_report, as_json=as_json)


@recovery.command(epilog="Example: placet recovery plan *.report --reason fire --out plan")
@click.argument("reports", nargs=-1, required=True, type=FILE)
@click.option("--reason", required=True, help="Why; it stays on record.")
@click.option("--out", type=OUT, required=True, help="Where to write the plan.")
@common_options
def plan(reports: tuple[Path, ...], reason: str, out: Path, home: Home, as_json: bool) -> None:
    """Say on which block the next epoch begins: those who reported vote in it.

    The owners of the authorities then sign the plan with their recovery keys.
    """
    from daemon.recovery import plan_from
    from protocol.codec import decode, encode
    from protocol.survivors import REPORT_SIZE_MAX, SurvivorReport

    found = [decode(path.read_bytes(), SurvivorReport, REPORT_SIZE_MAX) for path in reports]
    with _opened(home) as store:
        made, ended = plan_from(store, found, reason)
    _write(out, encode(made), replace=False)
    show(_describe(made, ended), _render, as_json=as_json)


@recovery.command(epilog="Example: placet recovery sign plan --key recovery.json")
@click.argument("file", type=FILE)
@click.option("--key", type=FILE, required=True, help="A recovery key, kept offline until now.")
@passphrase_option
@common_options
def sign(file: Path, key: Path, passphrase_file: Path | None, home: Home, as_json: bool) -> None:
    """Sign FILE with the recovery key of an authority of the epoch that ends."""
    from daemon.keys.keystore import RecoveryKey, is_locked, load_keys
    from daemon.recovery import ended_epoch
    from protocol.codec import encode
    from protocol.identity import SigningKey
    from protocol.recovery import sign_recovery

    asked = "Passphrase of the recovery key"
    passphrase = read_passphrase(passphrase_file, prompt=asked) if is_locked(key) else None
    seed = load_keys(key, RecoveryKey, passphrase).seed
    with _opened(home) as store:
        ended = ended_epoch(store)
    signed = sign_recovery(_read(file), ended, SigningKey(seed))
    _write(file, encode(signed), replace=True)
    show(_describe(signed, ended), _render, as_json=as_json)


@recovery.command(epilog="Example: placet recovery accept 5b0c...")
@click.argument("file_and_hash", nargs=-1, required=True, metavar="[FILE] HASH")
@common_options
def accept(file_and_hash: tuple[str, ...], home: Home, as_json: bool) -> None:
    """Follow a recovery from now on; HASH is what those who signed it told you.

    It is the one in FILE, or else one that other nodes offered to this one, see `placet status`.
    The node must be stopped.
    """
    from daemon.joining.genesis_file import load_genesis
    from daemon.recovery import accept as take_over
    from daemon.recovery import accept_offered

    *files, last = file_and_hash
    if len(files) > 1:
        raise UsageWrong("there is one recovery to accept at a time", "Give [FILE] and HASH.")
    accepted = bytes.fromhex(HexType(32).convert(last, None, None))
    genesis = load_genesis(home.genesis)
    with _opened(home) as store:
        if files:
            recovery = _read(FILE.convert(files[0], None, None))
            has_begun = take_over(store, genesis, recovery, accepted)
        else:
            has_begun = accept_offered(store, genesis, accepted)
    show({"begun": has_begun}, _render_accepted, as_json=as_json)


@contextmanager
def _opened(home: Home) -> Iterator["ChainStore"]:
    from daemon.joining.genesis_file import load_genesis
    from daemon.storage.store import ChainStore
    from protocol.genesis import network_id

    network = network_id(load_genesis(home.genesis))
    with home.locked(), ChainStore.open(home.chain, network) as store:
        if store.is_new:
            raise UsageWrong(f"there is no chain in {home.path} yet", "Start the node once.")
        yield store


def _read(path: Path) -> "Recovery":
    from protocol.codec import decode
    from protocol.recovery import RECOVERY_SIZE_MAX, Recovery

    return decode(path.read_bytes(), Recovery, RECOVERY_SIZE_MAX)


def _write(path: Path, data: bytes, *, replace: bool) -> None:
    from daemon.storage.files import disk_errors, write_file

    with disk_errors("the file"):
        try:
            write_file(path.absolute(), data, replace=replace)
        except FileExistsError as error:
            raise UsageWrong(f"{path} is there already", "Choose another --out.") from error


def _describe(made: "Recovery", ended: "EpochEntry") -> dict[str, Any]:
    from protocol.genesis import quorum
    from protocol.recovery_proof import recovery_hash

    manifest = made.manifest
    return {
        "hash": recovery_hash(manifest).hex(),
        "epoch": manifest.epoch + 1,
        "base_height": manifest.base_height,
        "abandoned": [block.hex() for block in manifest.abandoned],
        "authorities": [each.member.hex() for each in manifest.authorities],
        "reason": manifest.reason,
        "signatures": len(made.signatures),
        "signatures_needed": quorum(len(ended.authorities)),
    }


def _render(found: dict[str, Any]) -> str:
    signed = f"{found['signatures']} of {found['signatures_needed']} needed"
    facts = [
        ("hash", found["hash"]),
        ("begins", f"epoch {found['epoch']}, on block {found['base_height']}"),
        ("authorities", ", ".join(each[:8] for each in found["authorities"])),
        ("reason", found["reason"]),
        ("signatures", signed),
        ("abandoned", ", ".join(each[:8] for each in found["abandoned"])),
    ]
    return pairs(facts)


def _render_report(found: dict[str, Any]) -> str:
    return (
        f"{mark(True)} This authority votes no more in epoch {found['epoch']}.\n"
        f"  Its report, up to block {found['height']}, is in {found['file']}."
    )


def _render_accepted(found: dict[str, Any]) -> str:
    if found["begun"]:
        return f"{mark(True)} The new epoch has begun here. Start the node."
    return f"{mark(True)} Accepted. The node lacks blocks: start it. It fetches them, and goes on."
