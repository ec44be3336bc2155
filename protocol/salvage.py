"""Which blocks survive when an epoch ends because too many of its authorities are lost for ever.

A block that somebody was told is final must never go away, so a notarized block is *kept* unless it
cannot have become final:

- the view is nullified, which a certificate shows, or a later notarized block that skips it; or
- too many survivors froze without a vote to finalize it. With f of them lying, and all who do not
  report having voted for it, its votes are still no quorum.

At four authorities with two lost, counting excludes nothing: so the block is kept, which is the
safe side. Two kept blocks cannot contradict each other, for the later one shows that the earlier
one's view was nullified if it does not stand on it (L5 in docs/protocol.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protocol.blocks import Block, BlockHash, Header, block_hash
from protocol.errors import ProtocolError
from protocol.genesis import Authority, faulty_max, quorum
from protocol.survivors import SurvivorReport, own_votes
from protocol.votes import Certificate, VoteKind


class TooFewReports(ProtocolError):
    """So few survivors cannot tell what was final."""

    code = "too-few-reports"


class BlockMissing(ProtocolError):
    """A block is final, and none of those who report has it."""

    code = "block-missing"


class ContradictingReports(ProtocolError):
    """The reports prove that more than f authorities signed contradicting votes."""

    code = "contradicting-reports"


@dataclass(frozen=True, slots=True)
class Salvage:
    """What the next epoch stands on."""

    base: Header
    blocks: tuple[Block, ...]
    """From above the newest final head up to the base; empty if that head is the base."""
    abandoned: tuple[BlockHash, ...]
    """Notarized blocks that might have become final, but whose bodies no survivor has."""


def reports_needed(authority_count: int) -> int:
    """Return how many survivors must report, so that one of them voted for all that is final."""
    return authority_count - quorum(authority_count) + 1


def salvage(reports: Sequence[SurvivorReport], authorities: tuple[Authority, ...]) -> Salvage:
    """Decide from validated reports, each of another authority, which block is the last.

    Raises `TooFewReports`, `BlockMissing` or `ContradictingReports`.
    """
    needed = reports_needed(len(authorities))
    if len(reports) < needed:
        raise TooFewReports(f"{len(reports)} of {needed} reports are here")
    known = _Known(reports)
    head, final_view = _newest_final(reports)
    path: list[Block] = []
    abandoned: list[BlockHash] = []
    for view, block in _may_be_final(known, reports, final_view, authorities):
        above = known.path(block, head)
        if above is None:
            if view in known.final:
                raise BlockMissing(f"no report has the whole way to the final block of view {view}")
            abandoned.append(block)
        elif path and path[-1] not in above:
            raise ContradictingReports(f"the block of view {view} does not stand on a kept one")
        else:
            path = above
    blocks = tuple(each for each in path if not each.header.is_tail)
    return Salvage(blocks[-1].header if blocks else head, blocks, tuple(abandoned))


class _Known:
    """What all reports say together."""

    def __init__(self, reports: Sequence[SurvivorReport]) -> None:
        self.bodies: dict[BlockHash, Block] = {
            block_hash(block.header): block for report in reports for block in report.blocks
        }
        self.notarized: dict[int, BlockHash] = {}
        self.nullified: dict[int, None] = {}
        self.final: dict[int, BlockHash] = {}
        for report in reports:
            if report.certificate is not None:
                self._take(report.certificate)
            for certificate in report.certificates:
                self._take(certificate)
        for view in self.final:
            if (
                view in self.nullified
                or self.notarized.get(view, self.final[view]) != (self.final[view])
            ):
                raise ContradictingReports(f"view {view} is final and something else as well")

    def path(self, block: BlockHash, head: Header) -> list[Block] | None:
        """Return the blocks above `head` up to `block`, or `None` if one is missing."""
        end, found = block_hash(head), list[Block]()
        while block != end:
            body = self.bodies.get(block)
            if body is None:
                return None
            if body.header.height <= head.height:
                raise ContradictingReports("a block that may be final does not stand on the head")
            found.append(body)
            block = body.header.parent
        return found[::-1]

    def is_skipped(self, view: int) -> bool:
        """Say whether a later notarized block shows that the view was nullified (L5)."""
        for later, block in self.notarized.items():
            body = self.bodies.get(block)
            if later > view and body is not None and body.header.parent_view < view:
                return True
        return False

    def _take(self, certificate: Certificate) -> None:
        if certificate.kind == VoteKind.NULLIFY:
            self.nullified[certificate.view] = None
            return
        blocks = self.notarized if certificate.kind == VoteKind.NOTARIZE else self.final
        if blocks.setdefault(certificate.view, certificate.block) != certificate.block:
            raise ContradictingReports(f"view {certificate.view} has two blocks")


def _newest_final(reports: Sequence[SurvivorReport]) -> tuple[Header, int]:
    """Return the newest head of a report, and up to which view all is decided by it.

    A finalization in a log whose block is not stored yet is found above, as a block that is kept.
    """
    newest = max(reports, key=lambda report: report.finalized_view)
    for report in reports:
        if report.finalized_view == newest.finalized_view and report.head != newest.head:
            raise ContradictingReports("two reports have another head at the same view")
    return newest.head, newest.finalized_view


def _may_be_final(
    known: _Known,
    reports: Sequence[SurvivorReport],
    final_view: int,
    authorities: tuple[Authority, ...],
) -> list[tuple[int, BlockHash]]:
    """Return views and blocks above the head that must be kept, in the order of views."""
    candidates: Mapping[int, BlockHash] = known.notarized | known.final
    result = []
    for view in sorted(candidates):
        block = candidates[view]
        if view <= final_view:
            continue
        excluded = view in known.nullified or known.is_skipped(view)
        if view in known.final:
            if excluded:
                raise ContradictingReports(f"view {view} is final and skipped")
        elif excluded or _is_outvoted(reports, view, block, authorities):
            continue
        result.append((view, block))
    return result


def _is_outvoted(
    reports: Sequence[SurvivorReport],
    view: int,
    block: BlockHash,
    authorities: tuple[Authority, ...],
) -> bool:
    """Say whether too many froze without a vote to finalize the block."""
    without = sum(
        not any(
            (vote.kind, vote.view, vote.block) == (VoteKind.FINALIZE, view, block)
            for vote in own_votes(report, authorities)
        )
        for report in reports
    )
    count = len(authorities)
    return without > count - quorum(count) + faulty_max(count)
