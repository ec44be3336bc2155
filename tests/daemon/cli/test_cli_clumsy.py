"""What people do wrong at a keyboard, and what they should not have to do."""

from pathlib import Path

import click
import pytest

from daemon.storage.home import Home
from tests.daemon.cli.answers import ANSWERS, CONSENT, EVENT, RECORD, SUBJECT
from tests.daemon.cli.canned import canned_node
from tests.daemon.cli.screens import Screen

A_RECORD = {
    "record": RECORD,
    "subject": SUBJECT,
    "custodian_name": "st-mary",
    "mime_type": "text/plain",
    "categories": ["laboratory"],
    "sensitivity": [],
    "author": "st-mary",
    "authored_at": 1_900_000_000_000,
    "title": None,
    "length": 5,
    "sha256": "aa" * 32,
}


def test_the_beginning_of_an_id_will_do_if_only_one_begins_so(home: Home, screen: Screen) -> None:
    answers = ANSWERS | {
        "consent.list": [{"consent": CONSENT}, {"consent": "ab" * 16}],
        "records.list": [A_RECORD],
        "records.show": A_RECORD,
        "emergency.list": [{"disclosure": EVENT}],
        "emergency.review": {"event": EVENT, "height": 14, "verdict": "justified"},
    }
    with canned_node(home, answers) as node:
        assert screen.run(f"consent show {CONSENT[:8]}") == 0
        assert screen.run(f"record show {RECORD[:9].upper()}") == 0
        assert screen.run(f"emergency review {EVENT[:8]} --verdict justified --yes") == 0
    assert node.params_of("consent.show") == {"consent": CONSENT}
    assert node.params_of("records.show") == {"record": RECORD}
    assert node.params_of("emergency.review")["disclosure"] == EVENT


def test_the_beginning_of_two_ids_is_not_enough(home: Home, screen: Screen) -> None:
    twins = [{"consent": "ab" * 15 + end} for end in ("01", "02")]
    with canned_node(home, {"consent.list": twins}):
        found = screen.error("consent show abababab")
    assert found["cause"] == "2 consents begin with abababab"
    assert found["exit_code"] == 2


def test_where_there_is_no_node_nobody_is_told_to_start_it(home: Home, screen: Screen) -> None:
    found = screen.error(f"status --home {home.path}/elsewhere")
    assert (found["exit_code"], found["cause"]) == (3, f"there is no node in {home.path}/elsewhere")
    assert "placet init" in found["next_step"]


@pytest.mark.parametrize("veto", [True, False])
def test_a_patient_hears_that_emergencies_cannot_be_forbidden_here(
    home: Home, screen: Screen, veto: bool
) -> None:
    given = ANSWERS["consent.give"] | {"emergency_veto": veto}
    with canned_node(home, ANSWERS | {"consent.give": given}):
        command = "consent grant --custodian st-mary --anyone --restrict --even-emergencies"
        assert screen.run(command) == 0
    assert ("gave nobody a veto" in screen.out) != veto


def test_what_others_wrote_does_not_steer_the_terminal(home: Home, screen: Screen) -> None:
    record = A_RECORD | {"title": "a\x1b[2Jb\nc\u202ed", "author": "\x9b31m"}
    with canned_node(home, ANSWERS | {"records.show": record, "records.list": [record]}):
        for command in (f"record show {RECORD}", "record list"):
            assert screen.run(command) == 0
            assert "a\ufffd[2Jb\ufffdc\ufffdd" in screen.out
            assert "\x9b" not in screen.out


@pytest.mark.parametrize("wrong", ["--listen nowhere", "--announce /ip4/1.2.3.4"])
def test_a_home_that_cannot_be_leaves_nothing_behind(
    home: Home, screen: Screen, wrong: str
) -> None:
    new = home.path / "new"
    command = f"init --home {new} --name clinic --kind clinic --no-passphrase {wrong}"
    assert screen.error(command)["exit_code"] == 5
    assert not new.exists()


def test_a_founder_hears_at_once_of_names_cards_and_folders_that_cannot_be(
    home: Home, screen: Screen
) -> None:
    cards = []
    for name in ("one", "two", "three"):
        at = f"--home {home.path}/{name} --listen /ip4/127.0.0.1/tcp/4001"
        assert screen.run(f"init {at} --name {name} --kind clinic --no-passphrase") == 0
        cards.append(f"{home.path}/{name}/member-card")
    create = f"genesis create {' '.join(cards)} --out {home.path}/genesis"
    assert screen.run(f"{create} --name Town") == 2
    assert "small letters" in screen.err
    assert screen.error(f"{create} --name town {cards[0]}")["cause"].endswith("is there twice")
    assert "no such folder" in screen.error(f"{create}/none/file --name town")["cause"]
    assert screen.run(f"{create} --name town") == 0
    assert "four or more authorities" in screen.out
    use = f"genesis use {home.path}/genesis {' '.join(cards)} --home {home.path}/one --yes"
    assert screen.run(use) == 0
    assert "belongs to a network already" in screen.error(use)["cause"]


def test_no_colour_is_asked_for(
    home: Home, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(click.utils, "should_strip_ansi", lambda _, color=None: color is False)
    assert screen.run("status") == 3
    assert "\x1b[" in screen.err
    monkeypatch.setenv("NO_COLOR", "1")
    assert screen.run("status") == 3
    assert "\x1b[" not in screen.err


@pytest.mark.parametrize(
    ("typo", "passphrase", "exit_code"), [("[log]\nlevle = 1\n", "right", 5), ("", "wrong", 6)]
)
def test_a_restart_that_could_not_start_again_stops_nothing(
    tmp_path: Path,
    screen: Screen,
    monkeypatch: pytest.MonkeyPatch,
    typo: str,
    passphrase: str,
    exit_code: int,
) -> None:
    home = Home(tmp_path / "new")
    monkeypatch.setenv("PLACET_PASSPHRASE", "right")
    assert screen.run(f"init --home {home.path} --name clinic --kind clinic") == 0
    home.config.write_text(home.config.read_text() + typo)
    monkeypatch.setenv("PLACET_PASSPHRASE", passphrase)
    with home.locked():
        before = home.running_pid()
        assert screen.error(f"restart --home {home.path}")["exit_code"] == exit_code
        assert home.running_pid() == before is not None
