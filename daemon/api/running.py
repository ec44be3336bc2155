"""What the methods of the local interface work on."""

from dataclasses import dataclass

from daemon.librarian.librarian import Librarian
from daemon.node import Node


@dataclass(frozen=True, slots=True)
class Running:
    """A node that runs, with its librarian, since `started_at` (milliseconds)."""

    node: Node
    librarian: Librarian
    started_at: int
