"""Each mistake of an operator gives one clear sentence and its exit code, and loses nothing."""

import os
from pathlib import Path

import pytest

from daemon.storage.home import Home
from tests.system.conftest import NewHome
from tests.system.nets import Done, Net, placet, wait_until

pytestmark = pytest.mark.system

FAILED, USAGE, NOT_RUNNING, CONFIG_INVALID, KEY_LOCKED, VERIFICATION_FAILED = 1, 2, 3, 5, 6, 7
TRY_AGAIN = 75


def invite(net: Net, valid: str = "1h") -> str:
    made = placet("invite", "create", "--valid", valid, "--home", net.first.home.path, "--json")
    return str(made.json["ticket"])


def join(home: Home, ticket: str) -> Done:
    listen = ["--listen", "/ip4/127.0.0.1/tcp/0", "--name", home.path.name, "--kind", "clinic"]
    where = ["--home", str(home.path), "--no-passphrase", "--yes", "--json"]
    return placet("join", ticket, *listen, *where, check=False, PLACET_NETWORK__MDNS="false")


def run(home: Home, **more: str) -> Done:
    """Run a daemon that is expected to end by itself."""
    return placet("run", "--home", home.path, "--json", check=False, **more)


def flip(path: Path, offset: int) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)


def test_a_ticket_that_was_cut_or_changed_is_told_from_a_good_one(
    shared_net: Net, new_home: NewHome
) -> None:
    ticket = invite(shared_net)
    changed = ticket[:30] + ("a" if ticket[30] != "a" else "b") + ticket[31:]
    for text, cause in (
        (ticket[:-20], "the end of the ticket is missing"),
        (changed, "the ticket was changed on its way: its checksum is wrong"),
        ("a-word", "a ticket starts with placet1"),
        (ticket[:20] + "!" + ticket[21:], "the ticket holds letters that no ticket has"),
    ):
        refused = join(home := new_home("clinic-a"), text)
        assert (refused.code, refused.error["cause"]) == (USAGE, cause)
        assert refused.error["code"] == "invalid-ticket"
        assert not home.path.exists(), "nothing is left behind"


def test_an_expired_a_used_and_a_revoked_ticket_open_nothing(
    shared_net: Net, new_home: NewHome
) -> None:
    authority = ["--home", str(shared_net.first.home.path), "--json"]
    short = invite(shared_net, "1s")
    used = invite(shared_net)
    known = {each["id"] for each in placet("invite", "list", *authority).json}
    revoked = invite(shared_net)
    newest = {each["id"] for each in placet("invite", "list", *authority).json} - known
    placet("invite", "revoke", newest.pop(), "--yes", *authority)
    assert join(new_home("clinic-a"), used).code == 0
    late = join(new_home("clinic-b"), revoked)
    assert late.code == FAILED
    assert (late.error["code"], late.error["next_step"][:9]) == ("not-admitted", "Ask the a")
    again = join(new_home("clinic-c"), used)
    assert (again.code, again.error["code"]) == (FAILED, "not-admitted")
    assert "used" in again.error["cause"]
    expired = join(new_home("clinic-d"), short)
    assert (expired.code, expired.error["code"]) == (USAGE, "ticket-expired")
    members = {each["name"] for each in placet("member", "list", *authority).json}
    assert "clinic-a" in members
    assert not members & {"clinic-b", "clinic-c", "clinic-d"}


def test_a_second_daemon_on_the_same_home_does_not_start(shared_net: Net) -> None:
    home = shared_net.first.home
    refused = run(home)
    assert (refused.code, refused.error["code"]) == (TRY_AGAIN, "home-locked")
    assert f"process {shared_net.first.pid}" in refused.error["cause"]
    assert "placet stop" in refused.error["next_step"]
    assert shared_net.first.status()["healthy"]


def test_a_port_that_is_in_use_is_named(shared_net: Net, new_home: NewHome) -> None:
    address = shared_net.first.status()["node"]["addresses"][0]
    member = shared_net["city-lab"]
    assert member.stop() == 0
    refused = placet("run", "--listen", address, "--home", member.home.path, "--json", check=False)
    member.start()
    assert (refused.code, refused.error["code"]) == (FAILED, "cannot-listen")
    assert refused.error["cause"] == f"Another program already listens on {address}."
    assert refused.error["next_step"]


def test_a_home_that_cannot_be_written_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    init = ["init", "--name", "a", "--kind", "clinic", "--no-passphrase", "--json"]
    refused = placet(*init, "--home", tmp_path / "file" / "home", check=False)
    assert (refused.code, refused.error["code"]) == (FAILED, "home-unusable")
    assert "file" in refused.error["cause"]
    if os.geteuid() != 0:  # The superuser may write anywhere.
        (tmp_path / "sealed").mkdir(mode=0o500)
        refused = placet(*init, "--home", tmp_path / "sealed" / "home", check=False)
        assert (refused.code, refused.error["code"]) == (FAILED, "home-unusable")


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ('name = "a', "config.toml:4: "),
        ('nam = "a"', "config.toml:4: `node.nam`"),
        ('name = "a"\nkind = "clinc"', "config.toml:5: `node.kind`"),
    ],
    ids=["syntax", "key", "value"],
)
def test_a_line_of_the_configuration_that_is_wrong_is_named(
    tmp_path: Path, line: str, cause: str
) -> None:
    home = Home(tmp_path / "home")
    init = ["init", "--name", "a", "--kind", "clinic", "--no-passphrase"]
    placet(*init, "--home", home.path)
    good = home.config.read_text()
    home.config.write_text(good.replace('name = "a"', line).replace('\nkind = "clinic"', "", 1))
    for refused in (
        run(home),
        placet("config", "check", "--home", home.path, "--json", check=False),
    ):
        assert (refused.code, refused.error["code"]) == (CONFIG_INVALID, "config-invalid")
        assert refused.error["cause"].startswith(cause), refused.error
        assert "placet config check" in refused.error["next_step"]


def test_a_wrong_passphrase_opens_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    init = ["init", "--name", "a", "--kind", "clinic", "--home", str(home.path)]
    placet(*init, PLACET_PASSPHRASE="correct horse")
    wrong = run(home, PLACET_PASSPHRASE="wrong horse")
    none = run(home)
    right = run(home, PLACET_PASSPHRASE="correct horse")
    assert (wrong.code, wrong.error["code"]) == (KEY_LOCKED, "wrong-passphrase")
    assert (none.code, none.error["code"]) == (KEY_LOCKED, "key-locked")
    assert right.error["code"] == "no-network", "the keys are open; there is no genesis yet"
    for refused in (wrong, none):
        assert "horse" not in refused.errors


def test_commands_without_a_running_node_say_so(tmp_path: Path) -> None:
    refused = placet("status", "--home", tmp_path, "--json", check=False)
    assert (refused.code, refused.error["code"]) == (NOT_RUNNING, "node-not-running")
    assert "placet" in refused.error["next_step"]


def test_a_changed_byte_in_the_store_is_found_and_the_chain_fetched_anew(shared_net: Net) -> None:
    member = shared_net["city-lab"]
    for _ in range(3):
        member.submit(shared_net.new_consent("city-lab"))
    height = shared_net.settle()
    assert member.stop() == 0
    log = max(member.home.chain.glob("*.log"), key=lambda path: path.stat().st_size)
    flip(log, log.stat().st_size // 2)
    refused = run(member.home)
    verified = placet("chain", "verify", "--home", member.home.path, "--json", check=False)
    assert (refused.code, refused.error["code"]) == (FAILED, "store-corrupt")
    assert "is damaged" in refused.error["cause"]
    assert "move its folder chain/ aside" in refused.error["next_step"]
    assert verified.code == VERIFICATION_FAILED
    assert log.name in verified.output
    member.home.chain.rename(member.home.path / "chain.damaged")
    member.start()
    shared_net.wait_for_height(height)
    shared_net.wait_until_healthy()


def test_an_authority_that_fetched_its_chain_anew_votes_again(shared_net: Net) -> None:
    authority, absent = (shared_net[name] for name in shared_net.authorities[1:3])
    for _ in range(3):
        authority.submit(shared_net.new_consent("city-lab"))
    height = shared_net.settle()
    assert authority.stop() == 0
    authority.home.chain.rename(authority.home.path / "chain.damaged")
    authority.start()
    shared_net.wait_for_height(height)
    assert absent.stop() == 0
    receipt = authority.submit(shared_net.new_consent("city-lab"))  # It takes all three.
    absent.start()
    assert receipt["height"] == height + 1
    shared_net.wait_until_healthy()


def test_an_authority_with_a_damaged_vote_log_observes_and_says_so(shared_net: Net) -> None:
    authority = shared_net[shared_net.authorities[1]]
    authority.submit(shared_net.new_consent("city-lab"))
    assert authority.stop() == 0
    log = authority.home.votes / "log"
    good = log.read_bytes()
    flip(log, len(good) // 2)
    damaged = log.read_bytes()
    authority.start()
    receipt = shared_net["city-lab"].submit(shared_net.new_consent("city-lab"))
    shared_net.wait_for_height(receipt["height"])
    status = authority.status()
    assert (status["doing"], status["healthy"]) == ("observing", False)
    assert "NOT VOTING" in authority.problems()["voting-stopped"]
    assert "damaged" in authority.problems()["voting-stopped"]
    assert authority.logged("vote-log-unusable")
    assert authority.stop() == 0
    assert log.read_bytes() == damaged, "it did not touch the log, and so did not vote"
    log.write_bytes(good)
    authority.start()
    wait_until(lambda: authority.status()["doing"] == "voting", "it votes again")
    shared_net.wait_until_healthy()
