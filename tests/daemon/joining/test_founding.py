"""New homes, member cards, and the genesis that founders make from them."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.config import ConfigInvalid, load_config
from daemon.joining.founding import CannotFound, add_bootstrap, bootstrap_of, make_genesis, settle
from daemon.joining.genesis_file import GenesisDamaged, NoNetwork, load_genesis
from daemon.joining.member_card import (
    CARD_HEADER,
    CARD_SIZE_MAX,
    Card,
    InvalidCard,
    parse_card,
    render_card,
)
from daemon.joining.setup import (
    HomeExists,
    Plan,
    create_home,
    load_node_keys,
    load_voting_keys,
    member_of,
)
from daemon.keys.keystore import KeyLocked, RecoveryKey, load_keys
from daemon.storage.home import Home
from protocol.genesis import Genesis, Profile, network_id
from protocol.identity import SigningKey
from tests.protocol.examples import make_key, make_party

NOW = 1_800_000_000_000


def plan(name: str = "st-mary", **changes: object) -> Plan:
    values: dict[str, object] = {"kind": "hospital", "listen": ["/ip4/127.0.0.1/tcp/4001"]}
    return Plan(name=name, **(values | changes))  # type: ignore[arg-type]


def found(folder: Path, *names: str) -> tuple[dict[str, Home], list[Card]]:
    homes = {name: Home(folder / name) for name in names}
    return homes, [create_home(home, plan(name), None) for name, home in homes.items()]


def genesis_of(cards: list[Card], *authorities: str) -> Genesis:
    return make_genesis(
        cards,
        name="canton",
        authorities=authorities,
        profile=Profile.OPT_IN,
        delay_bound=50,
        created_at=NOW,
    )


def test_a_new_home_has_configuration_keys_and_card(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    card = create_home(home, plan(announce=["/dns4/st-mary.example/tcp/4001"]), None)
    config = load_config(home.config, environment={}).config
    keys = load_node_keys(home, None)
    recovery = load_keys(home.recovery_key, RecoveryKey, None)
    assert card.member == member_of(config, keys)
    assert [card.voting_key] == [key.public for key in load_voting_keys(home, keys).held]
    assert card.recovery_key == SigningKey(recovery.seed).public
    assert card.addresses == ("/dns4/st-mary.example/tcp/4001",)
    assert parse_card(home.member_card.read_text()) == card
    for path in (home.config, home.node_keys, home.recovery_key, home.member_card):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_keys_with_a_passphrase_are_locked(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    create_home(home, plan(), "correct horse")
    with pytest.raises(KeyLocked):
        load_node_keys(home, None)
    with pytest.raises(KeyLocked):
        load_keys(home.recovery_key, RecoveryKey, None)
    assert load_node_keys(home, "correct horse")


def test_a_home_is_never_made_twice(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    create_home(home, plan(), None)
    before = home.node_keys.read_bytes()
    with pytest.raises(HomeExists):
        create_home(home, plan("other"), None)
    assert home.node_keys.read_bytes() == before


def test_a_plan_that_cannot_be_leaves_nothing_behind(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with pytest.raises(ConfigInvalid, match=r"node.name"):
        create_home(home, plan("St. Mary"), None)
    assert not home.config.exists()
    assert not home.node_keys.exists()
    create_home(home, plan(), None)


def test_founders_get_the_genesis_and_each_others_addresses(tmp_path: Path) -> None:
    homes, cards = found(tmp_path, "st-mary", "lakeside", "city-lab")
    genesis = genesis_of(cards, "st-mary", "lakeside")
    for home in homes.values():
        settle(home, genesis, cards)
        assert load_genesis(home.genesis) == genesis
    config = load_config(homes["lakeside"].config, environment={}).config
    assert list(config.network.bootstrap) == bootstrap_of([cards[0], cards[2]])
    assert len(genesis.authorities) == 2
    assert {member.name for member in genesis.members} == set(homes)


def test_the_order_of_the_cards_does_not_matter(tmp_path: Path) -> None:
    _, cards = found(tmp_path, "a", "b", "c")
    first, second = genesis_of(cards, "a", "b"), genesis_of(cards[::-1], "b", "a")
    assert network_id(first) == network_id(second)


def test_an_authority_without_a_card_is_refused(tmp_path: Path) -> None:
    _, cards = found(tmp_path, "a")
    with pytest.raises(CannotFound, match="no card is that of b"):
        genesis_of(cards, "a", "b")


def test_two_cards_of_one_name_are_refused(tmp_path: Path) -> None:
    _, cards = found(tmp_path, "a")
    other = create_home(Home(tmp_path / "other"), plan("a"), None)
    with pytest.raises(CannotFound, match="same name"):
        genesis_of([*cards, other], "a")


def test_only_a_member_of_a_genesis_can_use_it(tmp_path: Path) -> None:
    homes, cards = found(tmp_path, "a", "b")
    with pytest.raises(CannotFound, match="b is not in this genesis"):
        settle(homes["b"], genesis_of(cards[:1], "a"), cards)
    assert not homes["b"].genesis.exists()


def test_addresses_that_the_operator_wrote_stay(tmp_path: Path) -> None:
    homes, cards = found(tmp_path, "a", "b")
    entry = bootstrap_of(cards[1:])[0]
    add_bootstrap(homes["a"], [entry])
    add_bootstrap(homes["a"], [entry.replace("4001", "4002")])
    config = load_config(homes["a"].config, environment={}).config
    assert config.network.bootstrap == (entry,)


def test_a_genesis_that_is_missing_or_damaged_says_what_to_do(tmp_path: Path) -> None:
    homes, cards = found(tmp_path, "a")
    home = homes["a"]
    with pytest.raises(NoNetwork) as missing:
        load_genesis(home.genesis)
    assert "placet join" in missing.value.next_step
    settle(home, genesis_of(cards, "a"), cards)
    home.genesis.write_bytes(home.genesis.read_bytes() + b"x")
    with pytest.raises(GenesisDamaged):
        load_genesis(home.genesis)
    with pytest.raises(GenesisDamaged, match="cannot be read"):
        load_genesis(tmp_path)


CARD = Card(
    member=make_party("st-mary").member,
    voting_key=make_key("voting").public,
    recovery_key=make_key("recovery").public,
    addresses=("/ip4/192.0.2.1/tcp/4001",),
)
TEXT = render_card(CARD, make_key("st-mary"))


def test_a_card_is_read_back_in_spite_of_white_space() -> None:
    assert parse_card(TEXT) == CARD
    assert parse_card("\n" + TEXT.replace("\n", "\r\n") + "\n\n") == CARD


@pytest.mark.parametrize("place", range(len(CARD_HEADER) + 2, len(TEXT) - 4, 97))
def test_a_damaged_card_does_not_open(place: int) -> None:
    letter = "A" if TEXT[place] != "A" else "B"
    with pytest.raises(InvalidCard):
        parse_card(TEXT[:place] + letter + TEXT[place + 1 :])


def test_a_card_under_anothers_name_does_not_open() -> None:
    forged = replace(CARD, member=make_party("lakeside").member)
    with pytest.raises(AssertionError):
        render_card(forged, make_key("st-mary"))


@given(st.text(max_size=200))
def test_any_text_is_a_card_or_refused(text: str) -> None:
    for card in (text, f"{CARD_HEADER}\n{text}"):
        with pytest.raises(InvalidCard):
            parse_card(card)


def test_a_text_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidCard):
        parse_card(TEXT.strip() + " " * CARD_SIZE_MAX + "x")
