"""The protocol decides and does nothing else, so every node decides the same.

The import rules keep modules out; these tests keep out what needs no import: floats round
differently, built-in hashes differ between processes, and keys can be drawn from thin air by
libraries that the protocol needs for other reasons.
"""

import ast
from pathlib import Path

import pytest

from tests.architecture.sources import modules, name_of, parse

FORBIDDEN_CALLS = {"breakpoint", "eval", "exec", "float", "hash", "input", "open", "print", "round"}

DRAWS_RANDOMNESS = {
    "crypto_box_keypair",
    "crypto_box_seal",
    "crypto_kx_keypair",
    "crypto_sign_keypair",
    "generate",
    "generate_key",
    "generate_private_key",
    "random",
    "randombytes",
    "urandom",
}

FORBIDDEN_WORDS = {
    "blob",
    "handler",
    "helper",
    "helpers",
    "manager",
    "miner",
    "miners",
    "rpc",
    "server",
    "transaction",
    "transactions",
    "tx",
    "txs",
    "util",
    "utils",
    "validator",
    "validators",
    "wallet",
}
"""Words that docs/glossary.md replaces by others, or that say nothing."""


def impurity(node: ast.AST) -> str | None:
    """Say what is impure about this node itself, not about what it contains."""
    reason = None
    match node:
        case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
            reason = "is asynchronous"
        case ast.Constant(value=float()):
            reason = "is a float"
        case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
            reason = "divides into a float"
        case ast.Global():
            reason = "keeps state in a module"
        case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_CALLS:
            reason = f"calls {name}()"
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
            reason = f"draws randomness: {name}" if name in DRAWS_RANDOMNESS else None
    return reason


def defined_names(tree: ast.Module) -> list[str]:
    """Return all names that the module itself gives to something."""
    names = []
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                names.append(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.alias(asname=str(name)):
                names.append(name)
    return names


def words_of(name: str) -> set[str]:
    """Split `name` at underscores and capitals: `SignedTx` and `signed_tx` are two words each."""
    spaced = "".join(f"_{letter}" if letter.isupper() else letter for letter in name)
    return set(spaced.lower().split("_"))


def impurities(tree: ast.Module) -> list[str]:
    return [
        f"line {getattr(node, 'lineno', '?')} {reason}"
        for node in ast.walk(tree)
        if (reason := impurity(node)) is not None
    ]


@pytest.mark.parametrize("path", modules("protocol"), ids=name_of)
def test_the_protocol_is_pure(path: Path) -> None:
    assert impurities(parse(path)) == []


@pytest.mark.parametrize("path", modules("protocol"), ids=name_of)
def test_the_protocol_speaks_the_words_of_the_glossary(path: Path) -> None:
    names = [path.stem, *defined_names(parse(path))]

    assert [name for name in names if words_of(name) & FORBIDDEN_WORDS] == []


@pytest.mark.parametrize(
    "line",
    [
        "async def f(): ...",
        "x = 0.5",
        "x = 3 / 2",
        "x = hash(b'')",
        "open('x')",
        "from nacl.utils import random",
        "key = PrivateKey.generate()",
    ],
)
def test_an_impure_line_is_noticed(line: str) -> None:
    assert impurities(ast.parse(line))


@pytest.mark.parametrize("line", ["class SignedTx: ...", "tx_count = 1", "def f(validator): ..."])
def test_a_forbidden_word_is_noticed(line: str) -> None:
    (name,) = [name for name in defined_names(ast.parse(line)) if name != "f"]

    assert words_of(name) & FORBIDDEN_WORDS


def test_whole_words_are_forbidden_and_not_parts_of_them() -> None:
    assert not words_of("validate_context") & FORBIDDEN_WORDS
