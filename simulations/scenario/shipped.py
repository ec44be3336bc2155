"""The scenarios that come with Placet, found by their names."""

from pathlib import Path

from simulations.errors import NoSuchScenario
from simulations.scenario.hint import did_you_mean
from simulations.scenario.load import load
from simulations.scenario.model import Scenario

FOLDER = Path(__file__).parents[1] / "scenarios"


def shipped_files() -> dict[str, Path]:
    """Return the files by the names of their scenarios."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}


def shipped_scenarios() -> list[Scenario]:
    return [load(path) for path in shipped_files().values()]


def find_scenario(text: str) -> Path:
    """Return the file that `text` names: a path, or a shipped scenario."""
    shipped = shipped_files()
    if text in shipped:
        return shipped[text]
    path = Path(text)
    if path.is_file():
        return path
    if path.is_dir():
        raise NoSuchScenario(f"{text} is a folder, not a file")
    if path.suffix == ".toml" or "/" in text:
        raise NoSuchScenario(f"there is no file {text}")
    raise NoSuchScenario(f"there is no scenario called `{text}`{did_you_mean(text, shipped)}")
