"""Recoveries of the example network: two of four authorities go on from a block."""

from typing import Any

from msgspec.structs import replace

from protocol.blocks import Block, block_hash
from protocol.recovery_proof import (
    RecoveryManifest,
    RecoveryProof,
    RecoverySignature,
    recovery_statement,
)
from tests.protocol.examples import Network, token


def manifest_on(network: Network, base: Block, **changes: Any) -> RecoveryManifest:
    """Return a manifest that ends epoch 0 on `base`, and that nobody has signed."""
    manifest = RecoveryManifest(
        network=network.id,
        epoch=0,
        base=block_hash(base.header),
        base_height=base.header.height,
        abandoned=(),
        authorities=network.genesis.authorities[:2],
        reason="flood",
        reports=token("reports"),
    )
    return replace(manifest, **changes)


def proof_of(
    network: Network, manifest: RecoveryManifest, *signers: int, signed: Any = None
) -> RecoveryProof:
    """Return the manifest with recovery keys' signatures, which may be under `signed` instead."""
    statement = recovery_statement(manifest if signed is None else signed)
    return RecoveryProof(
        manifest,
        tuple(
            RecoverySignature(each, network.authorities[each].recovery_key.sign(statement))
            for each in signers
        ),
    )
