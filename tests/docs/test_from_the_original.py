"""The page that takes a study of 2018 over: the new file says the very jobs that the old loop enqueued.

That the old worker computes them unchanged is what its console blocks show (`test_console_blocks.py`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from cloudburst.compile.requirements import find_requirements
from cloudburst.run.observe import read_study
from tests.docs.snippets import ROOT, snippets

PAGE = ROOT / "docs" / "from-the-original.md"
FILES = {s.value: s.text for s in snippets(PAGE) if s.mark == "file"}

STAND_INS = {
    "redis.py": "class Redis:\n    def __init__(self, host, port):\n        assert host == 'the-master'\n",
    "rq.py": """\
import json

class Queue:
    def __init__(self, name, connection):
        assert name == "default"

    def enqueue(self, function, job):
        print(json.dumps([function, job]))
""",
}
"""What the loop imports, but for remembering: it prints what it was given."""


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """The directory of the old study."""
    home = tmp_path / "original"
    (home / "stand-ins").mkdir(parents=True)
    for name in ("run.py", "work.py", "Pipfile"):
        (home / name).write_text(FILES[name], "utf-8")
    for name, text in STAND_INS.items():
        (home / "stand-ins" / name).write_text(text, "utf-8")
    shutil.copy(ROOT / "examples" / "net3" / "net3.inp", home)
    return home


def enqueued_by(original: Path) -> list[tuple[str, dict[str, Any]]]:
    """What the loop puts into the queue, in order; it leaves worker.zip."""
    ended = subprocess.run(
        [sys.executable, "run.py", "the-master"],
        cwd=original,
        env={**os.environ, "PYTHONPATH": str(original / "stand-ins")},
        capture_output=True,
        text=True,
        check=True,
    )
    return [tuple(json.loads(line)) for line in ended.stdout.splitlines()]


def moved(original: Path, home: Path) -> Path:
    """The new study: worker.zip unpacked, and the page's ensemble file beside it."""
    with ZipFile(original / "worker.zip") as package:
        package.extractall(home / "worker")
    (home / "ensemble.yaml").write_text(FILES["ensemble.yaml"], "utf-8")
    return home / "ensemble.yaml"


def test_the_new_file_says_the_jobs_of_the_loop_one_for_one(original: Path, tmp_path: Path) -> None:
    loop = enqueued_by(original)
    study = read_study(moved(original, tmp_path / "study"))
    assert study.diagnostics == ()
    assert {function for function, _ in loop} == {(study.ensemble.worker.entrypoint or "").replace(":", ".")}
    new = [dict(job.description) for job in study.jobs]
    assert len(new) == 125
    assert new == [job for _, job in loop]


def test_the_new_study_takes_its_packages_from_the_pipfile(original: Path, tmp_path: Path) -> None:
    enqueued_by(original)
    study = read_study(moved(original, tmp_path / "study"))
    source = find_requirements(tmp_path / "study" / "worker", study.ensemble.worker.entrypoint).source
    assert source is not None
    assert source.kind == "Pipfile"
    assert [r.text for r in source.requirements] == ["wntr==1.5.0", "six", "rq", "redis"]
