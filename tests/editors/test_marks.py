"""Wavy lines: none where nothing is wrong, and else in the line where `validate` has it, in words about the file."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from cloudburst import assets
from cloudburst.spec import load
from cloudburst.spec.schema import examples, the_schema, validate
from tests.docs.snippets import PAGES, Snippet, snippets
from tests.docs.test_yaml_blocks import completed

from .language_server import Editor

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STUDIES = sorted(
    path
    for path in (ROOT / "examples").rglob("*.yaml")
    if re.search(r"^(cloudburst|extends): ", path.read_text("utf-8"), re.MULTILINE)
)
YAML = [s for page in PAGES for s in snippets(page) if s.language == "yaml" and s.mark != "file"]

HEAD = "cloudburst: 1\nname: study\nworker: {directory: model, entrypoint: model:run}\n"
WHOLE = HEAD + "parameters: {grid: {x: [1, 2]}}\n"


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_nothing_is_wrong_with_an_example(editor: Editor, study: Path) -> None:
    """Opened where it lies: its first line leads to the schema."""
    assert editor.marks(study.read_text("utf-8"), study) == []


@pytest.mark.parametrize("snippet", YAML, ids=str)
def test_nothing_is_wrong_with_what_a_page_shows(editor: Editor, snippet: Snippet) -> None:
    text = completed(snippet.text) if snippet.mark == "fragment" else snippet.text
    text = re.sub(r"^# yaml-language-server:.*\n", "#\n", text)
    assert editor.marks(text) == []


MISTAKES = {
    WHOLE + "clutser: {slots: 2}\n": (5, "Property clutser is not allowed."),
    WHOLE + "seed: three\n": (5, 'Incorrect type. Expected "integer".'),
    WHOLE.replace("name: study", "name: My Study"): (2, "A name has lower-case letters"),
    WHOLE.replace("entrypoint: model:run", "entrypoint: run"): (3, "An entrypoint is module:function"),
    HEAD + "\n": (1, 'Missing property "parameters".'),
    "cloudburst: 1\nname: a\nworker: {directory: m}\nparameters: {}\n": (
        3,
        "Exactly one of `entrypoint` and `command` has to stand here.",
    ),
    "cloudburst: 1\nname: a\nworker:\n  directory: m\n  entrypoint: a:b\n  command: [c]\nparameters: {}\n": (
        6,
        "Exactly one of `entrypoint` and `command` has to stand here.",
    ),
    WHOLE.replace("run}", "run, timeout: 10}"): (3, "A duration says its unit"),
    WHOLE.replace("run}", "run, timeout: soon}"): (3, "A duration says its unit"),
    WHOLE.replace("run}", "run, needs: {memory: 2}}"): (3, "A size says its unit"),
    HEAD + "parameters:\n  grid:\n    a: {from: 1, to: 2}\n": (6, "Exactly one of `step` and `count`"),
    HEAD + "parameters:\n  grid:\n    a: {from: 1, too: 2, step: 1}\n": (6, "Property too is not allowed."),
    HEAD + "parameters:\n  grid:\n    a: {from: 1, to: 2, step: 1, count: 2}\n": (
        6,
        "Exactly one of `step` and `count`",
    ),
    HEAD + "parameters:\n  sample:\n    method: lsh\n    n: 3\n    of: {a: {uniform: [1, 2]}}\n": (
        6,
        "Value is not accepted. Valid values:",
    ),
    HEAD + "parameters:\n  sample:\n    method: lhs\n    n: 3\n    of:\n      a: {unifrm: [1, 2]}\n": (
        9,
        "Property unifrm is not allowed.",
    ),
    HEAD
    + "parameters:\n  sample:\n    method: lhs\n    n: 3\n    of:\n      a:\n        uniform: [1, 2]\n        normal: {mean: 1, sd: 1}\n": (
        11,
        "A distribution has exactly one kind",
    ),
    WHOLE + "cluster:\n  provider: ssh\n": (6, "`local` and `swarm` can stand alone"),
    WHOLE + "cluster:\n  provider: {digitalocean: {region: nyc3}}\n": (6, 'Missing property "worker".'),
    WHOLE + "cluster:\n  max_cost: 25 EUR\n": (6, "An amount in US dollars"),
    WHOLE + "results:\n  - table: {path: a.txt}\n": (6, "A table ends in"),
    WHOLE + "results:\n  - table: {path: a.csv}\n    files: {path: b}\n": (
        7,
        "Exactly one of `table`, `files` and `influxdb`",
    ),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_marked_in_its_line(editor: Editor, text: str, tmp_path: Path) -> None:
    line, says = MISTAKES[text]
    marks = editor.marks(text)
    assert any(mark.line == line and says in mark.says for mark in marks), marks
    assert [mark.says for mark in marks if about_the_schema(mark.says)] == []
    (tmp_path / "ensemble.yaml").write_text(text)
    ours = [d.span.line for d in load(tmp_path / "ensemble.yaml").diagnostics if d.span]
    assert line in ours or line == ours[0] + 1, "validate has it elsewhere"


def about_the_schema(sentence: str) -> bool:
    """Sentences for whoever wrote the schema, not for who writes a file."""
    return "pattern of" in sentence or "schema" in sentence


def test_several_mistakes_are_marked_together(editor: Editor) -> None:
    text = WHOLE.replace("cloudburst: 1", "cloudburst: 2") + "seed: -1\ncluster: {slots: 0}\n"
    assert [mark.line for mark in editor.marks(text)] == [1, 5, 6]


def test_a_comment_names_the_schema(tmp_path: Path) -> None:
    """The first line of a file, as docs/ensemble-file.md shows it: no setting of the editor is needed."""
    shutil.copy(assets.schema("ensemble"), tmp_path / "ensemble.schema.json")
    text = "# yaml-language-server: $schema=ensemble.schema.json\n" + WHOLE + "sed: 3\n"
    with Editor(None) as plain:
        marks = plain.marks(text, tmp_path / "ensemble.yaml")
    assert [(mark.line, mark.says) for mark in marks] == [(6, "Property sed is not allowed.")]


def test_every_prepared_text_is_part_of_the_language() -> None:
    kinds = {
        snippet["label"]: snippet["body"]
        for snippet in the_schema()["properties"]["cluster"]["properties"]["provider"]["defaultSnippets"]
    }
    for body in kinds.values():
        study = {
            "cloudburst": 1,
            "name": "a",
            "worker": {"directory": "a", "entrypoint": "a:b"},
            "parameters": {},
            "cluster": {"provider": body},
        }
        assert validate(study) == ()
        assert body in examples(the_schema()["properties"]["cluster"]["properties"]["provider"])
