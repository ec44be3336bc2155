"""Whoever is killed in the middle of something can do it again, and no trace is lost."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.conftest import NewHome
from tests.system.nets import Daemon, Done, Net, placet, running_net, wait_until
from tests.system.processes import ROOT, environment

pytestmark = pytest.mark.system

PASSPHRASE = "seventeen yellow submarines"
RECORD_SIZE = 32 * 1024 * 1024
LARGE_SIZE = 96 * 1024 * 1024
SLACK_SIZE = 4 * 1024 * 1024
"""What is written and not noted yet, and all that a node reads besides the record."""
ROUNDS = 2
ROUNDS_SOAK = 25
SEED = 7
FETCH_SECONDS = 1.5
"""About as long as a fetch takes, so that the kill comes at any moment of it."""


class Story:
    """A patient, a custodian with one large record, and a pharmacy that may read it."""

    def __init__(self, net: Net, folder: Path) -> None:
        self.net = net
        self.custodian, self.pharmacy = net["city-lab"], net["corner-pharmacy"]
        self.key = ["--key", str(folder / "patient.key"), "--json"]
        self.original = folder / "scan.dcm"
        self.original.write_bytes(random.Random(SEED).randbytes(RECORD_SIZE))
        self.do(None, "patient", "new", folder / "patient.key", "--json")
        self.do(self.custodian, "record", "add", self.original, *self.key)
        grant = ["--custodian", self.custodian.name, "--to", self.pharmacy.name, *self.key]
        self.do(self.custodian, "consent", "grant", *grant)

    def do(self, at: Daemon | None, *arguments: str | Path, check: bool = True) -> Done:
        home: list[str | Path] = [] if at is None else ["--home", at.home.path]
        return placet(*arguments, *home, check=check, PLACET_PASSPHRASE=PASSPHRASE)

    def fetch_arguments(self, out: Path) -> list[str]:
        out.mkdir()
        wanted = ["record", "fetch", "--custodian", self.custodian.name, *self.key]
        return [*wanted, "--out", str(out), "--home", str(self.pharmacy.home.path)]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("interruptions")
    with running_net(folder, authorities=1, members=2) as net:
        yield Story(net, folder)


@contextmanager
def under_way(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a command beside the test; it is gone afterwards."""
    with subprocess.Popen(
        [sys.executable, "-m", "daemon.cli.main", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment({"PLACET_PASSPHRASE": PASSPHRASE}),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def interrupt_fetches(story: Story, folder: Path, victim: Daemon, rounds: int) -> None:
    """Kill one side at some moment of a fetch, several times; then let one come to its end."""
    moments = random.Random(f"{SEED} {victim.name}")
    original = story.original.read_bytes()
    for number in range(rounds):
        out = folder / f"out-{number}"
        with under_way(*story.fetch_arguments(out)) as command:
            time.sleep(moments.uniform(0.2, FETCH_SECONDS))
            victim.kill()
            victim.start()
            output, errors = command.communicate()
        assert command.returncode == 0 or '"next_step"' in errors, (output, errors)
        left = [path.read_bytes() for path in out.iterdir() if not path.name.startswith(".")]
        assert left == ([original] if command.returncode == 0 else []), "all of it, or nothing"
        story.net.wait_until_healthy()
    placet(*story.fetch_arguments(folder / "again"), PLACET_PASSPHRASE=PASSPHRASE)
    assert [path.read_bytes() for path in (folder / "again").iterdir()] == [original]
    check_audit(story)


def check_audit(story: Story) -> None:
    """The patient sees every access that the chain has, whether its records arrived or not."""
    audits = story.do(story.pharmacy, "patient", "audit", *story.key).json
    [audit] = [each for each in audits if each["custodian_name"] == story.custodian.name]
    disclosed = story.net.first.call("events.tail", kind="disclosure", count=500)
    assert audit["complete"]
    assert [each["event"] for each in audit["accesses"]] == [each["id"] for each in disclosed]
    assert [each["counter"] for each in disclosed] == list(range(1, len(disclosed) + 1))
    assert audit["accesses"][-1]["purpose"] == "TREAT", "the custodian knows what for"


def test_a_fetch_can_be_repeated_after_the_custodian_was_killed(
    story: Story, tmp_path: Path
) -> None:
    interrupt_fetches(story, tmp_path, story.custodian, ROUNDS)


def test_a_fetch_can_be_repeated_after_the_requester_was_killed(
    story: Story, tmp_path: Path
) -> None:
    interrupt_fetches(story, tmp_path, story.pharmacy, ROUNDS)


def bytes_read(daemon: Daemon) -> int:
    """Return how many bytes a process has read so far, from files and sockets."""
    lines = Path(f"/proc/{daemon.pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("rchar:"))


def test_what_came_before_the_requester_was_killed_does_not_come_again(
    story: Story, tmp_path: Path
) -> None:
    scan = tmp_path / "large.dcm"
    scan.write_bytes(random.Random(SEED).randbytes(LARGE_SIZE))
    record = story.do(story.custodian, "record", "add", scan, *story.key).json["record"]
    out = tmp_path / "out"
    arguments = [*story.fetch_arguments(out), "--record", record]
    draft = out / f".{record}.part"
    with under_way(*arguments) as command:
        wait_until(lambda: draft.exists() and draft.stat().st_size >= LARGE_SIZE // 2, "half came")
        story.pharmacy.kill()
        command.communicate()
    assert [path.name for path in out.iterdir()] == [draft.name], "it was not whole yet"
    story.pharmacy.start()
    story.net.wait_until_healthy()
    before = bytes_read(story.custodian)
    [delivered] = placet(*arguments, PLACET_PASSPHRASE=PASSPHRASE).json
    read_again = bytes_read(story.custodian) - before
    [fetched] = delivered["records"]
    assert [path.read_bytes() for path in out.iterdir()] == [scan.read_bytes()]
    assert fetched["reused_length"] >= LARGE_SIZE // 2 - SLACK_SIZE
    assert read_again <= LARGE_SIZE - fetched["reused_length"] + SLACK_SIZE
    assert list((story.pharmacy.home.path / "drafts").iterdir()) == []
    check_audit(story)


@pytest.mark.soak
def test_fetches_survive_many_kills(story: Story, tmp_path: Path) -> None:
    for daemon in (story.custodian, story.pharmacy):
        (tmp_path / daemon.name).mkdir()
        interrupt_fetches(story, tmp_path / daemon.name, daemon, ROUNDS_SOAK)


def test_a_node_that_is_killed_while_it_joins_goes_on_when_it_is_started(
    story: Story, new_home: NewHome
) -> None:
    sponsor, home = story.net.first, new_home("newcomer")
    ticket = placet("invite", "create", "--home", sponsor.home.path, "--json").json["ticket"]
    sponsor.pause()
    arguments = ["--name", "newcomer", "--kind", "clinic", "--listen", "/ip4/127.0.0.1/tcp/0"]
    where = ["--home", str(home.path), "--no-passphrase", "--yes", "--json"]
    with under_way("join", ticket, *arguments, *where):
        wait_until(home.ticket.exists, "the ticket is in the home")
        pid = wait_until(home.running_pid, "the newcomer runs")
        subprocess.run(["kill", "-9", str(pid)], check=True)
    sponsor.resume()
    assert not home.genesis.exists()
    placet("start", "--home", home.path, "--json")

    def is_member() -> bool:
        status = placet("status", "--home", home.path, "--json", check=False)
        return status.code == 0 and status.json["node"]["member"]

    wait_until(is_member, "it is a member")
    assert home.genesis.exists()
