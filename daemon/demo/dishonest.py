"""A custodian that ignores its patient: it signs a disclosure on a consent that is withdrawn.

The event is well formed and well signed by both sides; only its basis does not hold. That nobody
accepts it shows that "withdrawn means withdrawn" does not rest on the custodian's good will.
"""

import secrets
import time
from collections.abc import Iterable

from daemon.client import Client
from daemon.demo.stage import Stage
from daemon.keys.keystore import NodeKeys, load_keys
from daemon.rpc import CallFailed
from daemon.storage.home import Home
from protocol.codec import encode
from protocol.events import (
    ConsentBasis,
    Disclosure,
    Event,
    RequestStatement,
    request_signing_bytes,
    sign_event,
)
from protocol.identity import SigningKey

LIFETIME = 600_000
"""How long the event would be valid, in milliseconds."""


def disclose_without_consent(
    stage: Stage, *, custodian: str, requester: str, consent: str, through: Iterable[str]
) -> dict[str, str]:
    """Submit the disclosure to each node of `through`; return the code with which each answers."""
    event = _make_disclosure(stage, custodian, requester, consent)
    return {name: _submit(stage, name, event) for name in through}


def _make_disclosure(stage: Stage, custodian: str, requester: str, consent: str) -> str:
    network = bytes.fromhex(stage.status(custodian)["network"]["id"])
    keeper, asker = _signing_key(stage, custodian), _signing_key(stage, requester)
    until = time.time_ns() // 1_000_000 + LIFETIME
    statement = RequestStatement(asker.public, keeper.public, secrets.token_bytes(32), until)
    body = Disclosure(
        subject=bytes.fromhex(stage.facts["subject"]),
        counter=2,
        custodian=keeper.public,
        requester=asker.public,
        basis=ConsentBasis(bytes.fromhex(consent)),
        request=statement.request,
        request_until=until,
        request_signature=asker.sign(request_signing_bytes(statement, network)),
        manifests=secrets.token_bytes(32),
        release=secrets.token_bytes(32),
    )
    return encode(sign_event(Event(until, body), network, keeper)).hex()


def _submit(stage: Stage, name: str, event: str) -> str:
    try:
        with Client(stage.home(name) / "control.sock") as node:
            node.call("events.submit", {"event": event})
    except CallFailed as error:
        return error.code
    return "accepted"


def _signing_key(stage: Stage, name: str) -> SigningKey:
    keys = load_keys(Home(stage.home(name)).node_keys, NodeKeys, None)
    return SigningKey(keys.signing_seed)
