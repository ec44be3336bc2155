"""A hint for whoever mistypes a word of a scenario."""

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ", did you mean X?" for a mistyped word, or nothing."""
    # Imported here because it is slow to load and seldom needed.
    import difflib  # noqa: PLC0415

    close = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean `{close[0]}`?" if close else ""
