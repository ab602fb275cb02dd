"""What the fuzzing found once, and files at the limits: each ends in a plan or in diagnostics with places.

How long that takes and how much memory is no test's business on a busy machine: `make fuzz` begins with the same files,
under its limits.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from cloudburst.run.observe import diagnose
from tests.fuzz import hostile
from tests.fuzz.judging import check_places, judge
from tests.fuzz.mangling import bomb, deep, long, mangled
from tests.fuzz.studies import CORPUS, Project, seeds

KEPT = sorted(CORPUS.glob("*.yaml"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("corpus") / "study")


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
def test_what_broke_once_does_not_any_more(file: Path, project: Project) -> None:
    judge(project, file.read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("name", hostile.HOSTILE)
def test_a_file_at_the_limits_is_looked_at_and_told_of(name: str, project: Project) -> None:
    check_places(diagnose(project.write(hostile.HOSTILE[name].encode())), project.home)


@pytest.mark.parametrize("make", [bomb, deep, long])
def test_bombs_are_refused_or_read(make: object, project: Project) -> None:
    for seed in range(30):
        judge(project, b"cloudburst: 1\nname: s\n" + make(Random(seed)))  # type: ignore[operator]


def test_there_is_much_to_begin_with_and_a_change_changes_it() -> None:
    found = list(seeds(generated=5))
    assert len(found) > 200
    chance = Random(1)
    assert sum(mangled(data, chance, found) != data for data in found) > len(found) * 0.9
