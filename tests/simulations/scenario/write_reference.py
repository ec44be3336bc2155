"""Writes what the documents say about scenario files: `python -m` this module, from the top folder.

Run it when a key, a fault or an adversary was added or explained anew.
"""

import json
from pathlib import Path

from simulations import meanings
from simulations.scenario.schema import json_schema, markdown

DOCS = Path(__file__).parents[3] / "docs"
GUIDE, SCHEMA = DOCS / "simulation.md", DOCS / "scenario.schema.json"
METRICS_BEGIN, METRICS_END = "<!-- metrics -->\n", "<!-- end of metrics -->\n"
BEGIN, END = "<!-- schema -->\n", "<!-- end of schema -->\n"


def with_reference(guide: str) -> str:
    """Return the guide with the tables as they are now."""
    guide = _between(guide, METRICS_BEGIN, METRICS_END, meanings.markdown())
    return _between(guide, BEGIN, END, markdown())


def _between(guide: str, begin: str, end: str, text: str) -> str:
    before, _, rest = guide.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{text}\n{end}{after}"


def schema_text() -> str:
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    GUIDE.write_text(with_reference(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")
