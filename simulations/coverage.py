"""What a run exercised, besides its faults: so that nobody trusts seeds that did little.

Counted are messages of each kind, how processes died, refusals, blames, and events of each kind.
"""

from simulations.metrics import Metrics
from simulations.world.world import World


def count_coverage(world: World, metrics: Metrics) -> None:
    """Add up what happened in the world, into its coverage."""
    coverage = world.coverage
    for kind, count in sorted(world.network.sent.items()):
        coverage[f"message:{kind}"] += count
    for host in world.hosts:
        for fate, count in sorted(host.fate.items()):
            coverage[f"process:{fate}"] += count
        for _, error in host.blames:
            coverage[f"blame:{error.code}"] += 1
        if host.halted is not None:
            coverage[f"halt:{host.halted}"] += 1
    for code, count in sorted(metrics.refusals.items()):
        coverage[f"refusal:{code}"] += count
    for block in world.witness.disk.blocks[1:]:
        header = block.header
        coverage["block:empty" if not block.events else "block:events"] += 1
        if header.view > header.parent_view + 1:
            coverage["block:after-failed-views"] += 1
        for signed in block.events:
            coverage[f"event:{signed.event.body.__struct_config__.tag}"] += 1
