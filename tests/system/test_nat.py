"""Two members behind NAT exchange a record through a relay: real daemons, namespaces and TCP."""

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simulations.local.daemons import Daemon, Daemons, made_daemons
from simulations.local.namespaces import namespaces, why_not
from simulations.scenario.load import read_scenario
from tests.system.nat import NatSwitch
from tests.system.nets import Done, placet, wait_until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(why_not() is not None, reason=f"no namespaces: {why_not()}"),
]

SCENARIO = """
name = "nat"
question = "Do two members behind NAT reach each other?"
mode = "local"
[network]
authorities = 2
members = 2
"""
RELAYS = ["authority-0", "authority-1"]
CUSTODIAN, READER = "member-0", "member-1"
SIZE = 3 * 1024 * 1024


@dataclass
class Town:
    daemons: Daemons
    switch: NatSwitch
    folder: Path

    def __getitem__(self, name: str) -> Daemon:
        return self.daemons[name]

    def do(self, at: str, *arguments: str | Path) -> Done:
        return placet(*arguments, "--home", self[at].home.path, "--json", PLACET_PASSPHRASE="x y z")

    def peer(self, at: str, name: str) -> dict[str, Any]:
        peers = self[at].answer("peers.list") or []
        return next((each for each in peers if each["name"] == name), {})


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("nat")
    scenario = read_scenario(SCENARIO)
    now = time.time_ns() // 1_000_000
    with (
        namespaces(4) as networks,
        NatSwitch([each.device for each in networks], hidden=[2, 3]) as switch,
        made_daemons(scenario, folder, networks, now) as daemons,
    ):
        for name in (CUSTODIAN, READER):
            config = daemons[name].home.config
            config.write_text(
                config.read_text().replace("[network]", "[network]\nbehind_nat = true")
            )
        daemons.start()
        yield Town(daemons, switch, folder)


def is_linked(town: Town, one: str, other: str) -> bool:
    peer = town.peer(one, other)
    return bool(peer) and peer["connected"] and peer["failure"] is None


def relays_of(town: Town, name: str) -> list[str]:
    status = town[name].answer("status")
    return sorted(status["nat"]["relays"]) if status else []


def test_two_members_behind_nat_exchange_a_record_through_a_relay(town: Town) -> None:
    wait_until(lambda: is_linked(town, CUSTODIAN, READER), "they are linked", 60)
    wait_until(lambda: is_linked(town, READER, CUSTODIAN), "both see the link")
    for one in (CUSTODIAN, READER):
        wait_until(lambda: relays_of(town, one) == RELAYS, f"{one} has two relays")  # noqa: B023
    key: list[str | Path] = ["--key", town.folder / "patient.key"]
    placet("patient", "new", town.folder / "patient.key", "--json", PLACET_PASSPHRASE="x y z")
    town.do(CUSTODIAN, "consent", "grant", "--custodian", CUSTODIAN, "--to", READER, *key)
    scan = town.folder / "scan.dcm"
    scan.write_bytes(bytes(range(256)) * (SIZE // 256))
    record = town.do(CUSTODIAN, "record", "add", scan, *key).json["record"]
    out = town.folder / "out"
    out.mkdir()
    before = sum(town.switch.bytes_sent[:2])
    wanted: list[str | Path] = ["--custodian", CUSTODIAN, "--record", record, *key]
    town.do(READER, "record", "fetch", *wanted, "--out", out)
    assert [path.read_bytes() for path in out.iterdir()] == [scan.read_bytes()]
    assert sum(town.switch.bytes_sent[:2]) - before > SIZE, "it went through a relay"
    for one, other in ((CUSTODIAN, READER), (READER, CUSTODIAN)):
        assert town.peer(one, other)["address"].endswith("/p2p-circuit")
        assert town.peer(one, other)["relay"] in RELAYS
        assert [town.peer(one, each)["relay"] for each in RELAYS] == [None, None]
        found = town.do(one, "status").json["nat"]
        assert (found["behind_nat"], found["relayed"]) == (True, [other])
    for each in RELAYS:
        relays_for = town.do(each, "status").json["nat"]["relays_for"]
        assert sorted(relays_for) == [CUSTODIAN, READER]
    told = placet("status", "--home", town[READER].home.path).output
    assert "behind NAT, reached through authority-" in told
    assert f"{CUSTODIAN}, through a relay" in told


def test_nobody_dials_whoever_is_behind_nat(town: Town) -> None:
    """Else the other test would show nothing."""
    wait_until(lambda: is_linked(town, CUSTODIAN, READER), "they are linked", 60)
    assert town.switch.refused > 0


def test_when_the_relay_is_lost_the_other_leads_there(town: Town) -> None:
    wait_until(lambda: is_linked(town, CUSTODIAN, READER), "they are linked", 60)
    lost = town.peer(CUSTODIAN, READER)["relay"]
    [other] = [each for each in RELAYS if each != lost]
    town[lost].stop(signal.SIGKILL)

    def is_linked_anew() -> bool:
        return is_linked(town, CUSTODIAN, READER) and town.peer(CUSTODIAN, READER)["relay"] == other

    wait_until(is_linked_anew, "they are linked through the other relay", 90)
