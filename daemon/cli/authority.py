"""`placet authority`: who votes on blocks, and how that changes."""

from typing import Any

import click

from daemon.cli.errors import UsageWrong
from daemon.cli.node import call
from daemon.cli.options import common_options, confirm, yes_option
from daemon.cli.output import BAD, CAREFUL, FAINT, GOOD, echo, mark, paint, pairs, show, table
from daemon.storage.home import Home

CHOICES = ("add", "remove", "rotate")
"""As in `protocol.events`; a test compares both."""

WORDS = {
    "add": "make {name} an authority",
    "remove": "take {name} out of the authorities",
    "rotate": "give {name} the voting key that it offers",
}


@click.group(epilog="Example: placet authority list")
def authority() -> None:
    """See who votes on blocks, and change it together."""


@authority.command("list", epilog="Example: placet authority list --json")
@common_options
def list_authorities(home: Home, as_json: bool) -> None:
    """Show who votes, who will from which block on, and which ballots are open."""
    show(call(home, "authority.list"), _render_list, as_json=as_json)


@authority.command(epilog="Example: placet authority ready")
@common_options
def ready(home: Home, as_json: bool) -> None:
    """Offer a voting key of this node, so that the authorities can take it in."""
    found = call(home, "authority.ready")
    text = "\n".join(
        [
            f"{mark(True)} Our offer is final in block {found['height']}, and is kept fresh.",
            paint("Next: ask the authorities to run: placet authority propose add NAME", FAINT),
        ]
    )
    show(found, lambda _: text, as_json=as_json)


@authority.command(epilog="Example: placet authority propose add lakeside --yes")
@click.argument("choice", type=click.Choice(CHOICES))
@click.argument("member")
@yes_option
@common_options
def propose(choice: str, member: str, yes: bool, home: Home, as_json: bool) -> None:
    """Cast this authority's ballot: add or remove MEMBER, or rotate its voting key.

    It takes effect when a quorum of the authorities has said the same.
    """
    _cast(home, choice, member, yes=yes, as_json=as_json)


@authority.command(epilog="Example: placet authority vote lakeside --yes")
@click.argument("member")
@click.option("--for", "choice", type=click.Choice(CHOICES), help="Which, if several are open.")
@yes_option
@common_options
def vote(member: str, choice: str | None, yes: bool, home: Home, as_json: bool) -> None:
    """Support what others have proposed about MEMBER."""
    name = call(home, "members.show", {"member": member})["name"]
    ballots = call(home, "authority.list")["ballots"]
    about = [each["choice"] for each in ballots if each["name"] == name]
    found = [each for each in about if choice in (None, each)]
    if not found:
        raise UsageWrong(
            f"nobody has proposed that about {name} in this epoch",
            f"See: placet authority list; or begin: placet authority propose CHOICE {name}",
        )
    if len(found) > 1:
        raise UsageWrong(
            f"several ballots on {name} are open: {', '.join(found)}", "Say which with --for."
        )
    _cast(home, found[0], name, yes=yes, as_json=as_json)


def changes_of(handoff: dict[str, Any]) -> str:
    """Say who comes and goes with a handoff."""
    words = {"added": "with", "removed": "without", "renewed": "new keys for"}
    return "; ".join(
        f"{word} {', '.join(handoff[what])}" for what, word in words.items() if handoff[what]
    )


def _cast(home: Home, choice: str, member: str, *, yes: bool, as_json: bool) -> None:
    """Show what it would change, ask, sign, and say what is still missing."""
    asked = {"choice": choice, "member": member}
    expected = call(home, "authority.preview", asked)
    if not as_json:
        echo(_render_preview(expected), err=True)
    confirm(f"Vote to {WORDS[choice].format(name=expected['name'])}?", yes=yes)
    found = call(home, "authority.vote", asked)
    show(found, lambda it: _render_vote(it, expected), as_json=as_json)


def _render_preview(found: dict[str, Any]) -> str:
    before, after = found["before"], found["after"]
    lines = [f"now    {_strength(before)}", f"then   {_strength(after)}"]
    if after["may_fail"] < before["may_fail"]:
        lines.append(paint("That is LESS than now: fewer may fail without harm.", BAD))
    if found["waits_for_addition"]:
        lines.append(
            paint("So few cannot spare one: it waits until another one is added.", CAREFUL)
        )
    return "\n".join(lines)


def _strength(found: dict[str, Any]) -> str:
    count, may_fail = found["count"], found["may_fail"]
    nouns = "authority" if count == 1 else "authorities"
    return f"{count} {nouns}: {may_fail} may fail or lie, {found['quorum']} must agree"


def _render_vote(found: dict[str, Any], expected: dict[str, Any]) -> str:
    line = f"{mark(True)} Our ballot is final in block {found['height']}."
    if found["missing"]:
        return f"{line} {found['missing']} more needed: placet authority vote {expected['name']}"
    if found["pending"]:
        return f"{line} It is decided.\n{_pending(found['pending'])}"
    return f"{line} It is decided, and waits for room: placet authority list"


def _render_list(found: dict[str, Any]) -> str:
    rows = [
        [mark(each["connected"]), _name(each), _standing(each), each["id"]]
        for each in found["authorities"]
    ]
    head = pairs(
        [
            ("epoch", f"{found['epoch']}, since block {found['since_height']}"),
            ("authorities", _strength(found)),
            ("decided", _waiting(found["waiting"])),
            ("candidates", ", ".join(each["name"] for each in found["candidates"])),
        ]
    )
    parts = [head, table(["", "name", "standing", "id"], rows, ids=["id"])]
    if found["pending"]:
        parts.append(paint(_pending(found["pending"]), CAREFUL))
    parts += [_ballot(each) for each in found["ballots"]]
    return "\n".join(parts)


def _name(each: dict[str, Any]) -> str:
    return f"{each['name']} (this node)" if each["is_me"] else each["name"]


def _standing(each: dict[str, Any]) -> str:
    if each["tainted"]:
        return paint("TAINTED: it cheated, and nobody can take its place yet", BAD)
    if each["suspended"]:
        return paint("suspended: it cheated, and leaves", BAD)
    if each["leaves"]:
        return paint("leaves as soon as it can be spared", CAREFUL)
    if not each["offers_key"]:
        return "good, no next key yet"  # Keys are offered when a change is near.
    return paint("good", GOOD)


def _waiting(waiting: dict[str, list[str]]) -> str:
    verbs = {"additions": "add", "removals": "remove", "rotations": "rotate"}
    return "; ".join(
        f"{verb} {', '.join(waiting[what])}" for what, verb in verbs.items() if waiting[what]
    )


def _pending(pending: dict[str, Any]) -> str:
    return (
        f"Epoch {pending['epoch']} begins after block {pending['last_height']}:"
        f" {changes_of(pending)}. {_strength(pending)}."
    )


def _ballot(each: dict[str, Any]) -> str:
    ours = "" if each["voted"] else f": placet authority vote {each['name']}"
    return (
        f"Proposed by {', '.join(each['by'])}: {WORDS[each['choice']].format(name=each['name'])};"
        f" {each['missing']} more needed{ours}"
    )
