"""Writes what the documents say about scenario files: `python -m` this module, from the top folder.

Run it when a key, a fault or an adversary was added or explained anew.
"""

import json
from pathlib import Path

from simulations.scenario.schema import json_schema, markdown

DOCS = Path(__file__).parents[3] / "docs"
GUIDE, SCHEMA = DOCS / "simulation.md", DOCS / "scenario.schema.json"
BEGIN, END = "<!-- schema -->\n", "<!-- end of schema -->\n"


def with_reference(guide: str) -> str:
    """Return the guide with the tables as they are now."""
    before, _, rest = guide.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{markdown()}\n{END}{after}"


def schema_text() -> str:
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    GUIDE.write_text(with_reference(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")
