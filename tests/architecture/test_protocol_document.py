"""`docs/protocol.md` says what the code does, as far as that can be checked by reading both.

Its fields, tags, domains, protocol ids, limits, codes and rules are compared with the sources,
which are parsed and not imported. A file of the daemon is named without its folder, so that it may
move.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from protocol.consensus import HaltReason
from tests.architecture.sources import ROOT, modules, parse

DOCUMENTS = sorted((ROOT / "docs").rglob("*.md"))

LOCAL_TAGS = {
    "audit-key", "draft", "kept-release", "kept-terms", "node-keys", "patient-keys", "recovery-key",
}  # fmt: skip
"""Tags of what a node writes for itself alone. All other messages with a tag are seen by others."""

HASHING = {"commit", "derive", "digest", "signing_bytes"}
"""Functions that are told a domain or a purpose."""

UNITS = {
    "": 1,
    "B": 1,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
    "ms": 1,
    "s": 1_000,
    "min": 60_000,
    "h": 3_600_000,
    "days": 86_400_000,
}

PROTOCOL_ID = re.compile(r"/(placet|ipfs|noise|yamux)(/[a-z0-9.]+)*")
ROW = re.compile(
    r"^\| `(?P<name>[A-Z_]+)` \| (?P<value>[^|]+) \| `(?P<file>[a-z_/]+\.py)` \|", re.M
)
RULE = re.compile(r"\b[RW][1-9][0-9]?\b")


class Described(NamedTuple):
    """How the document writes a message: `vote(kind, epoch, ...)`."""

    name: str
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(self.fields)})"


@cache
def document() -> str:
    return (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")


@cache
def section(title: str) -> str:
    """Return what stands between this heading of the second level and the next one."""
    _, _, rest = document().partition(f"\n## {title}\n")
    return rest.partition("\n## ")[0]


def one_line(text: str) -> str:
    return re.sub(r"\(\s+", "(", re.sub(r"\s+", " ", text))


@cache
def all_sources() -> list[Path]:
    return modules("protocol", "daemon", "simulations", "tests")


@cache
def sources_named(name: str) -> list[Path]:
    """Return the sources and tests whose path ends with `name`, those in a folder's top first."""
    wanted = Path(name).parts
    found = [
        path for path in all_sources() if path.relative_to(ROOT).parts[-len(wanted) :] == wanted
    ]
    return sorted(found, key=lambda path: len(path.parts))


def messages(path: Path) -> Iterator[Described]:
    for node in ast.walk(parse(path)):
        if not isinstance(node, ast.ClassDef):
            continue
        if "Message" not in [ast.unparse(base) for base in node.bases]:
            continue
        tags = [ast.literal_eval(word.value) for word in node.keywords if word.arg == "tag"]
        fields = [each.target for each in node.body if isinstance(each, ast.AnnAssign)]
        names = tuple(field.id for field in fields if isinstance(field, ast.Name))
        yield Described(tags[0] if tags else node.name, names)


def wire_messages() -> list[Described]:
    """Return all messages of the protocol, and those of the daemon that others see."""
    ours = [each for path in modules("daemon") for each in messages(path) if each.name.islower()]
    seen = [each for each in ours if each.name not in LOCAL_TAGS]
    return [*(each for path in modules("protocol") for each in messages(path)), *seen]


def domains(path: Path) -> Iterator[str]:
    for node in ast.walk(parse(path)):
        match node:
            case ast.Call(func=ast.Name(id=name), args=arguments) if name in HASHING:
                for each in arguments[:2]:
                    if isinstance(each, ast.Constant) and isinstance(each.value, str):
                        yield each.value


def protocol_ids() -> set[str]:
    return {
        node.value
        for path in modules("daemon")
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and PROTOCOL_ID.fullmatch(node.value)
    }


def codes(path: Path, base: str = "") -> Iterator[str]:
    """Yield the codes of errors in `path`; with `base`, only of those that derive from it."""
    for node in ast.walk(parse(path)):
        if not isinstance(node, ast.ClassDef):
            continue
        if base and base not in [ast.unparse(each) for each in node.bases]:
            continue
        for statement in node.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str(code))):
                    yield code


def codes_of_calls(path: Path) -> Iterator[str]:
    """Yield codes that are given to an error where it is raised."""
    for node in ast.walk(parse(path)):
        match node:
            case ast.keyword(arg="code", value=ast.Constant(value=str(code))):
                yield code


@cache
def constants(path: Path) -> dict[str, int]:
    """Return the integers that a module names, those it imports included."""
    found: dict[str, int] = {}
    for node in parse(path).body:
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                found |= _imported(module, [each.name for each in names])
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                number = _evaluate(value, found)
                if number is not None:
                    found[name] = number
    return found


def _imported(module: str, names: list[str]) -> dict[str, int]:
    wanted = [name for name in names if name.isupper()]
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    known = constants(path) if wanted and path.is_file() else {}
    return {name: known[name] for name in wanted if name in known}


def _evaluate(node: ast.expr, known: dict[str, int]) -> int | None:
    """Return the value of integer arithmetic, or None for all else."""
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(id=name):
            return known.get(name)
        case ast.BinOp(left=left, op=operator, right=right):
            one, other = _evaluate(left, known), _evaluate(right, known)
            if one is not None and other is not None:
                return _calculate(operator, one, other)
    return None


def _calculate(operator: ast.operator, one: int, other: int) -> int | None:
    match operator:
        case ast.Add():
            return one + other
        case ast.Sub():
            return one - other
        case ast.Mult():
            return one * other
        case ast.FloorDiv():
            return one // other
        case ast.Pow():
            return int(one**other)
    return None


def number_of(text: str, *, in_seconds: bool) -> int:
    """Return the value of `4 MiB + 64 KiB`, `2^40`, `7 days` or `2,000`."""
    total = 0
    for part in text.split("+"):
        digits, _, unit = part.strip().partition(" ")
        base, _, exponent = digits.replace(",", "").partition("^")
        total += int(base) ** int(exponent or 1) * UNITS[unit]
    is_time = any(f" {unit}" in text for unit in ("ms", "s", "min", "h", "days"))
    return total // 1_000 if in_seconds and is_time else total


def is_counted_in_seconds(name: str) -> bool:
    return "SECONDS" in name.split("_")


def limits() -> list[tuple[str, str, str]]:
    return [(row["name"], row["value"], row["file"]) for row in ROW.finditer(section("Limits"))]


def anchors(text: str) -> set[str]:
    """Return the fragments under which the headings of a document are found."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("message", wire_messages(), ids=lambda message: message.name)
def test_every_message_stands_in_the_document_with_its_fields(message: Described) -> None:
    assert str(message) in one_line(document())


def test_no_message_stands_in_the_document_that_does_not_exist() -> None:
    known = {message.name for message in wire_messages()}
    described = set(re.findall(r"\b([a-z]+(?:-[a-z]+)+)\([a-z_, ]*\)", one_line(document())))

    assert len(described) > 20
    assert described - known == set()


def test_every_domain_stands_in_the_document() -> None:
    found = {domain for path in modules("protocol", "daemon") for domain in domains(path)}

    assert {"event", "terms", "record-chunks"} <= found
    assert [each for each in sorted(found) if f"`{each}`" not in document()] == []


def test_every_protocol_id_stands_in_the_document_and_no_other() -> None:
    in_document = {match[0] for match in PROTOCOL_ID.finditer(section("Transport"))}

    assert "/placet/gossip/1" in protocol_ids()
    assert protocol_ids() == in_document


@pytest.mark.parametrize(("name", "value", "file"), limits(), ids=str)
def test_a_limit_has_the_value_that_the_document_says(name: str, value: str, file: str) -> None:
    found = [path for path in sources_named(file) if name in constants(path)]
    now = [path.name for path in modules("daemon") if name in constants(path)]

    assert found, f"{name} is not in {file}, but perhaps in one of {now}"
    assert constants(found[0])[name] == number_of(value, in_seconds=is_counted_in_seconds(name))


def test_every_limit_of_the_protocol_stands_in_the_document() -> None:
    listed = {(name, file) for name, _, file in limits()}
    missing = [
        (name, path.relative_to(ROOT).as_posix())
        for path in modules("protocol")
        for name in constants(path)
        if name.endswith(("_MAX", "_MIN"))
        and re.search(rf"^{name}\b.* = ", path.read_text(encoding="utf-8"), re.M)
    ]

    assert len(missing) > 50
    assert [each for each in missing if each not in listed] == []


def test_every_refusal_code_stands_in_the_document_and_no_other() -> None:
    found = {code for path in modules("protocol") for code in codes(path)}
    found |= {code for path in modules("daemon") for code in codes(path, "ProtocolError")}
    in_document = set(re.findall(r"^\| `([a-z-]+)` \|", section("Codes"), re.M))
    halts = {reason.value for reason in HaltReason}

    assert "counter-gap" in found
    assert found | halts == in_document


def test_no_two_errors_of_the_protocol_share_a_code() -> None:
    found = [code for path in modules("protocol") for code in codes(path)]
    assert sorted(found) == sorted(set(found))


def test_every_rule_that_the_code_cites_stands_in_the_document() -> None:
    sources = modules("protocol", "daemon")
    cited = {rule for path in sources for rule in RULE.findall(path.read_text(encoding="utf-8"))}
    defined = set(re.findall(r"\*\*([RW][0-9]+)\b", section("Consensus")))

    assert {"R3", "W2"} <= cited
    assert cited - defined == set()


def test_every_code_that_operators_may_look_up_exists() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    _, _, table = text.partition("\n## Troubleshooting\n")
    cells = re.findall(r"^\| (`[^|]+`) \|", table, re.M)
    listed = {code for cell in cells for code in re.findall(r"`([a-z-]+)`", cell)}
    found = {code for path in modules("protocol", "daemon") for code in codes(path)}
    found |= {code for path in modules("daemon") for code in codes_of_calls(path)}

    assert "home-locked" in listed
    assert listed - found == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_exists(path: Path) -> None:
    named = set(re.findall(r"`([a-z_0-9/]+\.py)`", path.read_text(encoding="utf-8")))

    assert [name for name in sorted(named) if not sources_named(name)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_between_documents_leads_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, fragment = target.partition("#")
        linked = path.parent / file if file else path
        if not linked.is_file() or (
            fragment and fragment not in anchors(linked.read_text(encoding="utf-8"))
        ):
            broken.append(target)

    assert broken == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    decisions = [path.name for path in sorted(folder.glob("[0-9]*.md"))]

    assert len({name[:4] for name in decisions}) == len(decisions) > 10
    assert [name for name in decisions if f"({name})" not in listed] == []


@pytest.mark.parametrize(
    ("text", "in_seconds", "expected"),
    [
        ("2,000", False, 2_000),
        ("4 MiB + 64 KiB", False, 4 * 2**20 + 2**16),
        ("2^40", False, 2**40),
        ("7 days", False, 604_800_000),
        ("7 days", True, 604_800),
        ("10 s", True, 10),
    ],
)
def test_numbers_of_the_document_are_read(text: str, in_seconds: bool, expected: int) -> None:
    assert number_of(text, in_seconds=in_seconds) == expected


def test_a_changed_message_or_limit_is_noticed(tmp_path: Path) -> None:
    source = tmp_path / "breach.py"
    source.write_text(
        'class Vote(Message, frozen=True, tag="vote"):\n    kind: int\n    view: int\n'
        "SIZE = 4 * 1024\nSIZE_MAX = SIZE + 1\n"
    )

    assert [str(each) for each in messages(source)] == ["vote(kind, view)"]
    assert "vote(kind, view)" not in one_line(document())
    assert constants(source)["SIZE_MAX"] == 4_097
