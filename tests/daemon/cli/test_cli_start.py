"""A client command starts at once: it loads little, and none of the daemon's libraries."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.keys.keystore import new_patient_keys, save_keys
from daemon.storage.home import Home
from protocol.keys import subject_signing_key
from tests.daemon.cli.answers import ANSWERS, CONSENT, CONSENT_ENTRY, NETWORK, ST_MARY
from tests.daemon.cli.canned import canned_node

CPU_SECONDS_MAX = 0.150
TRIES = 5
"""The best of so many runs counts: other processes make some of them slower."""

FORBIDDEN = {
    "libp2p", "trio", "structlog", "cryptography", "plyvel", "plyvel_next", "matplotlib", "rich",
    "zeroconf", "asyncio", "mnemonic",
}  # fmt: skip

PROGRAM = """
import json, sys, time
from daemon.cli.main import run_command
code = run_command(sys.argv[1:])
sys.stderr.flush()
modules = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps({"code": code, "cpu": time.process_time(), "modules": modules}), file=sys.stderr)
"""

READING = [
    "status", "peer list", "member list", "member show lakeside", "logs", "events", "chain head",
    "consent list", "record list", "emergency list", "invite list",
]  # fmt: skip
SIGNING = [
    "consent grant --custodian st-mary --to lakeside",
    f"consent withdraw {CONSENT}",
    "patient card",
    "patient audit",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Yield a home behind which a canned node answers, and where a patient's key lies."""
    home = Home(tmp_path_factory.mktemp("home"))
    keys = new_patient_keys()
    save_keys(home.path / "patient.key", keys, None)
    with canned_node(home, _answers_for(keys.seed)):
        yield home


def _answers_for(seed: bytes) -> dict[str, Any]:
    """Let the consent on the chain be that patient's, so that a withdrawal is signed."""
    key = subject_signing_key(
        seed, network=bytes.fromhex(NETWORK), custodian=bytes.fromhex(ST_MARY)
    )
    entry = CONSENT_ENTRY | {"subject": key.public.hex()}
    return ANSWERS | {"consent.show": ANSWERS["consent.show"] | {"chain": entry}}


def run(arguments: list[str], home: Home) -> dict[str, Any]:
    environment = {
        "PATH": os.environ["PATH"],
        "PLACET_HOME": str(home.path),
        "PLACET_PATIENT_KEY": str(home.path / "patient.key"),
    }
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[3],
        timeout=20,
        check=True,
    )
    found: dict[str, Any] = json.loads(result.stderr.splitlines()[-1])
    assert found["code"] == 0, result.stderr
    return found


@pytest.mark.parametrize("command", ["--help", "consent --help", "version", *READING, *SIGNING])
def test_a_client_command_starts_at_once_and_loads_no_part_of_the_daemon(
    command: str, home: Home
) -> None:
    cpu = 1.0
    for _ in range(TRIES):
        found = run(command.split(), home)
        assert not FORBIDDEN & set(found["modules"])
        cpu = min(cpu, found["cpu"])
        if cpu <= CPU_SECONDS_MAX:
            return
    pytest.fail(f"{command} took {cpu:.3f} s of CPU at best")


@pytest.mark.parametrize("command", ["--help", "version", *READING])
def test_a_command_that_only_reads_does_not_load_the_protocol_either(
    command: str, home: Home
) -> None:
    assert not {"msgspec", "nacl"} & set(run(command.split(), home)["modules"])
