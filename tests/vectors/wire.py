"""Write `wire.json`: what the protocol's bytes and ids are, for one example of each.

    python -m tests.vectors.wire

Run it only if the bytes are meant to change; `docs/protocol.md` changes in the same commit. Other
implementations may check themselves against the file: keys and ids come from labels, as
`tests/protocol/examples.py` says.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from protocol.blocks import block_hash, compute_events_root
from protocol.codec import encode
from protocol.events import event_id
from protocol.genesis import authorities_hash
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.wire_examples import BLOCK, NETWORK, SIGNED_EVENTS, WIRE_EXAMPLES

WIRE_PATH = Path(__file__).with_name("wire.json")

SHOWN_SIZE_MAX = 1_024
"""Of larger examples the file has only size and hash."""


def wire_vectors() -> dict[str, Any]:
    """Compute what the file should say."""
    ledger = ExampleLedger(NETWORK)
    authorities = NETWORK.genesis.authorities
    return {
        "ids": {
            "network": NETWORK.id.hex(),
            "block": block_hash(BLOCK.header).hex(),
            "events-root": compute_events_root(BLOCK.events).hex(),
            "authorities": authorities_hash(0, authorities).hex(),
            "genesis-state": ledger.digest.root.hex(),
            "state": BLOCK.header.state_digest.hex(),
            **{
                f"event/{name}": event_id(signed.event, NETWORK.id).hex()
                for name, signed in SIGNED_EVENTS.items()
            },
        },
        "encodings": {
            name: _describe(encode(example.message)) for name, example in WIRE_EXAMPLES.items()
        },
    }


def _describe(data: bytes) -> dict[str, Any]:
    shown = {"bytes": data.hex()} if len(data) <= SHOWN_SIZE_MAX else {}
    return {"size": len(data), "sha256": sha256(data).hexdigest(), **shown}


def main() -> None:
    WIRE_PATH.write_text(json.dumps(wire_vectors(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
