"""What operators do to the disks of hosts that are down when too many authorities are lost.

As the daemon's: each survivor freezes and reports, a plan follows from the reports and is signed
with recovery keys, and each operator accepts it, or does not. A host whose operator has accepted
and that lacks blocks below the base follows later, when it has them (`go_on`).
"""

from collections.abc import Sequence

from protocol.consensus import Frozen, report_of
from protocol.electorates import epoch_at, epoch_entry
from protocol.messages import RecoverySent
from protocol.recovery import Recovery, plan_recovery, sign_recovery, validate_recovery
from protocol.survivors import SurvivorReport
from simulations.world.cast import Party
from simulations.world.core_host import CoreHost
from simulations.world.disk_recovery import go_on


def freeze(host: CoreHost) -> SurvivorReport:
    """Never vote in this epoch again, durably; then report what is known."""
    assert not host.is_up, "the daemon does not run meanwhile"
    disk = host.disk
    entry = epoch_at(disk.state, disk.height + 1)
    if Frozen(entry.epoch) not in host.log:
        host.log.append(Frozen(entry.epoch))
    certificate = disk.certificates.get(disk.height)
    is_of_epoch = certificate is not None and certificate.epoch == entry.epoch
    return report_of(
        host.log,
        network=host.cast.id,
        epoch=entry.epoch,
        key=host.cast.parties[host.name].key,
        head=disk.blocks[-1],
        certificate=certificate if is_of_epoch else None,
    )


def plan(host: CoreHost, reports: Sequence[SurvivorReport], signers: Sequence[Party]) -> Recovery:
    """Return the plan in which those who reported go on, signed with keys that lie in safes."""
    ended = epoch_at(host.disk.state, host.disk.height + 1)
    members = [report.member for report in reports]
    recovery = plan_recovery(
        reports,
        ended=ended,
        network=host.cast.id,
        authorities=tuple(each for each in ended.authorities if each.member in members),
        reason="too many are lost",
        verifier=host.cast.verifier,
    )
    for signer in signers:
        recovery = sign_recovery(recovery, ended, signer.recovery_key)
    return recovery


def accept(host: CoreHost, recovery: Recovery) -> None:
    """Let the host follow the recovery: at once, or as soon as it has the blocks up to its base."""
    assert not host.is_up, "the daemon does not run meanwhile"
    disk, manifest = host.disk, recovery.manifest
    ended = epoch_entry(disk.state, manifest.epoch)
    assert ended is not None
    kept = validate_recovery(
        recovery, ended=ended, network=host.cast.id, verifier=host.cast.verifier
    )
    assert disk.height <= manifest.base_height, "what is final here is kept"
    disk.recoveries[manifest.epoch] = recovery.proof
    go_on(disk, RecoverySent(recovery.proof, kept.blocks))
