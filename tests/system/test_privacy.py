"""Nothing about a patient is in what a node writes: not in its log, nor readable in any file."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.storage.home import Home
from tests.system.nets import Net, placet, running_net

pytestmark = pytest.mark.system

NAME = "Ida Quillfeather"
NUMBER = "756.9217.0769.85"
ROLE = "Nurse Bellweather"
TITLE = f"Blood count of {NAME}"
CONTENT = f"{NAME}, {NUMBER}: haemoglobin 13.1 g/dl, and nothing else that matters here"
JUSTIFICATION = f"{NAME} was found unconscious at the station"
CANARIES = (NAME, NUMBER, ROLE, "Quillfeather", "haemoglobin 13.1", "unconscious at the station")


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    """Run a hospital that decides alone, and a laboratory; everything has happened there once."""
    folder = tmp_path_factory.mktemp("privacy")
    with running_net(folder, authorities=1, members=1) as net:
        live_through_everything(net, folder)
        yield net


def live_through_everything(net: Net, folder: Path) -> None:
    hospital, laboratory = (net[name].home.path for name in ("st-mary", "city-lab"))
    key, out = folder / "patient.key", folder / "out"
    out.mkdir()
    (folder / "record.txt").write_text(CONTENT)
    (folder / "passphrase").write_text("correct horse")
    secret = ("--passphrase-file", folder / "passphrase")
    patient = ("--key", key, *secret, "--home", hospital)
    placet("patient", "new", key, *secret)
    card = placet("patient", "card", "--custodian", "st-mary", "--json", *patient).json
    subject = card["subjects"][0]["subject"]
    (folder / "subject").write_text(subject)
    placet(
        "record", "add", folder / "record.txt", "--subject", subject, "--title", TITLE,
        "--author", ROLE, "--category", "laboratory", "--home", hospital,
    )  # fmt: skip
    fetch = (
        "--custodian", "st-mary", "--subject", subject, "--out", out, "--role", ROLE,
        "--home", laboratory,
    )  # fmt: skip
    assert placet("record", "fetch", *fetch, check=False).code == 1
    given = placet(
        "consent", "grant", "--custodian", "st-mary", "--to", "city-lab", "--json", *patient,
    )  # fmt: skip
    placet("record", "fetch", "--keep", *fetch)
    placet("consent", "withdraw", given.json["consent"], *patient)
    assert placet("record", "fetch", *fetch, check=False).code == 1
    placet("emergency", "open", "--justification", JUSTIFICATION, "--yes", *fetch)
    placet("patient", "audit", "--key", key, "--home", laboratory, *secret)
    assert placet("record", "show", "00" * 16, "--home", hospital, check=False).code == 1


def forms(text: str) -> Iterator[bytes]:
    """Yield a text in the forms in which it might slip through."""
    raw = text.encode()
    yield from (raw, raw.upper(), raw.lower(), raw.hex().encode(), text.encode("utf-16-le"))
    yield from (hashlib.sha256(raw).digest(), hashlib.sha256(raw).hexdigest().encode())
    for skipped in range(3):  # base64 depends on where in the stream the text begins.
        encoded = base64.b64encode(raw[skipped:])
        yield encoded[: len(encoded) // 4 * 4 - 4]


def test_no_file_of_a_node_can_be_read_for_a_patients_data(net: Net) -> None:
    for daemon in net.daemons.values():
        files = [path for path in daemon.home.path.rglob("*") if path.is_file()]
        assert len(files) > 10
        for path in files:
            data = path.read_bytes()
            for canary in CANARIES:
                assert not forms_in(data, canary), f"{path}: {canary}"


def test_what_we_look_for_is_found_where_it_may_be(net: Net) -> None:
    [record, *_] = (net.folder.parent / "out").iterdir()
    data = record.read_bytes() + base64.b64encode(b"x" + NUMBER.encode())
    assert all(any(form in data for form in forms(text)) for text in (NAME, NUMBER))
    assert forms_in(base64.b64encode(b"xy" + NUMBER.encode()), NUMBER)


def forms_in(data: bytes, text: str) -> bool:
    return any(form in data for form in forms(text))


def test_the_log_never_names_a_subject(net: Net) -> None:
    subject = (net.folder.parent / "subject").read_text()
    for daemon in net.daemons.values():
        for path in written_by(daemon.home):
            text = path.read_text()
            assert subject[:8] not in text, path
            assert base64.b64encode(bytes.fromhex(subject))[:12].decode() not in text, path


def written_by(home: Home) -> list[Path]:
    found = [path for path in home.logs.iterdir() if path.is_file()]
    found.append(home.path.parent.parent / f"{home.path.name}.out")
    assert home.log.stat().st_size > 500
    return found
