"""The manifest of a recovery follows from the reports, and a quorum of old owners signs it."""

import pytest
from msgspec.structs import replace

from protocol.codec import digest
from protocol.errors import ProtocolError
from protocol.genesis import Authority
from protocol.identity import SigningKey
from protocol.recovery import (
    Recovery,
    plan_recovery,
    reports_hash,
    sign_recovery,
    validate_recovery,
)
from protocol.recovery_proof import InvalidRecovery, RecoveryManifest, next_epoch, recovery_hash
from protocol.state import EpochEntry
from protocol.survivors import FrozenTooLate, SurvivorReport
from tests.protocol.conversation import WORLD, block_on, certificate_of, vote_of
from tests.protocol.survivor_examples import (
    ENDED,
    RECOVERY_KEYS,
    VERIFIER,
    F,
    N,
    hashes,
    report_from,
)

FIRST = block_on(WORLD.base, 1, 7)
REPORTS = (
    report_from(0, vote_of(0, F, 1, FIRST), vote_of(0, N, 1, FIRST)),
    report_from(
        1,
        vote_of(1, N, 1, FIRST),
        certificates=(certificate_of(N, 1, FIRST, (0, 1, 2)),),
        blocks=(FIRST,),
    ),
)
NEXT = tuple(
    Authority(
        member=bytes([number] * 32),
        voting_key=SigningKey(digest("next-voting", bytes([number]))).public,
        recovery_key=SigningKey(digest("next-recovery", bytes([number]))).public,
    )
    for number in range(2)
)


def planned(
    *reports: SurvivorReport, authorities: tuple[Authority, ...] = NEXT
) -> RecoveryManifest:
    recovery = plan_recovery(
        reports or REPORTS,
        ended=ENDED,
        network=WORLD.network,
        authorities=authorities,
        reason="fire in two houses",
        verifier=VERIFIER,
    )
    return recovery.manifest


def signed(manifest: RecoveryManifest, *signers: int) -> Recovery:
    recovery = Recovery(manifest, REPORTS, ())
    for signer in signers:
        recovery = sign_recovery(recovery, ENDED, RECOVERY_KEYS[signer])
    return recovery


def check(recovery: Recovery) -> None:
    validate_recovery(recovery, ended=ENDED, network=WORLD.network, verifier=VERIFIER)


def test_a_signed_manifest_says_what_is_kept_and_who_goes_on() -> None:
    manifest = planned()
    recovery = signed(manifest, 3, 0, 2)
    found = validate_recovery(recovery, ended=ENDED, network=WORLD.network, verifier=VERIFIER)

    assert hashes(found.blocks) == [manifest.base]
    assert next_epoch(manifest) == EpochEntry(1, 1, NEXT)
    assert [each.signer for each in recovery.signatures] == [0, 2, 3]


def test_the_order_in_which_reports_and_authorities_come_does_not_matter() -> None:
    manifest = planned(*reversed(REPORTS), authorities=tuple(reversed(NEXT)))

    assert manifest == planned()
    assert recovery_hash(manifest) == recovery_hash(planned())
    assert recovery_hash(manifest) != recovery_hash(replace(manifest, reason="flood"))


def test_too_few_recovery_keys_begin_nothing() -> None:
    with pytest.raises(InvalidRecovery):
        check(signed(planned(), 0, 1, 1))


def test_only_recovery_keys_of_the_epoch_sign() -> None:
    with pytest.raises(InvalidRecovery):
        sign_recovery(Recovery(planned(), REPORTS, ()), ENDED, WORLD.keys[0])


GOOD = signed(planned(), 0, 1, 2)


@pytest.mark.parametrize(
    "bad",
    [
        replace(GOOD, reports=REPORTS[:1]),
        signed(replace(planned(), reports=reports_hash(REPORTS[:1])), 0, 1, 2),
        replace(GOOD, manifest=replace(GOOD.manifest, reason="another")),
        replace(GOOD, signatures=GOOD.signatures[::-1]),
        replace(GOOD, signatures=(*GOOD.signatures[:2], GOOD.signatures[1])),
        replace(GOOD, signatures=(*GOOD.signatures[:2], replace(GOOD.signatures[2], signer=3))),
        replace(GOOD, signatures=(*GOOD.signatures[:2], replace(GOOD.signatures[2], signer=4))),
        signed(replace(planned(), base=WORLD.network), 0, 1, 2),
        signed(replace(planned(), base_height=2), 0, 1, 2),
        signed(replace(planned(), abandoned=(bytes(32),)), 0, 1, 2),
        signed(replace(planned(), epoch=1), 0, 1, 2),
        signed(replace(planned(), network=bytes(32)), 0, 1, 2),
        signed(replace(planned(), authorities=NEXT[::-1]), 0, 1, 2),
        signed(replace(planned(), authorities=(NEXT[0], NEXT[0])), 0, 1, 2),
        signed(
            replace(
                planned(), authorities=(NEXT[0], replace(NEXT[1], voting_key=NEXT[0].voting_key))
            ),
            0,
            1,
            2,
        ),
    ],
)
def test_a_changed_manifest_is_refused(bad: Recovery) -> None:
    check(GOOD)
    with pytest.raises(ProtocolError):
        check(bad)


def test_a_survivor_that_froze_too_late_is_refused() -> None:
    """It reported nothing, and then helped to notarize what the other one holds."""
    late = report_from(0)

    with pytest.raises(FrozenTooLate):
        planned(late, REPORTS[1])
