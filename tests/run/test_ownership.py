from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cloudburst.errors import StudyBusy
from cloudburst.run.ownership import check_ownership, take_ownership
from cloudburst.run.places import places, prepare


def owned(directory: Path, name: str) -> Path:
    """A spec file that computes as the study `net3` here."""
    spec = directory / name
    spec.write_text("name: net3\n")
    place = places(spec, "net3")
    check_ownership(place)
    prepare(place)
    take_ownership(place)
    return spec


def test_the_same_file_goes_on(tmp_path: Path) -> None:
    assert owned(tmp_path, "a.yaml") == owned(tmp_path, "a.yaml")


def test_a_second_file_with_the_same_name_is_refused(tmp_path: Path) -> None:
    owned(tmp_path, "a.yaml")
    with pytest.raises(StudyBusy, match=r"a\.yaml beside b\.yaml is a study named net3, too") as raised:
        owned(tmp_path, "b.yaml")
    assert "another `name:`" in raised.value.hint


def test_a_file_that_was_renamed_takes_its_study_along(tmp_path: Path) -> None:
    owned(tmp_path, "a.yaml").rename(tmp_path / "b.yaml")
    owned(tmp_path, "b.yaml")
    with pytest.raises(StudyBusy):
        owned(tmp_path, "a.yaml")


def test_a_link_to_the_file_is_the_file(tmp_path: Path) -> None:
    owned(tmp_path, "a.yaml")
    (tmp_path / "b.yaml").symlink_to("a.yaml")
    check_ownership(places(tmp_path / "b.yaml", "net3"))


def test_a_copy_of_the_project_is_a_study_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    owned(tmp_path / "one", "a.yaml")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    owned(tmp_path / "two", "a.yaml")
