"""What may have become final is kept; what cannot have become final may go."""

import pytest
from msgspec.structs import replace

from protocol.salvage import (
    BlockMissing,
    ContradictingReports,
    TooFewReports,
    reports_needed,
    salvage,
)
from protocol.votes import Certificate
from tests.protocol.conversation import WORLD, block_on, certificate_of, vote_of
from tests.protocol.survivor_examples import ENDED, F, N, X, hashes, report_from

FIRST = block_on(WORLD.base, 1, 7)
SECOND = block_on(FIRST, 2, 8)
BESIDE = block_on(WORLD.base, 2, 9)
N1, N2 = certificate_of(N, 1, FIRST), certificate_of(N, 2, SECOND)
F1, F2 = certificate_of(F, 1, FIRST), certificate_of(F, 2, SECOND)
X1 = certificate_of(X, 1)
NAMES = ENDED.authorities


def test_nothing_above_the_head_leaves_the_head() -> None:
    found = salvage([report_from(0), report_from(1)], NAMES)

    assert (found.base, found.blocks, found.abandoned) == (WORLD.base.header, (), ())


def test_the_newest_final_head_counts() -> None:
    ahead = report_from(0, head=FIRST, certificate=F1)

    assert salvage([report_from(1), ahead], NAMES).base == FIRST.header


def test_a_notarized_block_is_kept_with_two_of_four_lost() -> None:
    """Nothing can be excluded by counting: so somebody may have been told that it is final."""
    holder = report_from(0, certificates=(N1,), blocks=(FIRST,))

    assert salvage([holder, report_from(1)], NAMES).base == FIRST.header
    assert salvage([report_from(1), holder], NAMES).base == FIRST.header


def test_three_of_four_who_did_not_finalize_exclude_a_block() -> None:
    reports = [report_from(0, certificates=(N1,), blocks=(FIRST,)), report_from(1), report_from(2)]
    assert salvage(reports, NAMES).base == WORLD.base.header

    reports[1] = report_from(1, vote_of(1, F, 1, FIRST))
    assert salvage(reports, NAMES).base == FIRST.header
    reports[1] = report_from(1, vote_of(3, F, 1, FIRST))  # Another's vote is no own vote.
    assert salvage(reports, NAMES).base == WORLD.base.header


def test_a_nullified_view_keeps_nothing() -> None:
    holder = report_from(0, certificates=(N1,), blocks=(FIRST,))

    assert salvage([holder, report_from(1, certificates=(X1,))], NAMES).base == WORLD.base.header


def test_a_later_notarized_block_that_skips_a_view_shows_that_it_was_nullified() -> None:
    holder = report_from(0, certificates=(N1,), blocks=(FIRST,))
    beside = report_from(1, certificates=(certificate_of(N, 2, BESIDE),), blocks=(BESIDE,))

    assert salvage([holder, beside], NAMES).base == BESIDE.header


def test_ancestors_are_kept_with_a_block() -> None:
    upper = report_from(0, certificates=(N2,), blocks=(SECOND,))
    lower = report_from(1, certificates=(N1,), blocks=(FIRST,))

    found = salvage([upper, lower], NAMES)
    assert hashes(found.blocks) == hashes((FIRST, SECOND))
    assert found.base == SECOND.header


def test_a_final_block_that_the_store_missed_is_kept() -> None:
    found = salvage([report_from(0, certificates=(F1,), blocks=(FIRST,)), report_from(1)], NAMES)

    assert found.base == FIRST.header


def test_a_final_block_that_nobody_has_stops_the_recovery() -> None:
    with pytest.raises(BlockMissing):
        salvage([report_from(0, certificates=(F1,)), report_from(1)], NAMES)


def test_a_notarized_block_that_nobody_has_is_named() -> None:
    found = salvage([report_from(0, certificates=(N1,)), report_from(1)], NAMES)

    assert (found.base, found.abandoned) == (WORLD.base.header, (N1.block,))


def test_a_tail_is_not_part_of_the_chain() -> None:
    tail = replace(SECOND, header=replace(SECOND.header, is_tail=True))
    reports = [
        report_from(0, certificates=(N1, certificate_of(N, 2, tail)), blocks=(FIRST, tail)),
        report_from(1),
    ]

    assert salvage(reports, NAMES).base == FIRST.header


@pytest.mark.parametrize(("count", "needed"), [(1, 1), (4, 2), (7, 3), (10, 4)])
def test_so_many_must_report_that_one_of_them_voted_for_all_that_is_final(
    count: int, needed: int
) -> None:
    assert reports_needed(count) == needed


def test_one_of_four_is_not_enough() -> None:
    with pytest.raises(TooFewReports):
        salvage([report_from(0)], NAMES)


@pytest.mark.parametrize(
    "certificates",
    [
        (F1, X1),
        (N1, certificate_of(N, 1, BESIDE)),
        (F1, certificate_of(N, 1, BESIDE)),
    ],
)
def test_more_than_f_liars_are_found_out(certificates: tuple[Certificate, ...]) -> None:
    with pytest.raises(ContradictingReports):
        salvage([report_from(0, certificates=certificates, blocks=(FIRST,)), report_from(1)], NAMES)


def test_heads_of_one_view_are_the_same() -> None:
    other = report_from(1, head=block_on(WORLD.base, 1, 9), certificate=F1)

    with pytest.raises(ContradictingReports):
        salvage([report_from(0, head=FIRST, certificate=F1), other], NAMES)


def test_what_is_kept_stands_on_the_head() -> None:
    fork = block_on(WORLD.base, 3, 9)
    liar = report_from(0, certificates=(certificate_of(N, 3, fork),), blocks=(fork,))

    with pytest.raises(ContradictingReports):
        salvage([liar, report_from(1, head=FIRST, certificate=F1)], NAMES)
