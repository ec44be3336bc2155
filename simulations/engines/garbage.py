"""How often a process that does nothing but run simulations looks for garbage.

A world is large, and little in it refers to itself: to look through all of it after every few
hundred new objects finds nothing, and takes a tenth of the time or more.
"""

import gc

NEW_OBJECTS_MAX = 50_000
YOUNG_ROUNDS = 20
MIDDLE_ROUNDS = 50
"""After so many new objects, and rounds of the younger generation, one is looked through."""


def collect_rarely() -> None:
    """Leave alone what was imported, and look through the rest now and then."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS_MAX, YOUNG_ROUNDS, MIDDLE_ROUNDS)
