"""What docs/editors-and-git.md shows and no other test runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.docs.snippets import ROOT, snippets

from .page import PAGE, shown

WORKFLOW = ".github/workflows/studies.yaml"
BROKEN = "pumps.yaml"


def steps() -> list[str]:
    """The commands of the workflow. `on` is a word in GitHub's YAML, so nothing is made of the scalars."""
    workflow = yaml.load(shown(WORKFLOW), yaml.BaseLoader)
    assert workflow["on"] == ["push", "pull_request"]
    return [step["run"] for step in workflow["jobs"]["validate"]["steps"] if "run" in step]


@pytest.mark.slow
def test_the_workflow_annotates(tmp_path: Path) -> None:
    left_out = shutil.ignore_patterns(".cloudburst", "results", "__pycache__", "*.lock")
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=left_out)
    (tmp_path / BROKEN).write_text(shown(BROKEN), "utf-8")
    _, command = steps()
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(tmp_path),
    }
    for line, code, said in ((command, 0, ""), (f"{command} {BROKEN}", 2, f"::error file={BROKEN},")):
        ended = subprocess.run(
            ["sh", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert (ended.returncode, ended.stderr) == (code, "")
        assert ended.stdout.startswith(said)
        assert bool(ended.stdout) is bool(said)


def test_the_setting_of_an_editor_names_the_file_that_the_page_saves() -> None:
    (setting,) = (s for s in snippets(PAGE) if s.language == "json")
    (schema,) = json.loads(setting.text)["yaml.schemas"]
    saving = next(s for s in snippets(PAGE) if s.language == "console")
    assert saving.text.strip() == f"$ cloudburst schema > {schema}"
