"""Records that are empty, huge, damaged or too large for the disk, through commands."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.storage.home import Home
from protocol.codec import commit, encode
from tests.system.disks import small_disk
from tests.system.nets import Daemon, Done, Net, placet, running_net

pytestmark = pytest.mark.system

PASSPHRASE = "seventeen yellow submarines"

USAGE, VERIFICATION_FAILED, TRY_AGAIN = 2, 7, 75

MEBIBYTE = 1024 * 1024
CHUNKED_SIZE = 3 * MEBIBYTE
HUGE_SIZE = 1024 * MEBIBYTE
RESIDENT_GROWTH_MAX = 150 * MEBIBYTE
DISK_MEBIBYTES = 12


class Patient:
    """Somebody whose hospital is the custodian, and who lets a laboratory read everything."""

    def __init__(self, net: Net, folder: Path) -> None:
        self.folder, self.net = folder, net
        self.hospital, self.laboratory = net.first, net["city-lab"]
        self.key = ["--key", str(folder / "patient.key"), "--json"]
        self.do(None, "patient", "new", folder / "patient.key", "--json")
        grant = ["--custodian", self.hospital.name, "--to", self.laboratory.name, *self.key]
        self.do(self.hospital, "consent", "grant", *grant)

    def do(self, at: Daemon | None, *arguments: str | Path, check: bool = True) -> Done:
        home: list[str | Path] = [] if at is None else ["--home", at.home.path]
        return placet(*arguments, *home, check=check, PLACET_PASSPHRASE=PASSPHRASE)

    def add(self, path: Path, *, check: bool = True) -> Done:
        return self.do(self.hospital, "record", "add", path, *self.key, check=check)

    def fetch(self, record: str, out: Path, *options: str, check: bool = True) -> Done:
        out.mkdir(exist_ok=True)
        wanted = ["--custodian", self.hospital.name, "--record", record, *self.key, *options]
        return self.do(self.laboratory, "record", "fetch", *wanted, "--out", out, check=check)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    folder = tmp_path_factory.mktemp("records")
    with running_net(folder, authorities=1, members=1) as net:
        yield Patient(net, folder)


def sparse(path: Path, size: int) -> Path:
    """Make a file that takes no room, with something at its end."""
    with path.open("wb") as file:
        file.seek(max(0, size - 1))
        file.write(b"\x01"[:size])
    return path


def resident(daemon: Daemon) -> int:
    """Return the largest amount of memory that the process has ever occupied, in bytes."""
    lines = Path(f"/proc/{daemon.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def test_a_record_of_no_bytes_is_a_record(patient: Patient, tmp_path: Path) -> None:
    added = patient.add(sparse(tmp_path / "empty.txt", 0)).json
    assert added["length"] == 0
    patient.fetch(added["record"], tmp_path / "out")
    assert [path.read_bytes() for path in (tmp_path / "out").iterdir()] == [b""]


def test_a_damaged_chunk_is_noticed_by_both_sides(patient: Patient, tmp_path: Path) -> None:
    record = patient.add(sparse(tmp_path / "image.dcm", CHUNKED_SIZE)).json["record"]
    [chunks] = (patient.hospital.home.vault / "records" / record).glob("chunks*")
    data = bytearray(chunks.read_bytes())
    data[len(data) // 2] ^= 1
    chunks.write_bytes(data)
    refused = patient.fetch(record, tmp_path / "out", check=False)
    verified = patient.do(patient.hospital, "record", "verify", "--json", check=False)
    assert (refused.code, refused.error["code"]) == (VERIFICATION_FAILED, "custodian-at-fault")
    assert "does not open: its bytes changed" in refused.error["cause"]
    assert "Tell the custodian" in refused.error["next_step"]
    assert list((tmp_path / "out").iterdir()) == [], "nothing is left that looks like a record"
    assert verified.code == VERIFICATION_FAILED
    assert record[:8] in verified.output
    data[len(data) // 2] ^= 1
    chunks.write_bytes(data)
    patient.fetch(record, tmp_path / "out")
    assert [path.stat().st_size for path in (tmp_path / "out").iterdir()] == [CHUNKED_SIZE]


def test_a_record_that_is_not_there_or_not_a_file_is_named(
    patient: Patient, tmp_path: Path
) -> None:
    for path in (tmp_path / "missing.txt", tmp_path):
        refused = patient.add(path, check=False)
        assert refused.code == USAGE
        assert str(path) in refused.error["cause"]


def test_a_record_that_does_not_fit_on_the_disk_leaves_nothing(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", mebibytes=DISK_MEBIBYTES) as disk,
        running_net(tmp_path, authorities=1, members=1) as net,
    ):
        small = net["city-lab"]
        small.stop()
        small.home = Home(Path(shutil.copytree(small.home.path, disk / "home")))
        small.start()
        (tmp_path / "patient").mkdir()
        patient = Patient(net, tmp_path / "patient")
        patient.hospital = small
        large = sparse(tmp_path / "large.dcm", 2 * DISK_MEBIBYTES * MEBIBYTE)
        refused = patient.add(large, check=False)
        assert (refused.code, refused.error["code"]) == (TRY_AGAIN, "disk-full")
        assert refused.error["next_step"]
        assert patient.do(small, "record", "list", "--json").json == []
        assert list((small.home.vault / "incoming").iterdir()) == []
        little = patient.add(sparse(tmp_path / "little.txt", 100)).json
        assert json.loads(patient.do(small, "record", "list", "--json").output)
        assert little["length"] == 100
        assert small.status()["healthy"]


def test_what_is_erased_cannot_be_fetched_and_the_chain_says_so(
    patient: Patient, tmp_path: Path
) -> None:
    erased = Patient(patient.net, tmp_path)
    record = erased.add(sparse(tmp_path / "letter.txt", 100)).json["record"]
    erased.fetch(record, tmp_path / "before")
    erase = ("record", "erase", "--yes", *erased.key)
    found = erased.do(erased.hospital, *erase).json
    assert found["records"] == [record]

    assert not (erased.hospital.home.vault / "records" / record).exists()
    assert erased.fetch(record, tmp_path / "after", check=False).error["code"] == "access-refused"
    again = erased.do(erased.hospital, *erase, check=False)
    assert again.error["code"] == "nothing-to-erase"
    assert erased.do(erased.hospital, "record", "verify", "--json").json["good"]
    erased.net.settle()
    event = erased.do(erased.laboratory, "events", "--kind", "erased", "--json").json
    assert (event["id"], event["height"]) == (found["event"], found["height"])
    opened = encode((bytes.fromhex(found["subject"]), (bytes.fromhex(record),)))
    assert commit("erased", bytes.fromhex(found["salt"]), opened).hex() == event["what"]


def test_the_silence_of_a_custodian_is_on_the_chain_until_it_answers(tmp_path: Path) -> None:
    with running_net(tmp_path, authorities=1, members=2) as net:
        patient = Patient(net, tmp_path)
        patient.hospital = custodian = net["corner-pharmacy"]
        grant = ["--custodian", custodian.name, "--to", "city-lab", *patient.key]
        patient.do(custodian, "consent", "grant", *grant)
        record = patient.add(sparse(tmp_path / "letter.txt", 100)).json["record"]
        net.settle()
        custodian.kill()
        silent = patient.fetch(record, tmp_path / "out", "--on-chain", check=False)
        assert (silent.code, silent.error["code"]) == (TRY_AGAIN, "custodian-silent")
        assert counts_of(patient, custodian) == (1, 0)
        custodian.start()
        patient.fetch(record, tmp_path / "out", "--on-chain")
        assert counts_of(patient, custodian) == (2, 1)
        assert len(list((tmp_path / "out").glob("request-*.json"))) == 2


def counts_of(patient: Patient, custodian: Daemon) -> tuple[int, int]:
    """Return how often the custodian was asked on the chain, and how often that led to anything."""
    name = ("member", "show", custodian.name, "--json")
    found = patient.do(patient.laboratory, *name).json
    return found["asked_count"], found["answered_count"]


def listed(patient: Patient) -> list[list[dict[str, object]]]:
    """Return what the custodian knows of records and consents."""
    kinds = ("record", "consent")
    return [patient.do(patient.hospital, kind, "list", "--json").json for kind in kinds]


def test_a_custodian_that_fetched_its_chain_anew_still_has_all_it_kept(tmp_path: Path) -> None:
    """What to do about a damaged store says: move chain/ aside. The rest is in other places."""
    with running_net(tmp_path, authorities=1, members=2) as net:
        patient = Patient(net, tmp_path)
        patient.hospital = custodian = net["corner-pharmacy"]
        grant = ["--custodian", custodian.name, "--to", "city-lab", *patient.key]
        patient.do(custodian, "consent", "grant", *grant)
        record = patient.add(sparse(tmp_path / "letter.txt", 100)).json["record"]
        patient.fetch(record, tmp_path / "before")
        kept = [
            patient.do(custodian, what, "list", "--json").json for what in ("record", "consent")
        ]
        custodian.stop()
        custodian.home.chain.rename(custodian.home.path / "chain.damaged")
        custodian.start()
        net.settle()
        again = [
            patient.do(custodian, what, "list", "--json").json for what in ("record", "consent")
        ]
        assert again == kept
        patient.fetch(record, tmp_path / "after")
        [audit] = [
            each
            for each in patient.do(custodian, "patient", "audit", *patient.key).json
            if each["custodian_name"] == custodian.name
        ]
        assert audit["complete"]
        assert [each["records"] for each in audit["accesses"]] == [[record]] * 2


@pytest.mark.soak
def test_a_record_of_one_gibibyte_needs_no_memory_to_speak_of(
    patient: Patient, tmp_path: Path
) -> None:
    before = {each: resident(each) for each in (patient.hospital, patient.laboratory)}
    record = patient.add(sparse(tmp_path / "scan.dcm", HUGE_SIZE)).json["record"]
    patient.fetch(record, tmp_path / "out")
    assert [path.stat().st_size for path in (tmp_path / "out").iterdir()] == [HUGE_SIZE]
    for daemon, size in before.items():
        assert resident(daemon) - size < RESIDENT_GROWTH_MAX
