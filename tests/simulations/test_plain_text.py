"""Texts of others do not steer the terminal."""

from simulations.plain_text import is_plain, plain


def test_what_steers_a_terminal_is_replaced() -> None:
    assert plain("a\x1b[2Jb\x07c\u202ed") == "a\ufffd[2Jb\ufffdc\ufffdd"
    assert not is_plain("a\x1b[31m")


def test_words_of_any_language_and_lines_stay() -> None:
    text = "95\u00a0% für 東京\nnext"
    assert plain(text) == text
    assert is_plain("95\u00a0%")
