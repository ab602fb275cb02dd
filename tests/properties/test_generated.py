"""Laws of reading, over whole studies in every way they can be written: what is said is what is read, every place
holds its value, and what travels to a controller is the same study."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudburst.compile.draws import draw
from cloudburst.compile.files import all_axes_of_files
from cloudburst.compile.jobs import make_jobs
from cloudburst.compile.normal import freeze, thaw
from cloudburst.compile.space import make_space
from cloudburst.diagnostics import Span
from cloudburst.spec import build, document, ensemble, load
from cloudburst.spec.document import Document, Node, parse
from tests.fuzz.judging import judge
from tests.fuzz.mangling import mangled
from tests.fuzz.studies import Project
from tests.properties.generated import study
from tests.properties.writing import written

chances = st.integers(0, 2**64).map(Random)
LAWS = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("fuzz") / "study")


# ── what is said is what is read ─────────────────────────────────────────────────────────────
@pytest.mark.parametrize("loader", [document.LOADER, yaml.SafeLoader])
@LAWS
@given(chances)
def test_what_is_written_is_what_is_read(
    monkeypatch: pytest.MonkeyPatch, loader: type[Any], chance: Random
) -> None:
    monkeypatch.setattr(document, "LOADER", loader)
    value = study(chance)
    found, problems = parse(written(value, chance).encode(), Path("study.yaml"))
    assert problems == ()
    assert json.dumps(found.value) == json.dumps(value)


@LAWS
@given(chances)
def test_two_ways_to_write_a_study_are_one_study(project: Project, chance: Random) -> None:
    value = study(chance)
    one, other = (load(project.write(written(value, chance).encode())) for _ in range(2))
    assert one.ensemble is not None, one.diagnostics
    assert one.ensemble == other.ensemble
    assert json.dumps(one.normal) == json.dumps(other.normal)


# ── places ───────────────────────────────────────────────────────────────────────────────────
def nodes(node: Node, value: Any) -> Iterator[tuple[Span, Any]]:
    """The places of all values with what stands there."""
    yield node.span, value
    if isinstance(value, dict | list):
        for part, child in node.children.items():
            yield from nodes(child, value[part])


def keys(node: Node) -> Iterator[tuple[Span, str]]:
    for name, span in node.keys.items():
        yield span, name
    for child in node.children.values():
        yield from keys(child)


def text_at(found: Document, span: Span) -> str:
    """What stands there, as far to the right as it stands there."""
    lines = list(found.lines[span.line - 1 : span.end_line])
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = " " * (span.column - 1) + lines[0][span.column - 1 :]
    return "\n".join(lines)


@pytest.mark.parametrize("loader", [document.LOADER, yaml.SafeLoader])
@LAWS
@given(chances)
def test_the_text_at_every_place_is_the_value_of_its_path(
    monkeypatch: pytest.MonkeyPatch, loader: type[Any], chance: Random
) -> None:
    monkeypatch.setattr(document, "LOADER", loader)
    found, problems = parse(written(study(chance), chance).encode(), Path("study.yaml"))
    assert problems == ()
    assert found.root is not None
    marked: dict[str, Any] = {}
    for span, value in [*nodes(found.root, found.value), *keys(found.root)]:
        text = text_at(found, span)
        if text.lstrip().startswith("*"):
            assert marked[text.split()[0].removeprefix("*")] == value
            continue
        if text.lstrip().startswith("&"):
            marked[text.split()[0].removeprefix("&")] = value
        again, wrong = parse(_with_anchors(text, marked).encode(), Path("part"))
        assert wrong == (), text
        assert json.dumps(again.value if text.strip() else None) == json.dumps(_part(again, value)), text


def _with_anchors(text: str, marked: dict[str, Any]) -> str:
    """A text of its own that means what it meant: what it repeats stands before it."""
    shared = [f"- &{name} {json.dumps(value)}\n" for name, value in marked.items() if f"*{name}" in text]
    body = text if text.strip() else "null"
    return f"{''.join(shared)}-\n{_pushed(body)}\n" if shared else f"{body}\n"


def _pushed(text: str) -> str:
    return "\n".join(f" {line}" for line in text.split("\n"))


def _part(again: Document, value: Any) -> Any:
    """Beside what it repeats, a text is the last of a list."""
    return value if not isinstance(again.value, list) or again.value == value else [*again.value[:-1], value]


# ── what travels ─────────────────────────────────────────────────────────────────────────────
@LAWS
@given(chances)
def test_a_study_that_was_dumped_is_the_study_it_was(project: Project, chance: Random) -> None:
    loaded = load(project.write(written(study(chance), chance).encode()))
    assert loaded.ensemble is not None, loaded.diagnostics
    assert build(json.loads(json.dumps(loaded.normal))) == loaded.ensemble


@LAWS
@given(chances)
def test_jobs_expanded_elsewhere_are_the_jobs_they_were(project: Project, chance: Random) -> None:
    loaded = load(project.write(written(study(chance), chance).encode()))
    assert loaded.ensemble is not None, loaded.diagnostics
    drawn = draw(loaded.ensemble)
    inputs = {one.name: "ab" * 32 for one in loaded.ensemble.inputs}
    files = {
        str(path): "cd" * 32 for axis in all_axes_of_files(loaded.ensemble) for path in axis.values.values
    }
    jobs = make_jobs(loaded.ensemble, make_space(loaded.ensemble, drawn), inputs, files)
    travelled = thaw(json.loads(json.dumps(freeze(loaded.normal, drawn, inputs, files))))
    assert travelled.count == jobs.count
    assert list(map(repr, travelled[:20])) == list(map(repr, jobs[:20]))


def test_the_studies_that_are_generated_have_every_noun(project: Project) -> None:
    """Else the laws above would be silent about some. Points are asked for by programs; no file can say them."""
    seen: set[str] = set()
    for seed in range(400):
        chance = Random(seed)
        loaded = load(project.write(written(study(chance), chance).encode()))
        assert loaded.ensemble is not None, loaded.diagnostics
        seen |= set(_nouns(loaded.ensemble))
    known = {one.__name__ for one in vars(ensemble).values() if isinstance(one, type) and is_dataclass(one)}
    assert seen == known - {"Points"}


def _nouns(value: object) -> Iterator[str]:
    if is_dataclass(value):
        yield type(value).__name__
        for field in fields(value):
            yield from _nouns(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _nouns(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _nouns(item)


# ── mangled ──────────────────────────────────────────────────────────────────────────────────
@LAWS
@given(chances)
def test_a_mangled_study_ends_in_a_plan_or_in_diagnostics_with_places(
    project: Project, chance: Random
) -> None:
    """All that `validate` does, and the first screen of `plan`. With limits of time and memory: `make fuzz`."""
    judge(project, mangled(written(study(chance), chance).encode(), chance, PIECES))


PIECES = [written(study(Random(seed)), Random(seed)).encode() for seed in range(20)]
