"""Tickets that come through, and tickets that were cut, changed or made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.errors import Exit
from daemon.joining.ticket import (
    TICKET_LENGTH_MAX,
    InvalidTicket,
    Ticket,
    TicketExpired,
    parse_ticket,
    render_ticket,
    require_fresh,
    secret_hash,
)

TICKET = Ticket(
    name="canton",
    network=bytes(range(32)),
    sponsor=bytes(range(32, 64)),
    addresses=("/ip4/192.0.2.1/tcp/4001", "/dns4/st-mary.example/tcp/4001"),
    secret=b"s" * 16,
    expires_at=1_900_000_000_000,
)
TEXT = render_ticket(TICKET)


def why(text: str) -> str:
    with pytest.raises(InvalidTicket) as caught:
        parse_ticket(text)
    assert caught.value.exit_code == Exit.USAGE
    assert caught.value.next_step
    return str(caught.value)


def test_a_ticket_is_read_back_from_its_text() -> None:
    assert parse_ticket(TEXT) == TICKET
    assert TEXT.startswith("placet1")
    assert TEXT.isalnum()
    assert TEXT.lower() == TEXT


def test_case_and_line_breaks_do_not_matter() -> None:
    broken = "\n  ".join(TEXT[start : start + 30] for start in range(0, len(TEXT), 30))
    assert parse_ticket(f" {broken.upper()}\n") == TICKET


@pytest.mark.parametrize("missing", [1, 4, 8, 20, 100, len(TEXT) - 20])
def test_a_ticket_that_was_cut_says_so(missing: int) -> None:
    assert "the end of the ticket is missing" in why(TEXT[:-missing])


@given(st.integers(12, len(TEXT) - 1), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_changed_letter_is_noticed(place: int, letter: str) -> None:
    changed = TEXT[:place] + letter + TEXT[place + 1 :]
    try:
        found = parse_ticket(changed)
    except InvalidTicket:
        return
    # The last letter of base32 carries bits that mean nothing.
    assert found == TICKET


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a ticket starts with placet1"),
        ("placet2" + TEXT[7:], "a ticket starts with placet1"),
        ("placet1", "the end of the ticket is missing"),
        (TEXT + "aaaaaaaa", "its checksum is wrong"),
        (TEXT[:50] + "1" + TEXT[51:], "letters that no ticket has"),
        (TEXT[:50] + "é" + TEXT[51:], "letters that no ticket has"),
        ("placet1" + "a" * TICKET_LENGTH_MAX, "too long"),
    ],
)
def test_what_is_no_ticket_is_refused_in_words(text: str, said: str) -> None:
    assert said in why(text)


@given(st.text(max_size=300))
def test_any_text_is_a_ticket_or_refused(text: str) -> None:
    for letters in (text, "placet1" + text):
        with pytest.raises(InvalidTicket):
            parse_ticket(letters)


def test_a_ticket_is_fresh_until_it_expires() -> None:
    require_fresh(TICKET, TICKET.expires_at)
    with pytest.raises(TicketExpired, match="canton has expired"):
        require_fresh(TICKET, TICKET.expires_at + 1)


def test_neither_repr_nor_hash_shows_the_secret() -> None:
    assert "s" * 16 not in repr(TICKET)
    assert b"s" * 4 not in secret_hash(TICKET.secret)
