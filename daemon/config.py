"""The set-up of this node: one TOML file, read into one frozen struct.

Values come from the defaults below, then the file, then the environment (`PLACET_LOG__LEVEL`),
then the flags of the command, each over the one before. What all nodes of a network share is the
genesis and not here. A key that does not exist is an error: a typing mistake must not change what
a node does.
"""

import ipaddress
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from daemon.config_text import (
    Tree,
    leaves,
    line_of_syntax_error,
    lines_of_keys,
    put,
    values_of_environment,
)
from daemon.errors import DaemonError, Exit
from daemon.hint import did_you_mean
from protocol.genesis import MemberKind, Name

CONFIG_SIZE_MAX = 256 * 1024
"""The largest configuration file in bytes."""

ADDRESSES_MAX = 64
"""How many addresses one key may list."""

Level = Literal["debug", "info", "warning", "error"]
NAME_RULE = "a name has small letters, digits, dots and hyphens, and begins with a letter or digit"
"""In place of the regular expression of the one kind of value that has one."""

Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Addresses = Annotated[tuple[str, ...], msgspec.Meta(max_length=ADDRESSES_MAX)]

_HOST = re.compile(r"^/(ip4|ip6|dns|dns4|dns6)/([^/]+)/tcp/(\d{1,5})$")
_PLACE = re.compile(r"`\$\.?([^`]*)`")
_BOOTSTRAP = re.compile(r"^([0-9a-f]{64})@(/.+)$")


class ConfigInvalid(DaemonError):
    """The configuration says something that cannot be."""

    code = "config-invalid"
    exit_code = Exit.CONFIG_INVALID
    next_step = "Correct it, then run: placet config check"


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the tables of the file."""


class NodeSection(Section, frozen=True):
    """Who we are: the name and the kind with which this member asks to be admitted."""

    name: Name
    kind: MemberKind


class NetworkSection(Section, frozen=True):
    """Where others reach us, and where we find the first of them."""

    listen: Addresses = ("/ip4/0.0.0.0/tcp/4001",)
    announce: Addresses = ()
    """What we tell others, if it differs from where we listen (behind a router, for example)."""
    bootstrap: Addresses = ()
    """Members to try before any other address is known: `member id in hex@address`."""
    mdns: bool = True
    """Whether to look for members on the local network."""
    behind_nat: bool = False
    """Whether nobody can dial us, so that others must reach us through a relay."""
    relay: bool = True
    """Whether members that are behind NAT may be reached through us, if we are not."""


class LogSection(Section, frozen=True):
    """What is logged where. The file and the terminal are independent of each other."""

    level: Level = "info"
    components: dict[str, Level] = msgspec.field(default_factory=lambda: {"libp2p": "warning"})
    """Levels of single components, such as `swarm = "debug"`."""
    terminal: Literal["auto", "pretty", "json", "off"] = "auto"
    """`auto` is pretty on a terminal and JSON elsewhere."""
    file: Literal["json", "pretty", "off"] = "json"
    file_size_max: Annotated[int, msgspec.Meta(ge=64 * 1024, le=2**40)] = 10 * 1024 * 1024
    """Bytes after which a new file is begun."""
    file_count: Annotated[int, msgspec.Meta(ge=1, le=100)] = 5
    """How many old files are kept."""


class LimitsSection(Section, frozen=True):
    """Upper bounds that depend on the machine; those of the protocol cannot be configured."""

    connections_max: Count = 256
    """Connected members beyond which only authorities find room."""
    control_connections_max: Count = 32
    """Local commands and programs at once."""
    record_size_max: Annotated[int, msgspec.Meta(ge=0, le=2**40)] = 4 * 1024**3
    """Bytes of the largest record that is added or fetched."""
    transfers_max: Count = 8
    """Orders of records that are fetched at once."""


class StorageSection(Section, frozen=True):
    """What is kept on this disk."""

    keep_blocks: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    """How many of the newest blocks are kept, with what is indexed about them; 0 means all."""
    snapshots: bool = True
    """Whether a node that is far behind copies the state of another, and has no older blocks."""


class Config(Section, frozen=True):
    node: NodeSection
    network: NetworkSection = NetworkSection()
    log: LogSection = msgspec.field(default_factory=LogSection)
    limits: LimitsSection = LimitsSection()
    storage: StorageSection = StorageSection()


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration, and where each value that is not a default comes from."""

    config: Config
    origins: Mapping[str, str]
    """Such as {"log.level": "PLACET_LOG__LEVEL", "node.name": "config.toml:3"}."""


def load_config(
    path: Path,
    *,
    environment: Mapping[str, str],
    flags: Mapping[str, tuple[str, Any]] | None = None,
) -> LoadedConfig:
    """Read the file and what overrides it, or raise `ConfigInvalid` with the cause and the line.

    `flags` maps a dotted key to the name of the command's flag and its value.
    """
    return read_config(_read(path), path, environment=environment, flags=flags)


def read_config(
    text: str,
    path: Path,
    *,
    environment: Mapping[str, str],
    flags: Mapping[str, tuple[str, Any]] | None = None,
) -> LoadedConfig:
    """Read what is, or will be, in the file at `path`, as `load_config` does."""
    tree = _parse(text, path)
    origins = {key: f"{path.name}:{line}" for key, line in _lines(text).items()}
    overrides: dict[tuple[str, ...], tuple[str, Any]] = dict(values_of_environment(environment))
    for key, (flag, value) in (flags or {}).items():
        overrides[tuple(key.split("."))] = (flag, value)
    for parts, (origin, value) in overrides.items():
        put(tree, parts, value)
        origins[".".join(parts)] = origin
    config = _convert(tree, origins)
    _check_addresses(config, origins)
    known = {".".join(parts) for parts, _ in leaves(tree)}
    return LoadedConfig(config, {key: origins[key] for key in origins if key in known})


def parse_bootstrap(text: str) -> tuple[bytes, str]:
    """Return the member and the address of a `bootstrap` entry, or raise `ValueError`."""
    found = _BOOTSTRAP.match(text)
    if not found:
        raise ValueError(f"`{text}` is not of the form MEMBER_ID@/ip4/192.0.2.1/tcp/4001")
    _check_address(found[2])
    return bytes.fromhex(found[1]), found[2]


def render_config(tree: Tree) -> str:
    """Return `tree` (tables of plain values) as the text of a configuration file."""
    lines = ["# The set-up of this node. `placet config show --origin` lists every key.", ""]
    for table, values in tree.items():
        lines.append(f"[{table}]")
        # A JSON text, number, boolean or array of these is the same in TOML.
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        lines.append("")
    return "\n".join(lines)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(CONFIG_SIZE_MAX + 1)
    except FileNotFoundError as error:
        next_step = "Make one with: placet init"
        raise ConfigInvalid(f"there is no configuration at {path}", next_step) from error
    except OSError as error:
        raise ConfigInvalid(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > CONFIG_SIZE_MAX:
        raise ConfigInvalid(f"{path} is larger than {CONFIG_SIZE_MAX} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigInvalid(f"{path.name}:{line}: this is not UTF-8 text") from error


def _parse(text: str, path: Path) -> Tree:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = line_of_syntax_error(error) or text.count("\n") + 1
        cause = str(error).split(" (at ")[0]
        raise ConfigInvalid(f"{path.name}:{line}: {cause[0].lower()}{cause[1:]}") from error


def _lines(text: str) -> dict[str, int]:
    return {".".join(parts): line for parts, line in lines_of_keys(text).items()}


def _convert(tree: Tree, origins: Mapping[str, str]) -> Config:
    _refuse_unknown_keys(tree, Config, (), origins)
    try:
        return msgspec.convert(tree, Config)
    except msgspec.ValidationError as error:
        cause, _, place = str(error).partition(" - at ")
        found = _PLACE.search(place)
        key = re.sub(r"\[[^\]]*\]", "", found[1]) if found else ""
        cause = NAME_RULE if "regex" in cause else cause[0].lower() + cause[1:]
        raise _invalid(key, cause, origins) from error


def _refuse_unknown_keys(
    tree: Tree, section: type[Section], above: tuple[str, ...], origins: Mapping[str, str]
) -> None:
    fields = {field.name: field.type for field in msgspec.structs.fields(section)}
    for key, value in tree.items():
        if key not in fields:
            what = "key" if above else "table"
            hint = did_you_mean(key, fields)
            raise _invalid(".".join((*above, key)), f"there is no such {what}{hint}", origins)
        inner = fields[key]
        if isinstance(value, dict) and isinstance(inner, type) and issubclass(inner, Section):
            _refuse_unknown_keys(value, inner, (*above, key), origins)


def _check_addresses(config: Config, origins: Mapping[str, str]) -> None:
    network = config.network
    if not network.listen:
        raise _invalid("network.listen", "a node must listen somewhere", origins)
    _check_each("network.listen", network.listen, _check_address, origins)
    _check_each("network.announce", network.announce, _check_address, origins)
    _check_each("network.bootstrap", network.bootstrap, parse_bootstrap, origins)


def _check_each(key: str, texts: Iterable[str], check: Any, origins: Mapping[str, str]) -> None:
    for text in texts:
        try:
            check(text)
        except ValueError as error:
            raise _invalid(key, str(error), origins) from error


def _check_address(text: str) -> None:
    found = _HOST.match(text)
    if not found or int(found[3]) > 65_535:
        raise ValueError(f"`{text}` is not an address such as /ip4/192.0.2.1/tcp/4001")
    if found[1] in ("ip4", "ip6") and ipaddress.ip_address(found[2]).version != int(found[1][2]):
        raise ValueError(f"`{found[2]}` is no {found[1]} address")


def _invalid(key: str, cause: str, origins: Mapping[str, str]) -> ConfigInvalid:
    place = _place_of(key, origins)
    return ConfigInvalid(
        f"{place + ': ' if place else ''}{'`' + key + '`: ' if key else ''}{cause}"
    )


def _place_of(key: str, origins: Mapping[str, str]) -> str:
    """Return the line or variable of `key`, or else of what is in it, or of what it is in."""
    if key and key not in origins:
        for inner in origins:
            if inner.startswith(f"{key}."):
                return origins[inner]
    parts = key.split(".")
    while parts and ".".join(parts) not in origins:
        parts.pop()
    return origins.get(".".join(parts), "")
