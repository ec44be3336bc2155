"""The nine steps of the demonstration, in their order.

Each step is a function of the stage. It says what happens in words that a clinic manager
understands, does it with the `placet` command, and checks every claim that it makes.
"""

import hashlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from daemon.demo.checks import check_chain, check_damage
from daemon.demo.dishonest import disclose_without_consent
from daemon.demo.outage import survive_a_killed_authority
from daemon.demo.stage import Done, Stage
from daemon.errors import Exit

HOSPITAL, OTHER_HOSPITAL, CLINIC, OFFICE = "st-mary", "lakeside", "northgate", "health-office"
LABORATORY, PHARMACY = "city-lab", "corner-pharmacy"
AUTHORITIES = (HOSPITAL, OTHER_HOSPITAL, CLINIC, OFFICE)

SAMPLES = Path(__file__).parent / "samples"
RECORDS = (("summary.json", "application/fhir+json", "summary"), ("scan.dcm", "", "imaging"))
JUSTIFICATION = "Patient unconscious at the counter, current medication unknown"

Step = Callable[[Stage], None]


def found_the_network(stage: Stage) -> None:
    """Four authorities start; a laboratory and a pharmacy join with a ticket each."""
    names = f"{HOSPITAL}:hospital,{OTHER_HOSPITAL}:hospital,{CLINIC}:clinic,{OFFICE}:public-health"
    made = stage.placet("net", "create", stage.folder, "--members", "0", "--names", names)
    stage.check(
        len(made.value["nodes"]) == 4,
        "Two hospitals, a clinic and a public-health office agree on a genesis: who they are, "
        "and that patients opt in.",
        made.seconds,
    )
    up = stage.placet("net", "up", stage.folder)
    stage.check(
        all(stage.is_healthy(name) for name in AUTHORITIES),
        "Their four daemons run, each a process with its own folder, and find each other.",
        up.seconds,
    )
    for name, kind, sponsor in (
        (LABORATORY, "laboratory", HOSPITAL),
        (PHARMACY, "pharmacy", OTHER_HOSPITAL),
    ):
        ticket = stage.placet("invite", "create", home=sponsor).value["ticket"]
        joined = stage.placet(
            *("join", ticket, "--name", name, "--kind", kind, "--no-passphrase", "--yes"),
            *("--listen", "/ip4/127.0.0.1/tcp/0"),
            home=name,
        )
        members = stage.placet("member", "list", home=name).value
        stage.check(
            name in {member["name"] for member in members},
            f"The {kind} {name} joins with a ticket of {sponsor}: one command.",
            joined.seconds,
        )


def register_the_patient(stage: Stage) -> None:
    """A patient gets a key; the hospital seals two records of that patient."""
    key = stage.folder / "patient.key"
    stage.facts["key"] = key
    made = stage.placet("patient", "new", key)
    words = made.value["phrase"].split()
    stage.check(
        len(words) == 24 and _holds_none(key.read_text(), words),
        "The patient gets a key of their own: a file locked with a passphrase, and 24 words "
        "on paper that bring it back.",
        made.seconds,
    )
    card = stage.placet("patient", "card", "--key", key, home=HOSPITAL).value["subjects"]
    subjects = {entry["custodian_name"]: entry["subject"] for entry in card}
    stage.facts["subject"] = subjects[HOSPITAL]
    stage.check(
        len(set(subjects.values())) == len(subjects) == 6,
        "Towards each organisation the patient has another pseudonym: nobody can link them.",
    )
    stage.facts["records"] = {}
    for name, mime_type, category in RECORDS:
        kind = ("--type", mime_type) if mime_type else ()
        added = stage.placet(
            *("record", "add", SAMPLES / name, "--subject", subjects[HOSPITAL]),
            *("--category", category, *kind),
            home=HOSPITAL,
        )
        stage.facts["records"][added.value["record"]] = _sha256(SAMPLES / name)
        size = added.value["length"] // 1024
        stage.check(
            added.value["height"] > 0,
            f"{HOSPITAL} seals a record ({category}, {size} KiB) and commits to it on the chain.",
            added.seconds,
        )


def ask_without_consent(stage: Stage) -> None:
    """The clinic is refused, and learns nothing from it."""
    known = _fetch(stage, CLINIC, code=Exit.FAILED)
    refusal = known.value["error"]
    stage.check(
        refusal["code"] == "access-refused",
        f"{CLINIC} asks for the patient's records without consent: refused.",
        known.seconds,
    )
    unknown = _fetch(stage, CLINIC, subject="ab" * 32, code=Exit.FAILED)
    stage.check(
        unknown.value["error"] == refusal,
        "It asks about a patient who does not exist: the same words. A refusal does not tell "
        "whether there is anything.",
        unknown.seconds,
    )


def grant_and_fetch(stage: Stage) -> None:
    """The patient consents; the clinic fetches, and the bytes are identical."""
    granted = stage.placet(
        *("consent", "grant", "--key", stage.facts["key"], "--custodian", HOSPITAL),
        *("--to", CLINIC, "--purpose", "treat", "--category", "summary"),
        *("--category", "imaging", "--days", "30"),
        home=HOSPITAL,
    )
    stage.facts["consent"] = granted.value["consent"]
    stage.check(
        granted.value["height"] > 0,
        f"The patient lets {CLINIC} read summaries and images, for treatment, for 30 days. It "
        f"is final in block {granted.value['height']}.",
        granted.seconds,
    )
    fetched = _fetch(stage, CLINIC)
    [delivery] = fetched.value
    got = {each["record"]: _sha256(Path(each["path"])) for each in delivery["records"]}
    stage.check(
        got == stage.facts["records"],
        f"{CLINIC} fetches both records; every byte is as {HOSPITAL} sealed it.",
        fetched.seconds,
    )
    access = _accesses(stage)[-1]
    stage.check(
        access["event"] == delivery["disclosure"] and access["counter"] == 1,
        f"The access was on the chain before the key left {HOSPITAL}: disclosure 1, final in "
        f"block {access['height']}.",
    )


def withdraw(stage: Stage) -> None:
    """The patient withdraws; nobody gets around it, not even a dishonest custodian."""
    consent = stage.facts["consent"]
    withdrawn = stage.placet(
        "consent", "withdraw", consent, "--key", stage.facts["key"], home=OTHER_HOSPITAL
    )
    stage.check(
        withdrawn.value["height"] > 0,
        f"The patient withdraws, at {OTHER_HOSPITAL} this time. No organisation has to agree.",
        withdrawn.seconds,
    )
    refused = _fetch(stage, CLINIC, code=Exit.FAILED)
    stage.check(
        refused.value["error"]["code"] == "access-refused",
        f"{CLINIC} asks again: refused.",
        refused.seconds,
    )
    answers = disclose_without_consent(
        stage,
        custodian=HOSPITAL,
        requester=CLINIC,
        consent=consent,
        through=AUTHORITIES,
    )
    stage.check(
        set(answers.values()) == {"no-active-consent"},
        f"A dishonest {HOSPITAL} signs a disclosure on the withdrawn consent. All "
        f"{len(answers)} authorities refuse it: withdrawn means withdrawn.",
    )


def emergency(stage: Stage) -> None:
    """The pharmacy breaks the glass; it works, and leaves a trace that stays."""
    out = stage.folder / "emergency"
    out.mkdir()
    opened = stage.placet(
        *("emergency", "open", "--custodian", HOSPITAL, "--subject", stage.facts["subject"]),
        *("--justification", JUSTIFICATION, "--out", out, "--yes"),
        home=PHARMACY,
    )
    [delivery] = opened.value
    got = {each["record"]: _sha256(Path(each["path"])) for each in delivery["records"]}
    stage.check(
        got == stage.facts["records"],
        f"{PHARMACY} has a patient in danger and no consent. It gives a reason and opens the "
        "records.",
        opened.seconds,
    )
    listed = stage.placet("emergency", "list", home=OFFICE).value
    [review] = [each for each in listed if each["disclosure"] == delivery["disclosure"]]
    stage.check(
        review["verdict"] is None and review["due"] > 0,
        f"Every node sees that it was an emergency. {OFFICE} sees that a review is due within "
        "72 hours.",
    )
    access = _accesses(stage)[-1]
    stage.check(
        access["basis"]["kind"] == "emergency" and access["justification"] == JUSTIFICATION,
        "The patient sees the access, and the reason that was given.",
    )


def survive(stage: Stage) -> None:
    """One authority is killed and comes back."""
    survive_a_killed_authority(stage, victim=OTHER_HOSPITAL, witness=CLINIC)


def audit_and_verify(stage: Stage) -> None:
    """The patient sees all accesses; the chain is checked; damage is found."""
    [audit] = _audit(stage)
    counters = [access["counter"] for access in audit["accesses"]]
    stage.check(
        audit["complete"] and counters == [1, 2],
        "The patient lists every access: numbers 1 to 2, without a gap. One more that is "
        "hidden would show.",
    )
    check_chain(stage, LABORATORY)
    check_damage(stage, HOSPITAL)


def end(stage: Stage) -> None:
    """All daemons stop in an orderly way, and none is left."""
    stopped = stage.stop_all()
    stage.check(not stage.running(), "All six daemons stop. No process is left.", stopped)


STEPS: tuple[tuple[str, Step], ...] = (
    ("A network is founded, and two more organisations join", found_the_network),
    ("A patient gets a key, and the hospital seals two records", register_the_patient),
    ("The clinic asks without consent", ask_without_consent),
    ("The patient consents, and the clinic fetches", grant_and_fetch),
    ("The patient withdraws", withdraw),
    ("An emergency", emergency),
    ("An authority is killed while events flow", survive),
    ("The patient's list, and the whole chain, are checked", audit_and_verify),
    ("The network is stopped", end),
)


def _fetch(stage: Stage, requester: str, *, subject: str = "", code: int = Exit.OK) -> Done:
    out = stage.folder / "fetched"
    out.mkdir(exist_ok=True)
    return stage.placet(
        *("record", "fetch", "--custodian", HOSPITAL, "--out", out),
        *("--subject", subject or stage.facts["subject"]),
        home=requester,
        code=code,
    )


def _audit(stage: Stage) -> list[dict[str, Any]]:
    """Return what the patient sees of the hospital, as the patient's own key shows it."""
    key = stage.facts["key"]
    audits: list[dict[str, Any]] = stage.placet(
        "patient", "audit", "--key", key, home=OTHER_HOSPITAL
    ).value
    return [audit for audit in audits if audit["accesses"]]


def _accesses(stage: Stage) -> list[dict[str, Any]]:
    [audit] = _audit(stage)
    accesses: list[dict[str, Any]] = audit["accesses"]
    return accesses


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _holds_none(text: str, words: list[str]) -> bool:
    """Say whether no two neighbours of `words` are in the text; a single one may be, by chance."""
    return not any(f"{first} {second}" in text for first, second in pairwise(words))
