"""What authorities sign about a view: votes, certificates, and proof that one of them cheated.

A verb is one vote, its noun the certificate of a quorum: notarize → notarization, nullify →
nullification, finalize → finalization (Simplex consensus, Chan and Pass 2023).
"""

from enum import IntEnum
from typing import Annotated

import msgspec

from protocol.codec import Counter, Digest, Message, encode
from protocol.errors import InvalidCertificate, InvalidSignature
from protocol.genesis import AUTHORITIES_MAX, Authority, quorum
from protocol.identity import NetworkId, PublicKey, Signature, SigningKey, Verifier, signing_bytes

NO_BLOCK: Digest = bytes(32)
"""What a nullify vote says instead of a block."""

Signer = Annotated[int, msgspec.Meta(ge=0, lt=AUTHORITIES_MAX)]
"""The index of an authority in its epoch."""


class VoteKind(IntEnum):
    NOTARIZE = 0
    NULLIFY = 1
    FINALIZE = 2


class Vote(Message, frozen=True, tag="vote"):
    """One authority's word about one view. `signer` is not signed: the key tells."""

    kind: VoteKind
    epoch: Counter
    view: Counter
    block: Digest
    signer: Signer
    signature: Signature


class Certificate(Message, frozen=True, tag="certificate"):
    """Exactly a quorum of votes that say the same, in the order of their signers."""

    kind: VoteKind
    epoch: Counter
    view: Counter
    block: Digest
    signers: Annotated[tuple[Signer, ...], msgspec.Meta(max_length=AUTHORITIES_MAX)]
    signatures: Annotated[tuple[Signature, ...], msgspec.Meta(max_length=AUTHORITIES_MAX)]


def sign_vote(  # noqa: PLR0913
    key: SigningKey,
    network: NetworkId,
    *,
    kind: VoteKind,
    epoch: int,
    view: int,
    block: Digest,
    signer: int,
) -> Vote:
    """Return the signed vote. The caller makes it durable before anyone hears of it."""
    signature = key.sign(_statement(network, kind, epoch, view, block))
    return Vote(kind, epoch, view, block, signer, signature)


def validate_vote(
    vote: Vote, network: NetworkId, authorities: tuple[Authority, ...], verifier: Verifier
) -> None:
    """Raise `InvalidSignature` unless the vote is well formed and its authority signed it."""
    if vote.signer >= len(authorities):
        raise InvalidSignature(f"there is no authority {vote.signer}")
    _validate_block_named(vote)
    if not is_signed_with(authorities[vote.signer].voting_key, vote, network, verifier):
        raise InvalidSignature(f"authority {vote.signer} did not sign this vote")


def is_signed_with(key: PublicKey, vote: Vote, network: NetworkId, verifier: Verifier) -> bool:
    """Say whether the signature of the vote was made with this voting key."""
    return verifier.is_valid(key, _statement_of(network, vote), vote.signature)


def assemble_certificate(votes: list[Vote], authority_count: int) -> Certificate:
    """Return the certificate of `votes`, which say the same; extra votes are left out."""
    chosen = sorted(votes, key=lambda vote: vote.signer)[: quorum(authority_count)]
    assert len(chosen) == quorum(authority_count)
    first = chosen[0]
    return Certificate(
        kind=first.kind,
        epoch=first.epoch,
        view=first.view,
        block=first.block,
        signers=tuple(vote.signer for vote in chosen),
        signatures=tuple(vote.signature for vote in chosen),
    )


def validate_certificate(
    certificate: Certificate,
    network: NetworkId,
    authorities: tuple[Authority, ...],
    verifier: Verifier,
) -> None:
    """Raise `InvalidCertificate` unless exactly a quorum of `authorities` signed it."""
    signers = certificate.signers
    if len(signers) != quorum(len(authorities)) or len(certificate.signatures) != len(signers):
        raise InvalidCertificate(f"{len(signers)} signers are not a quorum")
    if list(signers) != sorted(set(signers)) or signers[-1] >= len(authorities):
        raise InvalidCertificate("signers are not distinct authorities in order")
    try:
        _validate_block_named(certificate)
    except InvalidSignature as error:
        raise InvalidCertificate(str(error)) from error
    statement = _statement_of(network, certificate)
    for signer, signature in zip(signers, certificate.signatures, strict=True):
        if not verifier.is_valid(authorities[signer].voting_key, statement, signature):
            raise InvalidCertificate(f"authority {signer} did not sign this vote")


def votes_of(certificate: Certificate) -> list[Vote]:
    """Return the votes that the certificate is made of."""
    return [
        Vote(
            certificate.kind,
            certificate.epoch,
            certificate.view,
            certificate.block,
            signer,
            signature,
        )
        for signer, signature in zip(certificate.signers, certificate.signatures, strict=True)
    ]


def is_equivocation(first: Vote, second: Vote) -> bool:
    """Say whether two good votes of one view prove that their signer cheated.

    Nobody honest notarizes two blocks, finalizes two blocks, finalizes a view and nullifies it, or
    finalizes one block and notarizes another. To notarize and nullify one view is legal.
    """
    if (first.epoch, first.view, first.signer) != (second.epoch, second.view, second.signer):
        return False
    kinds = {first.kind, second.kind}
    if kinds == {VoteKind.FINALIZE, VoteKind.NULLIFY}:
        return True
    return VoteKind.NULLIFY not in kinds and first.block != second.block


def _validate_block_named(said: Vote | Certificate) -> None:
    if (said.kind == VoteKind.NULLIFY) != (said.block == NO_BLOCK):
        raise InvalidSignature("a nullify vote names no block, and every other vote names one")


def _statement_of(network: NetworkId, said: Vote | Certificate) -> bytes:
    """Return what the signer of the vote signs, or each of the certificate."""
    return _statement(network, said.kind, said.epoch, said.view, said.block)


def _statement(network: NetworkId, kind: VoteKind, epoch: int, view: int, block: Digest) -> bytes:
    return signing_bytes("vote", network, encode((int(kind), epoch, view, block)))
