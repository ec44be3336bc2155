"""All attacks, from the socket upwards."""

from tests.system.attacks import gossip, lies, slow, strangers, streams

ATTACKS = (
    *strangers.ATTACKS,
    *slow.ATTACKS,
    *streams.ATTACKS,
    *gossip.ATTACKS,
    *lies.ATTACKS,
)
