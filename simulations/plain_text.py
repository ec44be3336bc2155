"""Texts of others as they may be shown: nothing in them steers a terminal or turns a line around.

Names and questions come from files of others, and what nodes said from logs of others.
"""

import unicodedata

CONTROLS = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of characters that are not shown: control, direction, line ends."""


def is_plain(text: str) -> bool:
    return not any(unicodedata.category(each) in CONTROLS for each in text)


def plain(text: str) -> str:
    """Return the text with a mark in place of what is not shown; lines stay lines."""
    if text.isprintable():
        return text
    return "".join(each if each == "\n" or is_plain(each) else "\ufffd" for each in text)
