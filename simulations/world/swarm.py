"""Links that come up and go down between hosts, as the daemon's neighbourhood does.

A dead process is noticed at once, a cut link and one that could be back after a while. The nodes
decide which links there should be; here they are given, with detours for those that are cut.
"""

from collections.abc import Iterable
from itertools import combinations
from random import Random

from simulations.world.core_host import CoreHost
from simulations.world.network import Network

NOTICE_MIN, NOTICE_MAX = 50, 3_000
"""After how long a change of a link is noticed, in milliseconds."""
NEIGHBOURS = 3
"""With how many others that came before it a member has a link."""


class Swarm:
    """Keeps links up between hosts that are up, neither cut apart nor unwelcome."""

    def __init__(self, network: Network, pairs: Iterable[tuple[CoreHost, CoreHost]]) -> None:
        self.network = network
        self.pairs: list[tuple[CoreHost, CoreHost]] = []
        self.unwelcome: set[int] = set()
        """Names of those who are no members, or not yet."""
        self.barred: set[int] = set()
        """Pairs, by their index, that never connect, such as two machines behind bad routers."""
        self._is_up: list[bool] = []
        self._is_settling: list[bool] = []
        self._of: dict[int, list[int]] = {}
        """The pairs of each host, by its place."""
        for pair in pairs:
            self.add(*pair)

    def add(self, first: CoreHost, second: CoreHost) -> None:
        index = len(self.pairs)
        self.pairs.append((first, second))
        self._is_up.append(False)
        self._is_settling.append(False)
        for host in (first, second):
            self._of.setdefault(host.place, []).append(index)
            host.on_change = self._changed

    def reconsider(self) -> None:
        """Something has changed: let the links follow."""
        for index in range(len(self.pairs)):
            self._reconsider(index)

    def reset(self, first: CoreHost, second: CoreHost) -> None:
        """Break the link between two hosts, if it is up; it comes back after a while."""
        for index in self._of.get(first.place, ()):
            if second in self.pairs[index] and self._is_up[index]:
                self._set(index, is_up=False)
                self._reconsider(index)

    def _changed(self, host: CoreHost) -> None:
        indexes = self._of.get(host.place, ())
        for index in indexes:
            if self._is_up[index]:
                self._set(index, is_up=False)
        for index in indexes:
            self._reconsider(index)

    def _reconsider(self, index: int) -> None:
        if self._is_settling[index] or self._is_wanted(index) == self._is_up[index]:
            return
        self._is_settling[index] = True
        delay = self.network.random.randint(NOTICE_MIN, NOTICE_MAX)
        self.network.after(delay, self._settle, index)

    def _is_wanted(self, index: int) -> bool:
        first, second = self.pairs[index]
        if not first.is_up or not second.is_up or index in self.barred:
            return False
        if first.name in self.unwelcome or second.name in self.unwelcome:
            return False
        return not self.network.links.are_cut_apart(first.place, second.place)

    def _settle(self, index: int) -> None:
        self._is_settling[index] = False
        if self._is_wanted(index) != self._is_up[index]:
            self._set(index, is_up=not self._is_up[index])

    def _set(self, index: int, *, is_up: bool) -> None:
        self._is_up[index] = is_up
        first, second = self.pairs[index]
        first.link(second.name, is_up=is_up)
        if self._is_up[index] == is_up:  # The first may have died of the news.
            second.link(first.name, is_up=is_up)


def make_pairs(
    chance: Random, hosts: list[CoreHost], authority_count: int
) -> list[tuple[CoreHost, CoreHost]]:
    """Authorities know each other; others know an authority and some more, so there are detours."""
    pairs = list(combinations(hosts[:authority_count], 2))
    for index in range(authority_count, len(hosts)):
        known = {chance.randrange(authority_count): None}
        known |= {chance.randrange(index): None for _ in range(NEIGHBOURS - 1)}
        pairs += [(hosts[each], hosts[index]) for each in sorted(known)]
    return pairs
