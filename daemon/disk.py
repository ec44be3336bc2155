"""What a node has open on the disk, opened in an order in which each part finds what it needs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import structlog

from daemon.keys.keystore import NodeKeys
from daemon.keys.voting import VotingKeys
from daemon.offers import holds_key_in_use
from daemon.silence import Silence, after_error
from daemon.storage.home import Home
from daemon.storage.staging import sweep
from daemon.storage.store import ChainStore
from daemon.storage.vote_log import BALLAST_SIZE, VoteLog, VoteLogCorrupt, VoteLogFailed
from daemon.storage.voting_memory import VoteLogMissing, open_vote_log
from daemon.vault.vault import Vault
from protocol.blocks import genesis_block
from protocol.consensus import LogRecord
from protocol.digest import StateDigest
from protocol.genesis import Genesis, network_id
from protocol.identity import SigningKey
from protocol.ledger import genesis_changes

log = structlog.get_logger("node")


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """What a node has open on the disk."""

    home: Home
    store: ChainStore
    vote_log: VoteLog[LogRecord] | None
    silence: Silence | None
    """Why an authority has no vote log, and so only observes."""
    vault: Vault
    voting_keys: VotingKeys


@contextmanager
def open_disk(home: Home, genesis: Genesis, keys: NodeKeys) -> Iterator[Disk]:
    """Lock the home and open all that is in it. Raises the `DaemonError` of the part that fails."""
    network = network_id(genesis)
    with ExitStack() as stack:
        stack.enter_context(home.locked())
        store = stack.enter_context(ChainStore.open(home.chain, network))
        if store.is_new:
            changes = genesis_changes(genesis)
            digest = StateDigest().updated({}, changes)
            store.begin(genesis_block(genesis, digest.root), changes, digest.encode())
        sweep(store)
        voting_keys = VotingKeys(home.voting_keys, keys.vault_master)
        me = SigningKey(keys.signing_seed).public
        may_vote = holds_key_in_use(store, me, voting_keys.held, store.height)
        vote_log, silence = _open_vote_log(stack, home, store, may_vote=may_vote)
        yield Disk(
            home=home,
            store=store,
            vote_log=vote_log,
            silence=silence,
            vault=Vault(home.vault, keys.vault_master),
            voting_keys=voting_keys,
        )


def _open_vote_log(
    stack: ExitStack, home: Home, store: ChainStore, *, may_vote: bool
) -> tuple[VoteLog[LogRecord] | None, Silence | None]:
    """Return the vote log, or why there is none and the node only observes."""
    ballast = BALLAST_SIZE if may_vote else 0
    opened = open_vote_log(store, home.votes, ballast, may_vote=may_vote)
    try:
        return stack.enter_context(opened), None
    except (VoteLogCorrupt, VoteLogFailed, VoteLogMissing) as error:
        log.error(
            "vote-log-unusable", code=error.code, reason=str(error), next_step=error.next_step
        )
        return None, after_error(error)
