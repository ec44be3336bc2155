"""What links do to messages: which rule counts for a pair of hosts, and who is cut apart.

A rule is a `LinkSpec` of a scenario, with the hosts that it is about. Of several the last one
counts. Cuts come and go at any time; a message that meets one is lost.
"""

from dataclasses import dataclass

from simulations.scenario.model import LinkSpec

Places = frozenset[int]
"""Hosts, by their place in the network. Only ever asked for members, never iterated over."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A spec for messages from one set of hosts to another, and back unless it is one-way."""

    spec: LinkSpec
    senders: Places
    receivers: Places

    def is_about(self, sender: int, receiver: int) -> bool:
        if sender in self.senders and receiver in self.receivers:
            return True
        if self.spec.is_one_way:
            return False
        return receiver in self.senders and sender in self.receivers


@dataclass(frozen=True, slots=True)
class Cut:
    """`inside` hears nothing from outside, and is heard only if `is_one_way`."""

    inside: Places
    is_one_way: bool = False

    def cuts(self, sender: int, receiver: int) -> bool:
        if (sender in self.inside) == (receiver in self.inside):
            return False
        return not self.is_one_way or receiver in self.inside


@dataclass(frozen=True, slots=True)
class Gap:
    """Nobody of `senders` is heard by anybody of `receivers`; nor the other way, unless one-way."""

    senders: Places
    receivers: Places
    is_one_way: bool = False

    def cuts(self, sender: int, receiver: int) -> bool:
        if sender in self.senders and receiver in self.receivers:
            return True
        return not self.is_one_way and sender in self.receivers and receiver in self.senders


class Links:
    """The rules and cuts that count now."""

    def __init__(self, default: LinkSpec) -> None:
        self.cuts: list[Cut | Gap] = []
        self._rules: list[Rule] = []
        self._default = default
        self._known: dict[tuple[int, int], LinkSpec] = {}

    @property
    def default(self) -> LinkSpec:
        """What counts where no rule does."""
        return self._default

    @default.setter
    def default(self, spec: LinkSpec) -> None:
        self._default = spec
        self._known.clear()

    def add(self, rule: Rule) -> None:
        self._rules.append(rule)
        self._known.clear()

    def remove(self, rule: Rule) -> None:
        self._rules.remove(rule)
        self._known.clear()

    def spec(self, sender: int, receiver: int) -> LinkSpec:
        """Return what the link does to messages from one host to another."""
        pair = (sender, receiver)
        known = self._known.get(pair)
        if known is None:
            about = [rule.spec for rule in self._rules if rule.is_about(sender, receiver)]
            known = self._known[pair] = about[-1] if about else self._default
        return known

    def is_cut(self, sender: int, receiver: int) -> bool:
        return any(cut.cuts(sender, receiver) for cut in self.cuts)

    def are_cut_apart(self, first: int, second: int) -> bool:
        """Say whether no link can stay up between two hosts: one of them is not heard."""
        return self.is_cut(first, second) or self.is_cut(second, first)
