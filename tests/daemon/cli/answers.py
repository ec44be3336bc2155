"""What a healthy node of a small network says, for commands that are tested without one."""

from typing import Any

NETWORK = "11" * 32
ST_MARY = "22" * 32
LAKESIDE = "33" * 32
SUBJECT = "44" * 32
CONSENT = "55" * 16
RECORD = "66" * 16
EVENT = "77" * 32
NOW = 1_900_000_000_000


def member(identifier: str, name: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "name": name,
        "kind": "hospital",
        "officer": "88" * 32,
        "authority": True,
        "is_me": name == "st-mary",
        "connected": True,
        "admitted_height": 0,
        "removed_height": None,
        "kem_key": "99" * 1216,
        "addresses": ["/ip4/192.0.2.1/tcp/4001"],
        "record_count": 4,
        "erasure_count": 0,
        "asked_count": 0,
        "answered_count": 0,
    } | changes


MEMBERS = [member(ST_MARY, "st-mary"), member(LAKESIDE, "lakeside")]

STATUS: dict[str, Any] = {
    "node": {
        "name": "st-mary",
        "kind": "hospital",
        "id": ST_MARY,
        "member": True,
        "authority": True,
        "pid": 7,
        "version": "0.1.0",
        "started_at": NOW,
        "home": "/home/st-mary",
        "addresses": ["/ip4/192.0.2.1/tcp/4001"],
    },
    "network": {
        "name": "canton",
        "id": NETWORK,
        "profile": "opt-in",
        "authorities": 4,
        "quorum": 3,
        "may_fail": 1,
        "members": 6,
        "delay_bound": 50,
    },
    "doing": "voting",
    "healthy": True,
    "problems": [],
    "chain": {
        "height": 12,
        "epoch": 0,
        "handoff": None,
        "final_at": NOW,
        "events_waiting": 0,
        "view": 13,
        "leader": "lakeside",
        "waiting_for": None,
        "answers_missing": 0,
        "listening_to": [],
        "lowest_height": 0,
        "copying": None,
    },
    "authorities": [
        {"name": "st-mary", "is_me": True, "reachable": True, "last_seen": None, "failure": ""},
        {"name": "lakeside", "is_me": False, "reachable": True, "last_seen": NOW, "failure": ""},
    ],
    "peers": {"connected": 5, "wanted": 3},
    "nat": {"behind_nat": False, "relays": [], "relayed": [], "relays_for": []},
}

CONSENT_ENTRY: dict[str, Any] = {
    "subject": SUBJECT,
    "custodian": ST_MARY,
    "custodian_name": "st-mary",
    "terms": "aa" * 32,
    "given_height": 3,
    "expiry_day": 30_000,
    "withdrawn_height": None,
}


def find_member(params: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in MEMBERS if each["name"] == params["member"])


ANSWERS: dict[str, Any] = {
    "ping": "pong",
    "status": STATUS,
    "network": STATUS["network"],
    "members.list": MEMBERS,
    "members.show": find_member,
    "peers.list": [],
    "events.tail": [],
    "events.submit": {"id": EVENT, "height": 13},
    "logs.tail": [],
    "chain.head": {
        "height": 12,
        "hash": "bb" * 32,
        "timestamp": NOW,
        "view": 13,
        "proposer_name": "st-mary",
        "event_count": 1,
        "state_digest": "cc" * 32,
    },
    "consent.give": {
        "consent": CONSENT,
        "event": EVENT,
        "height": 13,
        "emergency_veto": False,
        "undelivered": [],
    },
    "consent.list": [],
    "consent.show": {
        "consent": CONSENT,
        "chain": CONSENT_ENTRY,
        "withdrawal_seen": False,
        "known": None,
    },
    "records.list": [],
    "emergency.list": [],
    "invites.list": [],
    "patient.audit": {
        "subject": SUBJECT,
        "custodian": ST_MARY,
        "custodian_name": "st-mary",
        "complete": True,
        "accesses": [],
    },
}
