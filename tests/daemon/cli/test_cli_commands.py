"""What commands ask the node, what they print, and how they end; the node's answers are canned."""

import json
from pathlib import Path
from typing import Any

import pytest

from daemon.errors import DaemonError
from daemon.keys.keystore import save_keys
from daemon.keys.lock import INTERACTIVE
from daemon.rpc import CallFailed
from daemon.storage.home import Home
from protocol.codec import decode
from protocol.events import ConsentWithdrawn, SignedEvent, event_signing_bytes
from protocol.identity import is_valid_signature
from protocol.keys import subject_signing_key
from protocol.terms import AllRecords, DirectiveKind, Purpose, Terms, WithCategory, validate_terms
from tests.daemon.cli.answers import (
    ANSWERS,
    CONSENT,
    CONSENT_ENTRY,
    EVENT,
    LAKESIDE,
    NETWORK,
    RECORD,
    ST_MARY,
    STATUS,
    SUBJECT,
)
from tests.daemon.cli.canned import Canned, canned_node
from tests.daemon.cli.screens import KEYS, Screen

KEY = subject_signing_key(
    KEYS.seed, network=bytes.fromhex(NETWORK), custodian=bytes.fromhex(ST_MARY)
)


def test_without_a_node_the_exit_code_is_3(home: Home, screen: Screen) -> None:
    assert screen.run("status") == 3
    assert screen.err == (
        f"Error (node-not-running): no node is running in {home.path}.\n"
        "  Next: Start it with: placet start\n"
    )


def test_an_error_in_json_goes_where_errors_go(home: Home, screen: Screen) -> None:
    assert screen.error("peer list") == {
        "code": "node-not-running",
        "cause": f"no node is running in {home.path}",
        "next_step": "Start it with: placet start",
        "exit_code": 3,
    }


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("cofnig", "there is no command `cofnig`, did you mean `config`?"),
        ("status --jsn", "--jsn"),
        ("consent withdraw zz", "`zz` is not 8 to 32 hex digits"),
        (f"record add pyproject.toml --subject {SUBJECT} --type pdf", "`pdf` is not of the form"),
        (f"record add pyproject.toml --subject {SUBJECT} --category a!", "`a!` is not of the form"),
        ("logs --level loud", "'loud' is not one of"),
        ("logs --grep (", "`(` is not a regular expression"),
        ("consent grant --custodian st-mary", "to whom?"),
        ("consent grant --custodian st-mary --anyone --even-emergencies", "Give --restrict, too."),
        ("consent show 00000000", "no consent that is known here begins with 00000000"),
        ("record show 0000000", "`0000000` is not 8 to 32 hex digits"),
        ("events --kind birth", "'birth' is not one of"),
        ("init --name Bad! --kind clinic", "small letters, digits, dots, hyphens"),
        ("patient recover new.key --phrase-file /none", "cannot read /none: No such file"),
        ("patient new new.key --passphrase-file /none", "cannot read /none: No such file"),
        ("consent", "Usage: placet consent"),
    ],
)
def test_a_wrong_command_line_ends_with_2(
    node: Canned, screen: Screen, command: str, said: str
) -> None:
    assert screen.run(command) == 2
    assert said in screen.err
    assert node.asked == [] or "consent.give" not in dict(node.asked)


def test_a_healthy_node_ends_status_with_0(node: Canned, screen: Screen) -> None:
    assert screen.run("status") == 0
    assert "✓ st-mary, hospital, authority: healthy" in screen.out
    assert "height 12" in screen.out
    assert screen.json("status") == STATUS
    assert {name for name, _ in node.asked} == {"status"}


def test_an_unhealthy_node_ends_status_with_4_and_problems_come_first(
    home: Home, screen: Screen
) -> None:
    problem = {"code": "not-final", "cause": "NOT FINAL  2 of 4", "next_step": "Start them."}
    unwell = STATUS | {"healthy": False, "problems": [problem]}
    with canned_node(home, {"status": unwell}):
        assert screen.run("status") == 4
    lines = screen.out.splitlines()
    assert "not healthy" in lines[0]
    assert lines[1:3] == ["NOT FINAL  2 of 4", "  Next: Start them."]


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (DaemonError("the disk is full", "Make room."), "daemon-error", 1),
        (CallFailed("locked", code="key-locked", exit_code=6), "key-locked", 6),
        (CallFailed("later", code="busy", exit_code=75), "busy", 75),
    ],
)
def test_what_the_node_says_keeps_its_code(
    home: Home, screen: Screen, error: DaemonError, code: str, exit_code: int
) -> None:
    with canned_node(home, {"members.list": error}):
        found = screen.error("member list")
    assert (found["code"], found["exit_code"]) == (code, exit_code)


def given(node: Canned) -> tuple[SignedEvent, Terms, bytes]:
    params = node.params_of("consent.give")
    return (
        decode(bytes.fromhex(params["event"]), SignedEvent),
        decode(bytes.fromhex(params["terms"]), Terms),
        bytes.fromhex(params["salt"]),
    )


def test_a_grant_is_signed_here_and_the_key_goes_nowhere(node: Canned, screen: Screen) -> None:
    found = screen.json("consent grant --custodian st-mary --to lakeside --days 30")
    assert (found["consent"], found["height"]) == (CONSENT, 13)
    signed, terms, salt = given(node)
    body: Any = signed.event.body
    validate_terms(terms, salt, given=body, network=bytes.fromhex(NETWORK))
    message = event_signing_bytes(signed.event, bytes.fromhex(NETWORK))
    assert is_valid_signature(KEY.public, message, signed.signatures[0])
    assert (terms.subject, terms.custodian.hex()) == (KEY.public, ST_MARY)
    assert terms.scope.recipients.members == (bytes.fromhex(LAKESIDE),)
    assert terms.scope.purposes == (Purpose.TREAT,)
    assert terms.scope.records == (AllRecords(),)
    assert terms.valid_until - terms.valid_from == 30 * 86_400_000
    assert KEYS.seed.hex() not in json.dumps(node.asked)


def test_a_restriction_says_what_it_forbids(node: Canned, screen: Screen) -> None:
    command = "consent grant --custodian st-mary --anyone --restrict --even-emergencies"
    assert screen.run(f"{command} --category HIV --category PSY --purpose treat") == 0
    _, terms, _ = given(node)
    assert terms.kind == DirectiveKind.RESTRICT
    assert not terms.emergency_override
    assert terms.scope.recipients.anyone
    assert terms.scope.records == (WithCategory(("HIV", "PSY")),)
    assert "The restriction is final in block 13." in screen.out


def test_a_withdrawal_is_signed_by_the_subject(home: Home, screen: Screen) -> None:
    entry = CONSENT_ENTRY | {"subject": KEY.public.hex()}
    answers = ANSWERS | {"consent.show": ANSWERS["consent.show"] | {"chain": entry}}
    with canned_node(home, answers) as node:
        assert screen.json(f"consent withdraw {CONSENT}")["height"] == 13
        signed = decode(bytes.fromhex(node.params_of("events.submit")["event"]), SignedEvent)
    assert signed.event.body == ConsentWithdrawn(KEY.public, bytes.fromhex(CONSENT))


def test_nobody_withdraws_the_consent_of_another(node: Canned, screen: Screen) -> None:
    assert screen.run(f"consent withdraw {CONSENT}") == 2
    assert "is not this patient's" in screen.err
    assert "events.submit" not in dict(node.asked)


def test_an_audit_asks_each_custodian_with_a_signed_question(node: Canned, screen: Screen) -> None:
    assert screen.json("patient audit") == []
    assert [name for name, _ in node.asked].count("patient.audit") == 2
    assert screen.json("patient audit --custodian st-mary")[0]["complete"]
    params = node.params_of("patient.audit")
    assert params["subject"] == KEY.public.hex()
    assert len(bytes.fromhex(params["signature"])) == 64


UNDONE_BY_NOBODY = {"emergency.review", "invites.revoke", "records.fetch", "records.erase"}


@pytest.mark.parametrize(
    "command",
    [
        f"emergency review {EVENT} --verdict justified",
        "invite revoke 12ab",
        "stop --kill",
        f"emergency open --custodian st-mary --subject {SUBJECT}"
        " --justification unconscious-after-an-accident",
        f"record erase --subject {SUBJECT}",
    ],
)
def test_what_cannot_be_undone_wants_yes_where_nobody_can_be_asked(
    node: Canned, screen: Screen, command: str
) -> None:
    assert screen.error(command)["code"] == "confirmation-needed"
    assert not UNDONE_BY_NOBODY & set(dict(node.asked))


def test_an_emergency_needs_a_sentence(node: Canned, screen: Screen) -> None:
    command = f"emergency open --custodian st-mary --subject {SUBJECT} --justification short --yes"
    assert screen.run(command) == 2
    assert node.asked == []


def test_a_record_is_added_by_its_absolute_path(
    home: Home, screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scan.dcm").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    added = {"record": RECORD, "height": 3}
    with canned_node(home, ANSWERS | {"records.add": added}) as node:
        assert screen.json(f"record add scan.dcm --subject {SUBJECT} --category imaging") == added
        params = node.params_of("records.add")
        assert params["path"] == str(tmp_path / "scan.dcm")
        assert (params["mime_type"], params["categories"]) == ("application/dicom", ["imaging"])
        assert screen.run("record add scan.dcm") == 0
        assert node.params_of("records.add")["subject"] == KEY.public.hex()
    assert "committed in block 3" in screen.out


def test_an_erasure_gives_away_what_proves_it(home: Home, screen: Screen) -> None:
    erased = {
        "subject": KEY.public.hex(), "records": [RECORD], "event": EVENT, "height": 9,
        "salt": "ab" * 32,
    }  # fmt: skip
    with canned_node(home, ANSWERS | {"records.erase": erased}) as node:
        assert screen.json("record erase --yes") == erased
        assert node.params_of("records.erase") == {"subject": KEY.public.hex()}
        assert screen.run(f"record erase --yes --subject {SUBJECT}") == 0
        assert node.params_of("records.erase") == {"subject": SUBJECT}
    assert "1 record erased, and logged in block 9" in screen.out
    assert "ab" * 32 in screen.out


def test_a_request_goes_on_the_chain_only_if_told_to(home: Home, screen: Screen) -> None:
    command = f"record fetch --custodian st-mary --subject {SUBJECT} --out {home.path}"
    with canned_node(home, ANSWERS | {"records.fetch": []}) as node:
        screen.run(command)
        assert node.params_of("records.fetch")["on_chain"] is False
        screen.run(f"{command} --on-chain")
        assert node.params_of("records.fetch")["on_chain"] is True


def test_a_refused_record_tells_what_the_patient_can_do(home: Home, screen: Screen) -> None:
    refused = CallFailed("refused", code="access-refused", next_step="Ask the patient.")
    with canned_node(home, ANSWERS | {"records.fetch": refused}):
        command = f"record fetch --custodian st-mary --subject {SUBJECT} --out {home.path}"
        assert screen.error(command)["next_step"] == "Ask the patient."


def test_a_bad_chain_ends_with_7(home: Home, screen: Screen) -> None:
    report = {
        "good": False, "height": 3, "blocks": 2, "events": 2, "certificates": 2,
        "state_entries": 0, "findings": ["block 3 is not signed"], "records": [],
        "lowest_height": 0,
    }  # fmt: skip
    with home.locked(), canned_node(home, {"chain.verify": report, "records.verify": report}):
        assert screen.run("chain verify") == 7
    assert "block 3 is not signed" in screen.out


@pytest.mark.parametrize("as_json", [True, False])
def test_the_log_of_a_stopped_node_is_read_from_its_file(
    home: Home, screen: Screen, as_json: bool
) -> None:
    home.logs.mkdir()
    lines = [
        f'{{"sequence":{number},"time":"2027-01-01T00:00:0{number}+00:00","level":"info",'
        f'"component":"swarm","event":"line {number}"}}'
        for number in range(5)
    ]
    home.log.write_text("\n".join([*lines, "half a li"]))
    assert screen.run(f"logs -n 2 --component swarm{' --json' if as_json else ''}") == 0
    assert len(screen.out.splitlines()) == 2
    assert "line 3" in screen.out
    assert screen.run("logs --component core") == 0
    assert screen.out == ""


def test_patients_keys_are_made_and_recovered(
    home: Home, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACET_PASSPHRASE", "correct horse")
    monkeypatch.setattr(save_keys, "__kwdefaults__", {"hardness": INTERACTIVE, "replace": False})
    first, second = home.path / "first.key", home.path / "second.key"
    phrase = screen.json(f"patient new {first}")["phrase"]
    assert screen.run(f"patient new {first}") == 1  # Keys are never overwritten.
    words = home.path / "words.txt"
    words.write_text(phrase.upper() + "\n")
    assert screen.run(f"patient recover {second} --phrase-file {words}") == 0
    with canned_node(home, ANSWERS):
        cards = [screen.json(f"patient card --key {file}") for file in (first, second)]
    assert cards[0] == cards[1]
    words.write_text(" ".join(phrase.split()[:-1]))
    assert screen.run(f"patient recover {home.path / 'x.key'} --phrase-file {words}") == 2


def test_a_patients_key_without_a_passphrase_is_refused(home: Home, screen: Screen) -> None:
    assert screen.run(f"patient new {home.path / 'new.key'}") == 2
    assert not (home.path / "new.key").exists()


def test_the_configuration_is_shown_with_its_origins(home: Home, screen: Screen) -> None:
    home.config.write_text('[node]\nname = "a"\nkind = "clinic"\n')
    found = {each["key"]: each for each in screen.json("config show --origin")}
    assert found["node.name"]["origin"] == "config.toml:2"
    assert found["log.level"] == {"key": "log.level", "value": "info", "origin": "default"}
    assert screen.run("config check") == 0
    home.config.write_text('[node]\nnmae = "a"\n')
    assert screen.run("config check") == 5
    assert "config.toml:2: `node.nmae`" in screen.err


def test_completion_and_version_print_something_useful(screen: Screen) -> None:
    assert screen.run("completion bash") == 0
    assert "_PLACET_COMPLETE" in screen.out
    assert screen.json("version")["protocol"] == 1
