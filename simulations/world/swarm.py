"""Links that come up and go down between hosts, as the daemon's neighbourhood does.

Each host chooses whom it wants as neighbours, by the authorities and members that its own chain
knows; a link is up while one of its ends wants it and nothing is in its way. A dead process is
noticed after a while, and so are a cut link and one that could be back.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from protocol.effects import EpochStarted, StoreBlocks
from protocol.identity import MemberId
from protocol.neighbourhood import NEIGHBOURS_MAX, choose_neighbours
from protocol.snapshot import AdoptSnapshot
from protocol.state import member_key, members
from simulations.world.core_host import CoreHost
from simulations.world.network import Network

NOTICE_MIN, NOTICE_MAX = 50, 3_000
"""After how long a change of a link is noticed, in milliseconds."""

MEMBER_TABLE = member_key(bytes(32))[:1]

Bar = Callable[[CoreHost, CoreHost], bool]


@dataclass(slots=True, eq=False)
class Link:
    """Two hosts that may be connected."""

    first: CoreHost
    second: CoreHost
    is_up: bool = False
    is_settling: bool = False

    def set(self, *, is_up: bool) -> None:
        self.is_up = is_up
        self.first.link(self.second.name, is_up=is_up)
        if self.is_up == is_up:  # The first may have died of the news.
            self.second.link(self.first.name, is_up=is_up)


class Swarm:
    """Keeps links up between hosts that want each other, are up, and can reach each other."""

    def __init__(
        self, network: Network, hosts: Iterable[CoreHost], *, neighbours_max: int = NEIGHBOURS_MAX
    ) -> None:
        self.network = network
        self.links: list[Link] = []
        """All that were ever wanted, up or not, in the order of their first wish."""
        self.unwelcome: set[int] = set()
        """Names of those who are no members, or not yet."""
        self.bars: list[Bar] = []
        """Each says of two hosts whether they never connect, such as two behind bad routers."""
        self._neighbours_max = neighbours_max
        self._named: dict[int, list[CoreHost]] = {}
        self._of: dict[int, dict[int, Link]] = {}
        """The links of each host, by its place and that of the other end."""
        self._wishes: dict[int, dict[int, None]] = {}
        """The names of those whom each host wants, by its place."""
        self._roll: tuple[bytes, tuple[MemberId, ...]] = (b"", ())
        """A digest of a state, and who its members are: many hosts have the same."""
        for host in hosts:
            self.add(host)

    def add(self, host: CoreHost) -> None:
        """Take care of the links of one more host; twins share a name."""
        self._named.setdefault(host.name, []).append(host)
        self._of[host.place] = {}
        self._wishes[host.place] = {}
        host.on_change = self._changed
        for kind in (StoreBlocks, EpochStarted, AdoptSnapshot):
            host.watchers_of.setdefault(kind, []).append(self._look)

    def reconsider(self) -> None:
        """Something has changed: let the links follow."""
        for link in self.links:
            self._reconsider(link)

    def reset(self, first: CoreHost, second: CoreHost) -> None:
        """Break the link between two hosts, if it is up; it comes back after a while."""
        link = self._of[first.place].get(second.place)
        if link is not None and link.is_up:
            link.set(is_up=False)
            self._reconsider(link)

    def _changed(self, host: CoreHost) -> None:
        """The process has started or died."""
        for link in list(self._of[host.place].values()):
            if link.is_up:
                link.set(is_up=False)
        self._choose(host)

    def _look(self, host: CoreHost, effect: StoreBlocks | EpochStarted | AdoptSnapshot) -> None:
        """Let the host choose anew when it is known there who belongs from now on."""
        if isinstance(effect, StoreBlocks) and not changes_members(effect):
            return
        self.network.after(0, self._choose, host)

    def _choose(self, host: CoreHost) -> None:
        if host.is_up:
            wishes = self._wishes[host.place] = self._wishes_of(host)
            for name in wishes:
                for other in self._named[name]:
                    self._ensure(host, other)
        for link in list(self._of[host.place].values()):
            self._reconsider(link)

    def _wishes_of(self, host: CoreHost) -> dict[int, None]:
        """Return the names of those that the host wants as neighbours."""
        chosen = choose_neighbours(
            host.id,
            authorities=(each.member for each in host.core.authorities),
            members=self._members(host),
            most=self._neighbours_max,
        )
        return {host.cast.names[member]: None for member in chosen}

    def _members(self, host: CoreHost) -> tuple[MemberId, ...]:
        digest = host.disk.digest.root
        if self._roll[0] != digest:
            roll = members(host.disk.state)
            self._roll = (
                digest,
                tuple(each.member.id for each in roll if each.removed_height is None),
            )
        return self._roll[1]

    def _ensure(self, host: CoreHost, other: CoreHost) -> None:
        if other.place not in self._of[host.place]:
            link = Link(host, other) if host.place < other.place else Link(other, host)
            self.links.append(link)
            self._of[host.place][other.place] = self._of[other.place][host.place] = link

    def _reconsider(self, link: Link) -> None:
        if link.is_settling or self._may_be_up(link) == link.is_up:
            return
        link.is_settling = True
        delay = self.network.random.randint(NOTICE_MIN, NOTICE_MAX)
        self.network.after(delay, self._settle, link)

    def _settle(self, link: Link) -> None:
        link.is_settling = False
        if self._may_be_up(link) != link.is_up:
            link.set(is_up=not link.is_up)

    def _is_wished(self, link: Link) -> bool:
        first, second = link.first, link.second
        wishes = self._wishes
        return second.name in wishes[first.place] or first.name in wishes[second.place]

    def _may_be_up(self, link: Link) -> bool:
        first, second = link.first, link.second
        if not first.is_up or not second.is_up or not self._is_wished(link):
            return False
        if first.name in self.unwelcome or second.name in self.unwelcome:
            return False
        if any(bar(first, second) for bar in self.bars):
            return False
        return not self.network.links.are_cut_apart(first.place, second.place)


def changes_members(effect: StoreBlocks) -> bool:
    """Say whether somebody joins or leaves with these blocks."""
    return any(key[:1] == MEMBER_TABLE for key in effect.finalization.changes)
