"""What holds of any file whatever: it ends in a study, or in diagnostics with places, and all of them can be shown."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from cloudburst.cli.views import diagnostics as view
from cloudburst.compile.normal import thaw
from cloudburst.diagnostics import Diagnostic
from cloudburst.errors import SpecError
from cloudburst.run.observe import diagnose, outline_study, read_study
from cloudburst.spec import Loaded, build, load
from cloudburst.spec.document import read
from tests.fuzz.studies import SPEC, Project

SHOWN_ROWS = 3


def judge(project: Project, data: bytes) -> None:
    """All that `validate` and the first screen of `plan` do with a file. Raises AssertionError, or what broke."""
    file = project.write(data)
    judge_loading(file)
    found = diagnose(file)
    check_places(found, project.home)
    forms = [diagnostic.to_json() for diagnostic in found]
    assert json.loads(json.dumps(forms)) == forms
    assert bool(forms) == bool(view.render_all(forms))
    assert bool(forms) == bool(view.github(forms))
    if not any(diagnostic.severity == "error" for diagnostic in found) and b"scipy" not in data:
        judge_plan(file)  # planning draws, and what scipy takes for a value is its own affair


def judge_loading(file: Path) -> Loaded:
    """The reader alone: a study or errors, never both; what it says of a study is all there is to know."""
    loaded = load(file)
    errors = [d for d in loaded.diagnostics if d.severity == "error"]
    assert (loaded.ensemble is None) == bool(errors)
    check_places(loaded.diagnostics, file.parent)
    if loaded.ensemble is not None:
        assert build(json.loads(json.dumps(loaded.normal))) == loaded.ensemble
    return loaded


def check_places(found: tuple[Diagnostic, ...], home: Path) -> None:
    """Each has a sentence and a place that exists, and they stand in the order of their lines."""
    assert all(diagnostic.message and diagnostic.code for diagnostic in found)
    own = [d for d in found if Path(d.file).name == SPEC]  # bases and requirements have lines of their own
    lines = len(read(home / SPEC)[0].lines) if own else 0
    spans = [diagnostic.span for diagnostic in own if diagnostic.span is not None]
    assert len(spans) == len(own)
    assert all(1 <= span.line <= span.end_line <= lines for span in spans)
    places = [(span.line, span.column) for span in spans]
    assert places == sorted(places)


def judge_plan(file: Path) -> None:
    """A study that may be planned can be outlined, and its first rows survive the journey to a controller; or a row
    far down has a mistake with its place."""
    with suppress(SpecError):
        study = read_study(file)
        outline_study(study)
        travelled = thaw(json.loads(json.dumps(study.frozen)))
        assert travelled.count == study.jobs.count
        assert list(map(repr, travelled[:SHOWN_ROWS])) == list(map(repr, study.jobs[:SHOWN_ROWS]))
