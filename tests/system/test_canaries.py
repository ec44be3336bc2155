"""Nothing that the system emits tells anything about a patient, however it is spelled.

A patient with a rare name lives through what the network does; then all logs (at their most
talkative), answers, chains and vote logs are searched for that name, for the number, and for all
that was written about the patient, in many spellings and hashes.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.storage.layout import TABLE
from daemon.storage.store import ChainStore
from tests.system.canaries import find, read_files, spellings
from tests.system.nets import Net, made_net, placet

pytestmark = pytest.mark.system

WORDS = {
    "name": "Quirinia Zylbersztajn",
    "number": "756.4711.0769.85",
    "birthday": "1937-03-28",
    "address": "Walnut Mews 4711",
    "finding": "Xeroderma pigmentosum",
    "title": "Dermatology letter Q7",
    "author": "Dr. Ottokar Wrzesniewski",
    "category": "dermatology-q7",
    "sensitivity": "ZXHIV7",
    "justification": "Collapsed in front of the bakery at Walnut Mews",
    "role": "Nurse Bartholomew",
    "file": "letter-of-zylbersztajn",
}
PASSPHRASE = "seventeen yellow submarines"
LETTER = "{name}, born {birthday}, {number}, {address}: {finding}.\n"

EMITTED_SIZE_MIN = 100_000
"""Bytes: less would mean that we look at the wrong things."""


class Story:
    """What happens to one patient, through commands."""

    def __init__(self, net: Net, folder: Path) -> None:
        self.net = net
        self.folder = folder
        self.patient = ["--key", str(folder / "patient.key"), "--json"]
        self.errors: list[str] = []

    def do(self, *arguments: str, at: str = "", check: bool = True) -> str:
        home = ["--home", str(self.net[at].home.path)] if at else []
        done = placet(*arguments, *home, check=check, PLACET_PASSPHRASE=PASSPHRASE)
        self.errors.append(done.errors)
        return done.output

    def run(self) -> None:
        """Add, ask in vain, consent, fetch, withdraw, break the glass, and look who did."""
        custodian, clinic, pharmacy = self.net.daemons
        letter = self.folder / f"{WORDS['file']}.txt"
        letter.write_text(LETTER.format(**WORDS))
        labels = ["--category", WORDS["category"], "--sensitivity", WORDS["sensitivity"]]
        labels += ["--title", WORDS["title"], "--author", WORDS["author"]]
        fetch = ["--custodian", custodian, "--role", WORDS["role"], *self.patient]
        self.do("patient", "new", str(self.folder / "patient.key"), "--json")
        self.do("record", "add", str(letter), *labels, *self.patient, at=custodian)
        self.do("record", "fetch", *fetch, "--out", str(self.folder), at=clinic, check=False)
        grant = ["--custodian", custodian, "--to", clinic, "--category", WORDS["category"]]
        given = json.loads(self.do("consent", "grant", *grant, *self.patient, at=clinic))
        self.do("record", "fetch", *fetch, "--out", self.new_folder("fetched"), at=clinic)
        self.do("consent", "withdraw", given["consent"], *self.patient, at=clinic)
        why = ["--justification", WORDS["justification"], "--yes"]
        out = ["--out", self.new_folder("opened")]
        self.do("emergency", "open", *fetch, *why, *out, at=pharmacy)
        self.do("patient", "audit", *self.patient, at=pharmacy)
        for folder in ("fetched", "opened"):
            [copy] = (self.folder / folder).iterdir()
            assert copy.read_bytes() == letter.read_bytes()

    def new_folder(self, name: str) -> str:
        (self.folder / name).mkdir()
        return str(self.folder / name)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("canaries")
    with made_net(folder, authorities=1, members=2) as net:
        for daemon in net.daemons.values():
            daemon.environment = {"PLACET_LOG__LEVEL": "debug"}
        net.start()
        story = Story(net, folder)
        story.run()
        yield story


def emitted(story: Story) -> dict[str, bytes]:
    """Return all that leaves a node but to those who may know, and all of the chain."""
    found = {"errors of commands": "\n".join(story.errors).encode()}
    for name, daemon in story.net.daemons.items():
        for method in ("status", "network", "peers.list", "members.list", "chain.head"):
            found[f"{name} {method}"] = json.dumps(daemon.call(method)).encode()
        for method in ("events.tail", "logs.tail", "emergency.list", "invites.list"):
            found[f"{name} {method}"] = json.dumps(daemon.call(method, count=500)).encode()
    story.net.stop()
    for name, daemon in story.net.daemons.items():
        found[f"{name} output"] = daemon.output.read_bytes()
        for folder, pattern in ((daemon.home.logs, "*.log*"), (daemon.home.votes, "log")):
            found |= {f"{name} {path}": data for path, data in read_files(folder, pattern)}
        with ChainStore.open(daemon.home.chain, daemon.network) as store:
            chain = [key + value for key, value in store.entries() if not key.startswith(TABLE)]
        found[f"{name} chain"] = b"\n".join(chain)
    return found


def test_nothing_that_is_emitted_tells_about_a_patient(story: Story) -> None:
    card = json.loads(story.do("patient", "card", *story.patient, at=next(iter(story.net.daemons))))
    subjects = [each["subject"] for each in card["subjects"]]
    everything = emitted(story)
    assert sum(map(len, everything.values())) > EMITTED_SIZE_MIN
    assert find({**WORDS, "passphrase": PASSPHRASE}, everything) == []
    logs = {name: text for name, text in everything.items() if "log" in name}
    assert len(logs) >= 2 * len(story.net.daemons) == 2 * len(subjects)
    assert any(b'"debug"' in text for text in logs.values()), "they are at their most talkative"
    assert find({each[:8]: each for each in subjects}, logs) == []
    shortened = [each[:8].encode() for each in subjects]
    assert [name for name, text in logs.items() if any(each in text for each in shortened)] == []


def test_what_lies_in_the_homes_cannot_be_read_without_the_keys(story: Story) -> None:
    for daemon in story.net.daemons.values():
        stored = dict(read_files(daemon.home.path, "*"))
        assert len(stored) > 10
        assert find(WORDS, stored) == []


def test_a_word_that_is_emitted_is_found_in_each_spelling() -> None:
    for spelling, data in spellings(WORDS["name"]).items():
        assert find({"name": WORDS["name"]}, {"log": b"x" + data + b"y"}), spelling
    assert find({"name": WORDS["name"]}, {"log": b"another text"}) == []
