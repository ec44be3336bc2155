"""How often a node looks for garbage that refers to itself.

Nearly nothing in a node does: what it drops is gone at once. What was imported and opened stays,
and a busy node makes some hundred thousand objects a second that live for a moment: to look
through all of them again and again takes a tenth of its time, and finds next to nothing.
"""

import gc

NEW_OBJECTS_MAX = 20_000
YOUNG_ROUNDS = 20
MIDDLE_ROUNDS = 20
"""After so many new objects, and rounds of the younger generation, one is looked through."""


def collect_rarely() -> None:
    """Leave alone what is there now, and look through the rest now and then."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS_MAX, YOUNG_ROUNDS, MIDDLE_ROUNDS)
