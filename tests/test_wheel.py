"""What is installed from the wheel, away from the checkout, runs a study: nothing of it was left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

ROOT = Path(__file__).parents[1]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    told = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    ended = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**told, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    run(
        find_uv_bin(),
        "build",
        "--quiet",
        "--wheel",
        "--python",
        sys.executable,
        "--out-dir",
        target,
        ROOT,
        cwd=target,
    )
    return next(target.glob("cloudburst-*.whl"))


def test_it_carries_schemas_stack_and_worker(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for part in (
        "schemas/ensemble.schema.json",
        "stack/README.md",
        "stack/host/switch.py",
        "stack/host/first-boot.sh",
        "stack/host/cloudburst-switch.service",
        "worker/cloudburst_worker/supervise.py",
    ):
        assert f"cloudburst/_assets/{part}" in names
    assert not [name for name in names if name.startswith(("tests", "examples", "bench", "docs"))]


def test_a_study_runs_with_what_was_installed(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "study"
    home.mkdir()
    run(find_uv_bin(), "venv", "--quiet", "--python", sys.executable, tmp_path / "env", cwd=home)
    python = tmp_path / "env" / "bin" / "python"
    run(find_uv_bin(), "pip", "install", "--quiet", "--python", python, wheel, cwd=home)
    cloudburst = tmp_path / "env" / "bin" / "cloudburst"
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    where = run(python, "-c", "from cloudburst import assets; print(assets.worker_directory())", cwd=home)
    assert where.strip().startswith(str(tmp_path / "env")), "not the checkout's"
    run(cloudburst, "init", cwd=home, **cache)
    assert "Done: 30 jobs" in run(cloudburst, "apply", cwd=home, **cache)
    assert "30 rows, 30 done" in run(cloudburst, "status", cwd=home, **cache)
    assert "$schema" in run(cloudburst, "schema", cwd=home, **cache)
