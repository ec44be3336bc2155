"""Consents and decisions as people read them."""

from typing import Any

from daemon.cli.output import BAD, CAREFUL, FAINT, GOOD, mark, moment, paint, pairs, table


def render_given(found: dict[str, Any], wishes: dict[str, Any], custodian: str) -> str:
    what = "restriction" if wishes["restrict"] else "consent"
    lines = [
        f"{mark(True)} The {what} is final in block {found['height']}.",
        pairs(
            [
                ("consent", found["consent"]),
                ("custodian", custodian),
                ("subject", found["subject"]),
                ("until", moment(found["valid_until"])),
            ]
        ),
    ]
    if wishes["even_emergencies"] and not found["emergency_veto"]:
        lines.append(
            paint("But an emergency opens records here all the same: the founders of", CAREFUL)
        )
        lines.append(
            paint("this network gave nobody a veto. The patient is told of each.", CAREFUL)
        )
    if found["undelivered"]:
        names = ", ".join(found["undelivered"])
        lines.append(paint(f"The terms go to {names} as soon as they are reached.", FAINT))
    return "\n".join(lines)


def render_list(found: list[dict[str, Any]]) -> str:
    rows = [
        [
            each["consent"],
            each["effect"],
            _standing(each["standing"]),
            each["custodian_name"],
            _recipients(each),
            " ".join(each["scope"]["purposes"]),
            _records(each["scope"]["records"]),
            moment(each["valid_until"]).removesuffix(" 00:00"),
        ]
        for each in found
    ]
    headers = ["consent", "effect", "standing", "custodian", "to", "for", "records", "until"]
    return table(headers, rows, ids=["consent"])


def render_consent(found: dict[str, Any]) -> str:
    chain, known = found["chain"], found["known"]
    facts = [("consent", found["consent"])]
    if chain is not None:
        withdrawn = chain["withdrawn_height"]
        facts += [
            ("custodian", chain["custodian_name"]),
            ("subject", chain["subject"]),
            ("given", f"in block {chain['given_height']}"),
            ("withdrawn", f"in block {withdrawn}" if withdrawn is not None else ""),
        ]
    if found["withdrawal_seen"]:
        facts.append(("note", paint("a withdrawal was seen and counts already", BAD)))
    if known is not None:
        facts += [
            ("standing", _standing(known["standing"])),
            ("effect", known["effect"]),
            ("to", _recipients(known)),
            ("for", " ".join(known["scope"]["purposes"])),
            ("records", _records(known["scope"]["records"])),
            ("from", moment(known["valid_from"])),
            ("until", moment(known["valid_until"])),
        ]
    else:
        facts.append(("terms", paint("not known to this node", FAINT)))
    return pairs(facts)


def render_why(found: dict[str, Any]) -> str:
    steps = [f"  {number}. {text}" for number, text in enumerate(found["explanation"], 1)]
    answer = "It would be given." if found["permitted"] else "It would be refused."
    return "\n".join([f"{mark(found['permitted'])} {answer}", *steps])


def _standing(standing: str) -> str:
    return paint(standing, GOOD if standing == "active" else FAINT)


def _recipients(known: dict[str, Any]) -> str:
    recipients = known["scope"]["recipients"]
    names = [*known["recipient_names"], *(f"any {kind}" for kind in recipients["kinds"])]
    return "anyone" if recipients["anyone"] else ", ".join(names)


def _records(selectors: list[dict[str, Any]]) -> str:
    return ", ".join(_selector(each) for each in selectors)


def _selector(selector: dict[str, Any]) -> str:
    match selector["kind"]:
        case "all":
            return "all"
        case "records":
            return f"{len(selector['ids'])} records"
        case "authored":
            return f"{moment(selector['start'])} to {moment(selector['stop'])}"
    return " ".join(selector["any_of"])
