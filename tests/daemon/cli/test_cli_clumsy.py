"""What people do wrong at a keyboard, and what they should not have to do."""

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
