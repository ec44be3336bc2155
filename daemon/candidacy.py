"""Keeps a node ready to vote: a fresh offer of its next voting key, and no key of a past epoch.

A member that was told to (`placet authority ready`) always offers the key that it would vote with.
An authority does so when a change is near, that is, when somebody offers, votes or is accused in
this epoch, or when the epoch is long: so a quiet network stays quiet. A key is on the disk, and
known to the core, before the network hears of it. When an epoch has begun, the keys of earlier ones
are destroyed.

Nothing here is urgent: it is looked at after each block, and now and then.
"""

from typing import Protocol

import structlog
import trio

from daemon.driver import Driver
from daemon.errors import DaemonError
from daemon.joining.member_card import CARD_SIZE_MAX, parse_card
from daemon.keys.voting import VotingKeys
from daemon.offers import (
    RENEWAL_BLOCKS,
    has_offers,
    is_about_authorities,
    is_offer_due,
    next_key,
    outdated_keys,
    voting_key_in,
)
from daemon.receipts import Receipt
from daemon.storage.files import disk_errors
from daemon.storage.home import Home
from daemon.storage.store import ChainStore
from daemon.storage.tables import NOTES, Note
from protocol.blocks import Block, block_hash
from protocol.effects import VotingKeyAdded
from protocol.electorates import (
    epoch_at,
    newest_epoch,
)
from protocol.errors import ProtocolError
from protocol.events import (
    AuthorityReady,
    Event,
    SignedEvent,
    sign_event,
    voting_key_signing_bytes,
)
from protocol.identity import MemberId, NetworkId, PublicKey, SigningKey, short

OFFER_LIFETIME = 3_600_000
"""How long an offer may wait for a block, in milliseconds."""

LOOK_SECONDS = 600
"""How often a node looks after its offer when there are no blocks."""

_CANDIDATE = b"authority-candidate"

log = structlog.get_logger("authority")


class CannotVote(DaemonError):
    """This node must not become an authority."""

    code = "cannot-vote"
    next_step = "See why: placet status. And the operations guide, Restoring an authority."


class CandidateNode(Protocol):
    """What this needs of its node."""

    me: MemberId
    network: NetworkId
    home: Home
    store: ChainStore
    driver: Driver

    @property
    def signing_key(self) -> SigningKey: ...

    def now(self) -> int: ...

    async def submit(self, signed: SignedEvent, /) -> Receipt: ...


class Candidacy:
    """Looks after the voting keys of a node."""

    def __init__(self, node: CandidateNode, keys: VotingKeys, *, may_vote: bool) -> None:
        """Without a vote log, a node `may_vote` with no key, and offers none."""
        self._node = node
        self._keys = keys
        self._may_vote = may_vote
        self._stirred_epoch: int | None = None
        """The epoch in which a change seems near."""

    @property
    def is_candidate(self) -> bool:
        """Whether this member is to be an authority, or is to stay one, and can be."""
        if not self._may_vote:
            return False
        me, store = self._node.me, self._node.store
        return voting_key_in(newest_epoch(store), me) is not None or (
            NOTES.get(store, _CANDIDATE) is not None
        )

    @property
    def holds_current_key(self) -> bool:
        """Whether the voting key of this epoch, if there is one of ours, is on this machine."""
        current = epoch_at(self._node.store, self._node.store.height + 1)
        key = voting_key_in(current, self._node.me)
        return key is None or key in [each.public for each in self._keys.held]

    async def run(self) -> None:
        """Keep everything in order until cancelled."""
        while True:
            async with self._node.driver.receipts.subscription() as blocks:
                if await trio.to_thread.run_sync(has_offers, self._node.store):
                    self._stir()
                await self._follow(blocks)

    async def stand(self) -> Receipt:
        """Be a candidate from now on; return when the offer is final. May raise `CannotVote`."""
        if not self._may_vote:
            raise CannotVote("this node has no vote log that it could use")
        await trio.to_thread.run_sync(NOTES.put, self._node.store, _CANDIDATE, Note(b""))
        return await self.offer()

    async def offer(self) -> Receipt:
        """Offer the next voting key, and return when that is final. Raises why it is not."""
        node = self._node
        recovery_key = await trio.to_thread.run_sync(self._recovery_key)
        key = await self._next_key()
        head = node.store.head.header
        body = AuthorityReady(
            member=node.me,
            voting_key=key.public,
            recovery_key=recovery_key,
            height=head.height,
            block=block_hash(head),
            proof=key.sign(voting_key_signing_bytes(node.me, node.network)),
        )
        event = Event(valid_until=node.now() + OFFER_LIFETIME, body=body)
        receipt = await node.submit(sign_event(event, node.network, node.signing_key))
        log.info("voting-key-offered", offered=short(key.public), height=receipt.height)
        return receipt

    async def _follow(self, blocks: trio.MemoryReceiveChannel[Block]) -> None:
        """Look at once, after each block, and now and then, until the subscription ends."""
        while True:
            await self._keep_in_order()
            try:
                with trio.move_on_after(LOOK_SECONDS):
                    if is_about_authorities(await blocks.receive()):
                        self._stir()
            except trio.EndOfChannel:
                return

    async def _keep_in_order(self) -> None:
        try:
            await self._erase_outdated()
            await self._note_arrival()
            if self.is_candidate and self._is_change_near and self._is_offer_due():
                await self.offer()
        except (ProtocolError, DaemonError) as error:
            log.warning("voting-key-not-offered", code=error.code, reason=str(error))

    async def _note_arrival(self) -> None:
        """Whoever has become an authority is one like the others."""
        store = self._node.store
        if NOTES.get(store, _CANDIDATE) is None:
            return
        if voting_key_in(epoch_at(store, store.height + 1), self._node.me) is not None:
            await trio.to_thread.run_sync(NOTES.delete, store, _CANDIDATE)

    @property
    def _is_change_near(self) -> bool:
        store = self._node.store
        current = epoch_at(store, store.height + 1)
        return (
            self._stirred_epoch == current.epoch
            or current.base_height + RENEWAL_BLOCKS < store.height
            or NOTES.get(store, _CANDIDATE) is not None
        )

    def _is_offer_due(self) -> bool:
        store = self._node.store
        return is_offer_due(store, self._node.me, self._keys.held, store.height)

    def _stir(self) -> None:
        store = self._node.store
        self._stirred_epoch = epoch_at(store, store.height + 1).epoch

    async def _erase_outdated(self) -> None:
        store = self._node.store
        outdated = outdated_keys(store, self._node.me, self._keys.held, store.height)
        if outdated:
            await trio.to_thread.run_sync(self._keys.erase, outdated)
            log.info("voting-keys-erased", keys=[short(each) for each in outdated])

    async def _next_key(self) -> SigningKey:
        """Return a key that is on the disk, and that the core knows, whatever was interrupted."""
        key = next_key(self._node.store, self._node.me, self._keys.held)
        if key is None:
            key = await trio.to_thread.run_sync(self._keys.add)
        await self._node.driver.put(VotingKeyAdded(key))
        return key

    def _recovery_key(self) -> PublicKey:
        """Return the key that we have as an authority, or the one on our member card."""
        for authority in newest_epoch(self._node.store).authorities:
            if authority.member == self._node.me:
                return authority.recovery_key
        with (
            disk_errors("the member card"),
            self._node.home.member_card.open(encoding="utf-8") as file,
        ):
            return parse_card(file.read(CARD_SIZE_MAX + 1)).recovery_key
