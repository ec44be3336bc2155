"""A config is either read whole, with the origin of each value, or refused in words that help."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.config import (
    CONFIG_SIZE_MAX,
    Config,
    ConfigInvalid,
    LoadedConfig,
    load_config,
    parse_bootstrap,
    render_config,
)
from daemon.config_text import lines_of_keys, put
from daemon.hint import did_you_mean

MEMBER = "ab" * 32
NODE = '[node]\nname = "st-mary"\nkind = "hospital"\n'


def load(
    folder: Path, text: str, environment: dict[str, str] | None = None, **flags: Any
) -> LoadedConfig:
    path = folder / "config.toml"
    path.write_text(text)
    named = {key.replace("__", "."): ("--flag", value) for key, value in flags.items()}
    return load_config(path, environment=environment or {}, flags=named)


def cause(folder: Path, text: str, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        load(folder, text, environment)
    assert caught.value.exit_code == 5
    assert caught.value.next_step
    return str(caught.value)


def test_a_name_and_a_kind_are_enough(tmp_path: Path) -> None:
    loaded = load(tmp_path, NODE)
    assert loaded.config.node.name == "st-mary"
    assert loaded.config.network.mdns
    assert loaded.origins == {"node.name": "config.toml:2", "node.kind": "config.toml:3"}


def test_the_environment_stands_over_the_file_and_a_flag_over_both(tmp_path: Path) -> None:
    text = NODE + '[log]\nlevel = "error"\nterminal = "off"\n'
    environment = {"PLACET_LOG__LEVEL": "debug", "PLACET_LOG__TERMINAL": "json"}
    loaded = load(tmp_path, text, environment, log__terminal="pretty")
    assert (loaded.config.log.level, loaded.config.log.terminal) == ("debug", "pretty")
    assert loaded.origins["log.level"] == "PLACET_LOG__LEVEL"
    assert loaded.origins["log.terminal"] == "--flag"


def test_values_of_the_environment_are_toml_where_they_can_be(tmp_path: Path) -> None:
    environment = {
        "PLACET_NETWORK__LISTEN": '["/ip4/127.0.0.1/tcp/0"]',
        "PLACET_NETWORK__MDNS": "false",
        "PLACET_LIMITS__TRANSFERS_MAX": "3",
        "PLACET_LOG__COMPONENTS__SWARM": "debug",
        "PLACET_HOME": "/somewhere",
    }
    config = load(tmp_path, NODE, environment).config
    assert config.network.listen == ("/ip4/127.0.0.1/tcp/0",)
    assert not config.network.mdns
    assert config.limits.transfers_max == 3
    assert config.log.components == {"swarm": "debug"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            NODE + "[network]\nlisen = []\n",
            "config.toml:5: `network.lisen`: there is no such key, did you mean `listen`?",
        ),
        (
            NODE + "[netwrok]\nmdns = true\n",
            "config.toml:4: `netwrok`: there is no such table, did you mean `network`?",
        ),
        (NODE + "[log]\nlevel = 'loud'\n", "config.toml:5: `log.level`: invalid enum value 'loud'"),
        (
            NODE + "[log]\ncomponents.swarm = 'x'\n",
            "config.toml:5: `log.components`: invalid enum value",
        ),
        (NODE + "\n[limits]\ntransfers_max = 0\n", "config.toml:6: `limits.transfers_max`:"),
        (
            NODE + "\n[limits]\ntransfers_max = '1'\n",
            "config.toml:6: `limits.transfers_max`: expected `int`",
        ),
        ("[node]\nname = 'x'\n", "config.toml:1: `node`: object missing required field `kind`"),
        ("[node]\nname = \n", "config.toml:2: invalid value"),
        ("[node]\nname = 'x", "config.toml:2: "),
        ("", "object missing required field `node`"),
        (NODE + "[network]\nlisten = []\n", "config.toml:5: `network.listen`: a node must listen"),
        (NODE + "[network]\nlisten = ['/ip4/10.0.0.1/udp/1']\n", "is not an address such as"),
        (NODE + "[network]\nlisten = ['/ip4/10.0.0.1/tcp/65536']\n", "is not an address such as"),
        (NODE + "[network]\nannounce = ['/ip6/10.0.0.1/tcp/1']\n", "`10.0.0.1` is no ip6 address"),
        (NODE + "[network]\nannounce = ['/ip4/10.0.0/tcp/1']\n", "does not appear to be"),
        (NODE + "[network]\nbootstrap = ['/ip4/10.0.0.1/tcp/1']\n", "is not of the form MEMBER_ID"),
        (NODE + f"[network]\nlisten = {['/dns/a/tcp/1'] * 65}\n", "length <= 64"),
    ],
)
def test_each_mistake_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert said in cause(tmp_path, text)


def test_a_mistake_in_the_environment_is_named_with_its_variable(tmp_path: Path) -> None:
    said = cause(tmp_path, NODE, {"PLACET_LOG__LEVLE": "debug"})
    assert said == "PLACET_LOG__LEVLE: `log.levle`: there is no such key, did you mean `level`?"


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="there is no configuration") as caught:
        load_config(tmp_path / "config.toml", environment={})
    assert "placet init" in caught.value.next_step


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"[node]\n\nname = '\xff'\n")
    with pytest.raises(ConfigInvalid, match=r"config.toml:3: this is not UTF-8"):
        load_config(tmp_path / "config.toml", environment={})


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    fitting = NODE + "#" * (CONFIG_SIZE_MAX - len(NODE))
    load(tmp_path, fitting)
    assert "larger than" in cause(tmp_path, fitting + "#")


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="cannot be read: Is a directory"):
        load_config(tmp_path, environment={})


def test_what_is_rendered_is_read_back(tmp_path: Path) -> None:
    tree = {
        "node": {"name": "a-1", "kind": "clinic"},
        "network": {"listen": ["/ip4/127.0.0.1/tcp/1"], "mdns": False},
    }
    config = load(tmp_path, render_config(tree)).config
    assert config.network.listen == ("/ip4/127.0.0.1/tcp/1",)
    assert not config.network.mdns


def test_a_bootstrap_entry_names_member_and_address() -> None:
    parsed = parse_bootstrap(f"{MEMBER}@/dns4/st-mary.example/tcp/4001")
    assert parsed == (bytes.fromhex(MEMBER), "/dns4/st-mary.example/tcp/4001")


@given(st.text(max_size=200))
def test_any_text_as_a_bootstrap_entry_raises_nothing_but_value_error(text: str) -> None:
    try:
        member, address = parse_bootstrap(text)
    except ValueError:
        return
    assert f"{member.hex()}@{address}" == text


@given(st.binary(max_size=300))
def test_any_file_is_a_config_or_invalid(tmp_path_factory: Any, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    try:
        loaded = load_config(path, environment={})
    except ConfigInvalid:
        return
    assert isinstance(loaded.config, Config)


def test_lines_are_found_in_tables_and_dotted_keys() -> None:
    lines = lines_of_keys('# top\na.b = 1\n\n[c.d]  # table\n"e" = [\n  1,\n]\n')
    assert lines == {("a", "b"): 2, ("c", "d"): 4, ("c", "d", "e"): 5}


def test_a_path_through_a_plain_value_replaces_it() -> None:
    tree: dict[str, Any] = {"a": 1}
    put(tree, ("a", "b"), 2)
    assert tree == {"a": {"b": 2}}


def test_a_word_that_resembles_nothing_gets_no_hint() -> None:
    assert did_you_mean("zzz", ["listen", "mdns"]) == ""
