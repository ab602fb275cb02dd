"""Every example, run as a reader runs it, beside a plain loop over the same jobs."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cloudburst.compile.jobs import make_jobs
from cloudburst.compile.space import make_space
from cloudburst.run.observe import diagnose
from cloudburst.spec import load

ROOT = Path(__file__).resolve().parents[1]
STUDIES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A copy, so that a run leaves nothing in the checkout."""
    left_out = shutil.ignore_patterns(".cloudburst", "results", "__pycache__", "*.lock", "heat")
    return Path(shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=left_out))


def cloudburst(*arguments: str, cwd: Path) -> str:
    """Standard output of a command that has to succeed."""
    command = [sys.executable, "-m", "cloudburst", *arguments]
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=280, check=False)
    assert ended.returncode == 0, f"cloudburst {' '.join(arguments)}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


def rows(table: str | Path) -> list[dict[str, str]]:
    text = table if isinstance(table, str) else table.read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


# ── what the files say ───────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.name)
def test_there_is_nothing_to_say_against_an_example(study: Path, examples: Path) -> None:
    (examples / "compiled" / "heat").touch(mode=0o755)  # what its first lines say to build
    assert diagnose(examples / study.name) == ()


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.name)
def test_an_example_names_the_schema_beside_it_for_editors(study: Path) -> None:
    first = study.read_text("utf-8").splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (study.parent / first.partition("=")[2]).resolve() == ROOT / "schemas" / "ensemble.schema.json"


def test_the_readme_of_the_examples_lists_each_of_them() -> None:
    readme = (ROOT / "examples" / "README.md").read_text("utf-8")
    assert all(f"({study.name})" in readme for study in STUDIES)


@pytest.mark.parametrize(
    ("name", "count", "names"),
    [
        ("ensemble.yaml", 5 * 4 * 10, {"hours", "spread", "demand", "seed"}),
        ("ishigami.yaml", 256, {"a", "b", "x1", "x2", "x3"}),
        ("compiled.yaml", 3 * 5, {"length", "diffusivity", "cells"}),
    ],
)
def test_an_example_has_the_rows_it_promises(name: str, count: int, names: set[str]) -> None:
    ensemble = load(ROOT / "examples" / name).ensemble
    assert ensemble is not None
    space = make_space(ensemble)
    assert len(space) == count
    assert set(space[0].values) == names
    assert len({job.id for job in make_jobs(ensemble, space, {})}) == count


def test_the_latin_hypercube_has_one_point_in_each_of_its_strata() -> None:
    ensemble = load(ROOT / "examples" / "ishigami.yaml").ensemble
    assert ensemble is not None
    pi = 3.141592653589793
    for name in ("x1", "x2", "x3"):
        drawn = [float(str(row.values[name])) for row in make_space(ensemble)]
        assert sorted(int((x + pi) / (2 * pi) * 256) for x in drawn) == list(range(256))


def test_twice_the_points_keep_the_first_half_as_the_example_says(examples: Path) -> None:
    study = examples / "ishigami.yaml"
    assert "make it 512 later" in study.read_text("utf-8")
    before = ids(study)
    study.write_text(study.read_text("utf-8").replace("n: 256 ", "n: 512 "), "utf-8")
    after = ids(study)
    assert len(after) == 512
    assert after[:256] == before


def ids(study: Path) -> list[str]:
    ensemble = load(study).ensemble
    assert ensemble is not None
    return [job.id for job in make_jobs(ensemble, make_space(ensemble), {})]


# ── what they compute ────────────────────────────────────────────────────────────────────────
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ishigami_gives_what_a_loop_over_its_rows_gives(examples: Path) -> None:
    cloudburst("apply", "ishigami.yaml", cwd=examples)
    spec = importlib.util.spec_from_file_location("ishigami", examples / "ishigami" / "ishigami.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table = rows(examples / "results" / "ishigami.csv")
    assert len(table) == 256
    for row in table:
        job = {name: float(row[name]) for name in ("x1", "x2", "x3", "a", "b")}
        assert float(row["value"]) == module.ishigami(**job)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_compiled_program_converges_to_the_exact_answer(examples: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        assert "CLOUDBURST_REQUIRE_PARTS" not in os.environ, "this machine should have a C compiler"
        pytest.skip("there is no C compiler on this machine; the example needs one")
    place = examples / "compiled"
    subprocess.run([compiler, "-O2", "-Wall", "-Werror", "-o", place / "heat", place / "heat.c"], check=True)
    cloudburst("apply", "compiled.yaml", cwd=examples)
    table = rows(examples / "results" / "heat.csv")
    assert [row["status"] for row in table] == ["done"] * 15
    for row in table:
        exact = 0.3787478382713957 * float(row["length"]) ** 2 / float(row["diffusivity"])
        # The error of this scheme shrinks with the square of the cells.
        assert abs(float(row["half_time"]) / exact - 1) < 0.6 / int(row["cells"]) ** 2
        ended = subprocess.run(
            [place / "heat", row["length"], row["diffusivity"], row["cells"]], capture_output=True, check=True
        )
        assert json.loads(ended.stdout) == {"half_time": float(row["half_time"]), "steps": int(row["steps"])}


LOOP = """\
import json, sys
sys.path.insert(0, sys.argv[1])
import net3
for line in sys.stdin:
    found = net3.work(**json.loads(line))
    tanks = {name: found.pop(name) for name in ("tank_1", "tank_2", "tank_3")}
    found["final_level"] = {name: float(level) for name, level in found["final_level"].items()}
    print(json.dumps({
        **{name: float(v) if name != "lowest_node" and name != "final_level" else v for name, v in found.items()},
        "series": {name: [[int(t), float(h)] for t, h in series.items()] for name, series in tanks.items()},
    }))
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_net3_gives_what_a_plain_loop_with_wntr_gives_exactly(examples: Path, tmp_path: Path) -> None:
    cloudburst("apply", "ensemble.yaml", "--rows", "0:6", cwd=examples)
    table = rows(examples / "results" / "net3.csv")
    done = [row for row in table if row["status"] == "done"]
    assert [row["row"] for row in done] == ["0", "1", "2", "3", "4", "5"]
    plain = plain_loop(examples, tmp_path, [job_of(row) for row in done])

    for row, expected in zip(done, plain, strict=True):
        assert float(row["lowest_pressure"]) == expected["lowest_pressure"]
        assert row["lowest_node"] == expected["lowest_node"]
        assert float(row["lowest_hour"]) == expected["lowest_hour"]
        for tank, level in expected["final_level"].items():
            assert float(row[f"final_level.{tank}"]) == level

    for tank in ("tank_1", "tank_2", "tank_3"):
        long = rows(cloudburst("results", "ensemble.yaml", "--series", tank, cwd=examples))
        for row, expected in zip(done, plain, strict=True):
            points = [[int(p["index"]), float(p["value"])] for p in long if p["row"] == row["row"]]
            assert len(points) == 673
            assert points == expected["series"][tank]


def job_of(row: dict[str, str]) -> dict[str, Any]:
    return {
        "hours": int(row["hours"]),
        "spread": float(row["spread"]),
        "demand": float(row["demand"]),
        "seed": int(row["seed"]),
    }


def plain_loop(examples: Path, home: Path, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`work` over `jobs`, one after another, in an environment with what the lock says."""
    uv = Path(sys.executable).with_name("uv")
    python = home / "environment" / "bin" / "python"
    lock = examples / "ensemble.lock"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, home / "environment"], check=True)
    subprocess.run([uv, "pip", "sync", "--quiet", "--python", python, lock], check=True)
    scratch = home / "scratch"
    scratch.mkdir()
    ended = subprocess.run(
        [python, "-c", LOOP, examples / "net3"],
        input="\n".join(map(json.dumps, jobs)),
        cwd=scratch,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in ended.stdout.splitlines()]
