"""What leads a light client from one epoch to the next, made of blocks or kept from before them."""

from daemon.storage.staging import stored_proof
from daemon.storage.store import ChainStore
from protocol.light import EpochProof


def epoch_proof(store: ChainStore, epoch: int) -> EpochProof | None:
    """Return the proof of an epoch that has ended, `None` if it has not."""
    return stored_proof(store, epoch)
