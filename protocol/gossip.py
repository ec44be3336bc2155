"""Gossip: every message reaches every node, most of them once per node.

Plumtree (Leitão, Pereira, Rodrigues, *Epidemic Broadcast Trees*, SRDS 2007) as a sans-IO machine,
one for each topic. Links are *eager* (messages are pushed) or *lazy* (they are announced). Who
sends us what we have already is asked to announce instead (prune); who announces what does not
come in time is asked for it and becomes eager (graft). So the eager links become a tree, and the
lazy ones mend it. Unlike in the paper, a message pushed along a lazy link leaves it lazy: nodes
push what they publish to some peers directly, which says nothing about the tree.

Nothing is said to who has it. Whoever sent or announced a message is told nothing of it; and who
should have heard of it in another way (it is *informed*, the caller says) is told along a lazy
link only after a while, so that a source that tells some but not all helps nobody.

The caller judges a new message before this machine forwards it. Accepted messages spread, ignored
ones are remembered. What cannot be judged yet is forgotten, as if it had never come. A message that
the caller refuses altogether is not told of here: a false copy must not keep a true one away, so
that one is still missed, and the next who announced it is asked.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, assert_never

import msgspec

from protocol.announcements import Announcements
from protocol.identity import MemberId
from protocol.messages import HAVE_IDS_MAX, GossipId, Graft, Have, Payload, Prune, Topic

KNOWN_IDS_MAX = 65_536
CONTENTS_MAX = 2_048
CONTENT_BYTES_MAX = 32 * 1024 * 1024
MISSING_MAX = 4_096
MISSING_PER_PEER_MAX = 1_024
"""How many messages may be missed on the word of one peer, who may have made them up."""
ANNOUNCERS_MAX = 8
GRAFTED_BYTES_MAX = 4 * 1024 * 1024
"""How much is pushed in answer to one graft, in bytes; a single message may be larger."""
ANNOUNCE_DELAY = 50
"""How long announcements are collected, in milliseconds."""
REMIND_DELAY = 1_000
"""How long they are for those who should know already, in milliseconds."""
GRAFT_DELAY = 200
"""How long to wait for an announced message to come by itself, in milliseconds."""
EARLY_MAX = 64
"""How many members are remembered who announced something before we knew of the link to them."""


class Outcome(Enum):
    ACCEPT = "accept"
    IGNORE = "ignore"
    FORGET = "forget"


@dataclass(frozen=True, slots=True)
class Published:
    """A message of our own. It is pushed to `direct` besides the eager links."""

    id: GossipId
    content: bytes
    direct: tuple[MemberId, ...] = ()
    informed: frozenset[MemberId] = frozenset()


class PayloadJudged(msgspec.Struct, frozen=True):
    """A message came from `sender`, and the caller finds no fault with it.

    It is news: not known, or known as one to be ignored and good only now. What was accepted
    before does not spread again.
    """

    sender: MemberId
    id: GossipId
    content: bytes
    outcome: Outcome
    informed: frozenset[MemberId] = frozenset()


class DuplicateReceived(msgspec.Struct, frozen=True):
    sender: MemberId
    id: GossipId


class ControlReceived(msgspec.Struct, frozen=True):
    sender: MemberId
    message: Have | Graft | Prune


@dataclass(frozen=True, slots=True)
class NeighbourUp:
    peer: MemberId


@dataclass(frozen=True, slots=True)
class NeighbourDown:
    peer: MemberId


class GossipTimer(msgspec.Struct, frozen=True):
    topic: Topic
    purpose: str
    """Either "announce", "remind" or "graft"."""


class GossipTimerFired(msgspec.Struct, frozen=True):
    timer: GossipTimer


GossipInput = (
    Published
    | PayloadJudged
    | DuplicateReceived
    | ControlReceived
    | NeighbourUp
    | NeighbourDown
    | GossipTimerFired
)


class SendGossip(msgspec.Struct, frozen=True):
    peer: MemberId
    message: Payload | Have | Graft | Prune


class SetGossipTimer(msgspec.Struct, frozen=True):
    timer: GossipTimer
    delay: int
    """Milliseconds from now."""


GossipEffect = SendGossip | SetGossipTimer


@dataclass(slots=True)
class Gossip:
    """The links of one topic, and what was said on them."""

    topic: Topic
    _eager: dict[MemberId, None] = field(default_factory=dict)
    _lazy: dict[MemberId, None] = field(default_factory=dict)
    _known: OrderedDict[GossipId, None] = field(default_factory=OrderedDict)
    _contents: dict[GossipId, bytes] = field(default_factory=dict)
    _content_bytes: int = 0
    _announcements: Announcements = field(default_factory=Announcements)
    _reminders: Announcements = field(default_factory=Announcements)
    _early: dict[MemberId, tuple[GossipId, ...]] = field(default_factory=dict)
    _missing: dict[GossipId, list[MemberId]] = field(default_factory=dict)
    _is_grafting: bool = False

    def is_known(self, identifier: GossipId) -> bool:
        return identifier in self._known

    def step(self, input: GossipInput) -> list[GossipEffect]:
        """Take in one input and return what to send, in order."""
        return list(self._take_in(input))

    def _take_in(self, input: GossipInput) -> Iterator[GossipEffect]:
        match input:
            case ControlReceived(sender, message):
                yield from self._controlled(sender, message)
            case DuplicateReceived(sender, identifier):
                self._has(sender, (identifier,))
                yield from self._prune(sender)
            case PayloadJudged():
                yield from self._judged(input)
            case Published(identifier, content, direct):
                self._remember(identifier, content)
                yield from self._spread(input, pushed={*direct, *self._eager}, holders=())
            case NeighbourUp(peer):
                yield from self._welcome(peer)
            case NeighbourDown(peer):
                self._part(peer)
            case GossipTimerFired(timer):
                yield from self._fired(timer.purpose)
            case _:
                assert_never(input)

    def _judged(self, payload: PayloadJudged) -> Iterator[GossipEffect]:
        holders = (*self._missing.pop(payload.id, ()), payload.sender)
        match payload.outcome:
            case Outcome.ACCEPT if payload.id not in self._contents:
                self._remember(payload.id, payload.content)
                yield from self._spread(payload, pushed=set(self._eager), holders=holders)
            case Outcome.ACCEPT | Outcome.IGNORE:
                self._know(payload.id)
            case Outcome.FORGET:
                pass

    def _spread(
        self,
        message: Published | PayloadJudged,
        *,
        pushed: Collection[MemberId],
        holders: Collection[MemberId],
    ) -> Iterator[GossipEffect]:
        for peer in self._neighbours():
            if peer in holders:
                continue
            if peer in pushed:
                yield SendGossip(peer, Payload(self.topic, message.content))
            elif peer in message.informed:
                yield from self._announce_later(peer, message.id, "remind")
            else:
                yield from self._announce_later(peer, message.id, "announce")

    def _fired(self, purpose: str) -> Iterator[GossipEffect]:
        match purpose:
            case "announce":
                yield from self._announce(self._announcements)
            case "remind":
                yield from self._announce(self._reminders)
            case _:
                yield from self._graft()

    def _controlled(
        self, sender: MemberId, message: Have | Graft | Prune
    ) -> Iterator[GossipEffect]:
        if sender not in self._eager and sender not in self._lazy:
            if isinstance(message, Have):
                self._keep_early(sender, message.ids)
            return
        match message:
            case Have(ids=ids):
                self._has(sender, ids)
                yield from self._note_missing(sender, ids)
            case Graft(ids=ids):
                self._make_eager(sender)
                yield from self._answer(sender, ids)
            case Prune():
                self._make_lazy(sender)

    def _answer(self, sender: MemberId, ids: Iterable[GossipId]) -> Iterator[GossipEffect]:
        size = 0
        for identifier in ids:
            content = self._contents.get(identifier)
            if content is None:
                continue
            if size > 0 and size + len(content) > GRAFTED_BYTES_MAX:
                return
            size += len(content)
            yield SendGossip(sender, Payload(self.topic, content))

    def _prune(self, sender: MemberId) -> Iterator[GossipEffect]:
        if sender in self._eager:
            self._make_lazy(sender)
            yield SendGossip(sender, Prune(self.topic))

    def _welcome(self, peer: MemberId) -> Iterator[GossipEffect]:
        """A new link is eager, and hears what we still hold: it may have missed it.

        Its other end may have known of the link before us, and have told us the same already.
        """
        self._make_eager(peer)
        yield from self._note_missing(peer, self._early.pop(peer, ()))
        recent = list(self._contents)[-HAVE_IDS_MAX:]
        if recent:
            yield SendGossip(peer, Have(self.topic, tuple(recent)))

    def _part(self, peer: MemberId) -> None:
        self._eager.pop(peer, None)
        self._lazy.pop(peer, None)
        self._early.pop(peer, None)
        self._announcements.forget(peer)
        self._reminders.forget(peer)

    def _keep_early(self, sender: MemberId, ids: tuple[GossipId, ...]) -> None:
        """A link comes up at one end first, and what is said there may come before we know."""
        self._early[sender] = (*self._early.get(sender, ()), *ids)[:HAVE_IDS_MAX]
        if len(self._early) > EARLY_MAX:
            del self._early[next(iter(self._early))]

    def _has(self, peer: MemberId, ids: Iterable[GossipId]) -> None:
        """The peer shows that it has these messages: no need to announce them to it."""
        self._announcements.leave_out(peer, ids)
        self._reminders.leave_out(peer, ids)

    def _note_missing(self, sender: MemberId, ids: Iterable[GossipId]) -> Iterator[GossipEffect]:
        unknown = [identifier for identifier in ids if identifier not in self._known]
        claimed = self._claimed(sender) if unknown else 0
        for identifier in unknown:
            announcers = self._missing.get(identifier, [])
            if sender in announcers:
                continue
            if claimed >= MISSING_PER_PEER_MAX or len(announcers) >= ANNOUNCERS_MAX:
                continue
            if announcers or len(self._missing) < MISSING_MAX:
                claimed += 1
                self._missing[identifier] = [*announcers, sender]
        if self._missing and not self._is_grafting:
            self._is_grafting = True
            yield SetGossipTimer(GossipTimer(self.topic, "graft"), GRAFT_DELAY)

    def _claimed(self, sender: MemberId) -> int:
        """Return how many messages are missed on the word of this peer."""
        return sum(sender in announcers for announcers in self._missing.values())

    def _graft(self) -> Iterator[GossipEffect]:
        """Ask for each missing message at the next one who announced it."""
        wanted: dict[MemberId, list[GossipId]] = {}
        for identifier, announcers in list(self._missing.items()):
            present = [peer for peer in announcers if peer in self._eager or peer in self._lazy]
            if not present:
                del self._missing[identifier]
                continue
            wanted.setdefault(present[0], []).append(identifier)
            self._missing[identifier] = present[1:]
        for peer, ids in wanted.items():
            self._make_eager(peer)
            for start in range(0, len(ids), HAVE_IDS_MAX):
                yield SendGossip(peer, Graft(self.topic, tuple(ids[start : start + HAVE_IDS_MAX])))
        self._is_grafting = bool(self._missing)
        if self._is_grafting:
            yield SetGossipTimer(GossipTimer(self.topic, "graft"), GRAFT_DELAY)

    def _announce_later(
        self, peer: MemberId, identifier: GossipId, purpose: Literal["announce", "remind"]
    ) -> Iterator[GossipEffect]:
        is_soon = purpose == "announce"
        queue = self._announcements if is_soon else self._reminders
        if queue.is_empty:
            delay = ANNOUNCE_DELAY if is_soon else REMIND_DELAY
            yield SetGossipTimer(GossipTimer(self.topic, purpose), delay)
        if ids := queue.add(peer, identifier):
            yield SendGossip(peer, Have(self.topic, ids))

    def _announce(self, queue: Announcements) -> Iterator[GossipEffect]:
        for peer, ids in queue.take():
            yield SendGossip(peer, Have(self.topic, ids))

    def _neighbours(self) -> list[MemberId]:
        return [*self._eager, *self._lazy]

    def _make_eager(self, peer: MemberId) -> None:
        self._lazy.pop(peer, None)
        self._eager[peer] = None

    def _make_lazy(self, peer: MemberId) -> None:
        self._eager.pop(peer, None)
        self._lazy[peer] = None

    def _know(self, identifier: GossipId) -> None:
        self._known[identifier] = None
        if len(self._known) > KNOWN_IDS_MAX:
            self._known.popitem(last=False)

    def _remember(self, identifier: GossipId, content: bytes) -> None:
        self._know(identifier)
        self._contents[identifier] = content
        self._content_bytes += len(content)
        while len(self._contents) > CONTENTS_MAX or self._content_bytes > CONTENT_BYTES_MAX:
            self._content_bytes -= len(self._contents.pop(next(iter(self._contents))))
