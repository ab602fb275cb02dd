from __future__ import annotations

from collections.abc import Iterator

import pytest
from faults.table import SWARM, WRITE, note

from lab import Lab

from .evidence import Evidence
from .ordeal import PATIENCE, Tell
from .pair import Pair, standing_pair


@pytest.fixture(scope="session")
def long_seconds(pytestconfig: pytest.Config) -> float:
    """How long a long job takes: a minute when the table is written, less in the usual test run."""
    return 60.0 if pytestconfig.getoption(WRITE) else 20.0


@pytest.fixture(scope="package")
def pair(lab: Lab, tmp_path_factory: pytest.TempPathFactory, long_seconds: float) -> Iterator[Pair]:
    """Two studies that stand on the swarm, each with some jobs done."""
    with standing_pair(lab, tmp_path_factory.mktemp("faults"), long_seconds) as made:
        for course in [study.begin("first", 12, seconds=0.1) for study in made.both]:
            course.finish(PATIENCE)
        yield made


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Tell:
    """Remembers a line of the table; called by a test when everything held."""

    def line(what: str, short: Evidence, long: Evidence) -> None:
        print(f"\n{what}: {short} {long}")
        cells = (what, str(short.again), _seconds(short.busy), str(long.again), _seconds(long.rerun))
        note(pytestconfig, SWARM, cells)

    return line


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} s"
