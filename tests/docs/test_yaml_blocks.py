"""Every yaml block of the pages is an ensemble file that `validate` has nothing to say about, or a part of one."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from cloudburst.cli import starter
from cloudburst.run.observe import diagnose
from tests.docs.snippets import PAGES, ROOT, Snippet, snippets

YAML = [s for page in PAGES for s in snippets(page) if s.language == "yaml" and s.mark != "file"]
"""A file of a page's project is what the page's commands and its own tests make of it."""

AROUND = {
    "cloudburst": "cloudburst: 1",
    "name": "name: fragment",
    "worker": "worker: {directory: model, entrypoint: 'model:run'}",
    "parameters": "parameters: {grid: {x: [1, 2]}}",
}
"""What a fragment gets around it where it does not say so itself."""


def completed(fragment: str) -> str:
    own = set(re.findall(r"^(\w+):", fragment, re.MULTILINE))
    return "\n".join([*(text for key, text in AROUND.items() if key not in own), fragment])


def project(home: Path) -> None:
    """The files that the pages' ensemble files name."""
    (home / "model").mkdir()
    (home / "model" / "model.py").write_text("def run(job):\n    return job\n")
    (home / "model" / "solve").touch(mode=0o755)
    (home / "data").mkdir()
    (home / "data" / "city.inp").write_text("[END]\n")
    (home / "data" / "gcm").mkdir()
    for year in ("dry", "wet"):
        (home / "data" / "gcm" / f"{year}.nc").write_text(year)
    (home / "base.yaml").write_text(completed(""))
    (home / "scenarios.csv").write_text("x,pipe,note\n1.5,010,old\n-1,020,\n")
    shutil.copytree(ROOT / "examples" / "net3", home / "net3")
    for name, text in starter.files("pendulum-study").items():
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(text, "utf-8")


@pytest.mark.parametrize("snippet", YAML, ids=str)
def test_nothing_is_wrong_with_a_yaml_block(snippet: Snippet, tmp_path: Path) -> None:
    project(tmp_path)
    file = tmp_path / "ensemble.yaml"
    file.write_text(completed(snippet.text) if snippet.mark == "fragment" else snippet.text, "utf-8")
    assert [f"{d.code}: {d.message}" for d in diagnose(file)] == []


def test_the_readme_shows_the_example_as_it_is() -> None:
    readme = PAGES[0]
    example = (readme.parent / "examples" / "ensemble.yaml").read_text("utf-8")
    assert next(s for s in snippets(readme) if s.language == "yaml").text == example
