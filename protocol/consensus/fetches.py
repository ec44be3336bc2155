"""What we ask others for, and how often we answer them.

After each step the machine says anew what it lacks; what it does not mention any more is not
asked for again. So a request can neither be lost nor outlive its purpose.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from protocol.messages import BlockWanted, CertificateWanted

FETCHES_MAX = 16
"""How much may be asked for at the same time; the rest waits."""

PEERS_PER_ATTEMPT = 2

ANSWERS_MAX = 4_096
"""How many answers are remembered in order not to repeat them too soon."""

Wanted = BlockWanted | CertificateWanted


@dataclass(frozen=True, slots=True)
class Need:
    """Something we lack, and who should have it."""

    wanted: Wanted
    holders: tuple[int, ...] = ()
    attempts_max: int | None = None
    """A remote claim alone never keeps us asking for ever."""


@dataclass(slots=True)
class Attempts:
    count: int
    due_at: int


@dataclass(frozen=True, slots=True)
class Question:
    """Ask the authority `signer` for `wanted`."""

    signer: int
    wanted: Wanted


@dataclass(slots=True)
class Fetches:
    """The questions that are open."""

    open: dict[Wanted, Attempts] = field(default_factory=dict)

    def ask(
        self, needs: Iterable[Need], *, others: tuple[int, ...], now: int, wait: int, wait_max: int
    ) -> list[Question]:
        """Forget what is not needed any more, and return the questions that are due.

        Each attempt asks other authorities than the one before, likely holders first, and waits
        twice as long.
        """
        wanted: dict[Wanted, Need] = {}
        for need in needs:
            if len(wanted) < FETCHES_MAX:
                wanted.setdefault(need.wanted, need)
        self.open = {key: attempts for key, attempts in self.open.items() if key in wanted}
        questions: list[Question] = []
        for need in wanted.values():
            attempts = self.open.setdefault(need.wanted, Attempts(count=0, due_at=now))
            if attempts.due_at > now or _is_hopeless(need, attempts):
                continue
            questions.extend(_questions(need, attempts.count, others))
            attempts.due_at = now + min(wait << min(attempts.count, 16), wait_max)
            attempts.count += 1
        return questions

    def next_due(self, needs: Iterable[Need]) -> int | None:
        """Return when the next question is due, if any is."""
        return min(
            (
                self.open[need.wanted].due_at
                for need in needs
                if need.wanted in self.open and not _is_hopeless(need, self.open[need.wanted])
            ),
            default=None,
        )


@dataclass(slots=True)
class Answers:
    """When we last answered whom about what: a late or lying peer gets one answer per interval."""

    given: dict[tuple[int, object], int] = field(default_factory=dict)

    def may_give(self, signer: int, about: object, *, now: int, interval: int) -> bool:
        """Say whether to answer, and remember that we do."""
        last = self.given.pop((signer, about), None)
        may = last is None or now - last >= interval
        self.given[signer, about] = now if may or last is None else last
        if len(self.given) > ANSWERS_MAX:
            del self.given[next(iter(self.given))]
        return may


def _questions(need: Need, attempt: int, others: tuple[int, ...]) -> Iterator[Question]:
    likely = [signer for signer in need.holders if signer in others]
    order = [*likely, *(signer for signer in others if signer not in likely)]
    for place in range(min(PEERS_PER_ATTEMPT, len(order))):
        signer = order[(attempt * PEERS_PER_ATTEMPT + place) % len(order)]
        yield Question(signer, need.wanted)


def _is_hopeless(need: Need, attempts: Attempts) -> bool:
    return need.attempts_max is not None and attempts.count >= need.attempts_max
