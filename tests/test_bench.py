"""The simulation at scale still fits the controller it simulates: run small, so that it cannot rot unseen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"


@pytest.mark.slow
def test_the_simulation_at_scale_ends_with_every_job_done() -> None:
    ended = subprocess.run(
        [sys.executable, str(BENCH / "scale.py"), "400"],
        cwd=BENCH,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    head, _, *lines = ended.stdout.splitlines()
    assert head.startswith("| jobs of | nodes × slots | jobs a second | idle, all |")
    assert [line.split(" | ")[1] for line in lines] == ["100 × 32"] * 4 + ["1,000 × 32"]


@pytest.mark.slow
def test_rows_are_measured_beside_what_one_writes_by_hand() -> None:
    ended = subprocess.run(
        [sys.executable, str(BENCH / "run.py"), "space", "--rounds", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert [line.split(" | ")[0] for line in ended.stdout.splitlines() if ">= 0.50" in line] == [
        "| rows with `exclude` and `derive`",
        "| `space[i]` of five axes",
    ]
