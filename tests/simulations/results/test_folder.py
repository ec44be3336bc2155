"""Folders of results are found again, and the newest by its link."""

from datetime import timedelta
from pathlib import Path

import pytest

from simulations.errors import ResultsInvalid
from simulations.results.folder import (
    TRIES_MAX,
    FolderBusy,
    create_folder,
    discard_folder,
    open_folder,
    working_alone,
    write_whole,
)
from tests.simulations.results.examples import NOON, SCENARIO, example_folder


def test_the_newest_and_the_one_before_are_found(tmp_path: Path) -> None:
    first = example_folder(tmp_path)
    second = example_folder(tmp_path, now=NOON + timedelta(seconds=1))
    assert first.path.name == "example-20270131-120000"
    assert open_folder("latest", tmp_path).path == second.path.resolve()
    assert open_folder("previous", tmp_path).path == first.path.resolve()
    assert open_folder(first.path.name, tmp_path).path == first.path.resolve()
    assert open_folder(str(first.path), Path("elsewhere")).path == first.path.resolve()
    assert (tmp_path / "latest").readlink() == Path(second.path.name)


def test_folders_of_one_second_do_not_share(tmp_path: Path) -> None:
    paths = [example_folder(tmp_path).path for _ in range(12)]
    assert len(set(paths)) == 12
    assert open_folder("latest", tmp_path).path == paths[-1].resolve()
    assert open_folder("previous", tmp_path).path == paths[-2].resolve()


def test_more_folders_of_one_second_than_the_limit_are_refused(tmp_path: Path) -> None:
    for _ in range(TRIES_MAX):
        create_folder(tmp_path, "twins", NOON)
    with pytest.raises(ResultsInvalid, match="100 folders"):
        create_folder(tmp_path, "twins", NOON)


@pytest.mark.parametrize("name", ["latest", "previous", "none", "."])
def test_what_is_no_folder_of_results_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ResultsInvalid) as caught:
        open_folder(name, tmp_path)
    assert "placet sim run" in caught.value.next_step
    example_folder(tmp_path)
    with pytest.raises(ResultsInvalid) as caught:
        open_folder("none", tmp_path)
    assert SCENARIO.name in caught.value.next_step


def test_a_file_that_could_not_be_written_whole_is_as_before(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")
    with pytest.raises(TypeError):
        write_whole(path, None)  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_discarded_leaves_nothing_and_latest_as_before(tmp_path: Path) -> None:
    root = tmp_path / "results"
    first = example_folder(root)
    discard_folder(create_folder(root, "empty", NOON + timedelta(seconds=1)))
    assert open_folder("latest", root).path == first.path.resolve()
    assert sorted(root.iterdir()) == [first.path, root / "latest"]
    discard_folder(first)
    assert not root.exists()


def test_two_commands_do_not_work_in_one_folder(tmp_path: Path) -> None:
    folder = example_folder(tmp_path)
    with working_alone(folder), pytest.raises(FolderBusy), working_alone(folder):
        pytest.fail("both are at work")
    with working_alone(folder):
        pass
