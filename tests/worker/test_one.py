"""A single job in the foreground."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WORKER = Path(__file__).resolve().parents[2] / "worker"

MODULE = """
import pathlib
def work(n):
    print("working on", n)
    pathlib.Path("p.txt").write_text("plot")
    return {"half": 10 / n, "plot": pathlib.Path("p.txt"), "s": {"time": [1], "value": [2]}}
"""


def run_one(
    lab: Any, tmp_path: Path, files: dict[str, str], n: int
) -> tuple[subprocess.CompletedProcess[str], Any]:
    digest = lab.order(files)
    (tmp_path / "order").write_bytes(lab.client.get(f"cloudburst:lab:order:{digest}"))
    (tmp_path / "job").write_text(json.dumps({"job": {"n": n}, "argv": None}))
    (tmp_path / "end").unlink(missing_ok=True)
    command = [
        sys.executable, "-m", "cloudburst_worker", "run-one", "--order", tmp_path / "order", "--job", tmp_path / "job",
        "--files-root", lab.store.address, "--secrets", lab.secrets, "--cache", lab.cache,
        "--end", tmp_path / "end", "--results", tmp_path / "results",
    ]  # fmt: skip
    ran = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(WORKER)}, check=False
    )
    end = json.loads((tmp_path / "end").read_text()) if (tmp_path / "end").exists() else None
    return ran, end


@pytest.mark.slow
def test_a_job_in_the_foreground(lab: Any, tmp_path: Path) -> None:
    ran, end = run_one(lab, tmp_path, {"mod.py": MODULE}, 4)
    assert (ran.returncode, ran.stdout) == (0, "working on 4\n")
    assert end["result"] == {"half": 2.5}
    assert Path(end["files"]["plot"]["path"]).read_text() == "plot"
    assert Path(end["series"]["path"]).read_bytes().startswith(b'{"format":1')
    ran, end = run_one(lab, tmp_path, {"mod.py": MODULE}, 0)
    assert ran.returncode == 1
    assert end["error"].startswith("ZeroDivisionError")
    ran, end = run_one(lab, tmp_path, {"mod.py": "def other(): pass"}, 1)
    assert (ran.returncode, end) == (2, None)
    assert "module `mod` has no function `work`" in ran.stderr
