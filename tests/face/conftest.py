"""A study of the standard library, and its computed twin, for the Python face."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import cloudburst

ENSEMBLE = """\
cloudburst: 1
name: tanks
seed: 3
worker:
  directory: model
  entrypoint: tank:fill
  timeout: 1m
parameters:
  fixed: {area: 2.0, label: north}
  grid:
    inflow: [1, 2]
    height: {from: 0.5, to: 1.5, step: 0.5}
  replicates: {n: 2, as: seed}
  derive: {double: "inflow * 2"}
"""

TANK = """\
import os
import time


def fill(inflow, height, area, label, double, seed):
    if height > 9:
        time.sleep(height)
    if inflow == 2 and height == 1.5:
        raise ValueError("the tank overflows")
    return {
        "hours": area * height / inflow,
        "steps": int(10 * height),
        "full": height > 1,
        "tank": {"label": label.upper()},
        "levels": [0, height],
        "runner": os.getpid(),
    }
"""


@dataclass(frozen=True)
class Tanks:
    """The study's directory. `load` gives the study anew."""

    directory: Path

    @property
    def file(self) -> Path:
        return self.directory / "ensemble.yaml"

    def load(self) -> cloudburst.Study:
        return cloudburst.load(self.file)

    def edit(self, before: str, after: str) -> None:
        text = self.file.read_text("utf-8")
        assert before in text
        self.file.write_text(text.replace(before, after), "utf-8")


def write(directory: Path) -> Tanks:
    (directory / "model").mkdir(parents=True)
    (directory / "ensemble.yaml").write_text(ENSEMBLE, "utf-8")
    (directory / "model" / "tank.py").write_text(TANK, "utf-8")
    return Tanks(directory)


@pytest.fixture
def tanks(tmp_path: Path) -> Tanks:
    return write(tmp_path / "tanks")


@pytest.fixture
def without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it is not installed."""
    import sys

    monkeypatch.setitem(sys.modules, "pandas", None)


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tanks]:
    """Applied once; for tests that only look, and for points of their own."""
    made = write(tmp_path_factory.mktemp("computed") / "tanks")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CLOUDBURST_REDIS_URL", raising=False)
        made.load().apply(progress=False)
        yield made


@pytest.fixture
def attempts(computed: Tanks) -> Callable[[], int]:
    """How many attempts the ledger has."""
    import sqlite3
    from contextlib import closing

    def count() -> int:
        ledger = computed.directory / ".cloudburst" / "tanks" / "ledger.sqlite"
        with closing(sqlite3.connect(ledger)) as database:
            found: Any = database.execute("SELECT count(*) FROM outcomes").fetchone()
        return int(found[0])

    return count
