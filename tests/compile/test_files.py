"""Files as values: paths in rows, content in jobs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloudburst.compile.draws import Draws
from cloudburst.compile.files import local_names, named_in
from cloudburst.compile.jobs import Jobs, make_jobs
from cloudburst.compile.normal import freeze, thaw
from cloudburst.compile.space import make_space
from cloudburst.spec import Loaded, load

SPEC = """\
cloudburst: 1
name: study
worker: {directory: model, entrypoint: "model:run"}
parameters:
  fixed: {hours: 1}
  grid: {forcing: {glob: "gcm/*.nc"}}
  derive: {label: "forcing[4:5]"}
"""
A, B, C = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    return write(tmp_path, SPEC)


def write(directory: Path, spec: str) -> Loaded:
    (directory / "gcm").mkdir(exist_ok=True)
    for name in ("a.nc", "b.nc"):
        (directory / "gcm" / name).touch()
    (directory / "ensemble.yaml").write_text(spec)
    found = load(directory / "ensemble.yaml")
    assert found.ensemble is not None, found.diagnostics
    return found


def jobs(loaded: Loaded, **digests: str) -> Jobs:
    assert loaded.ensemble is not None
    files = {f"gcm/{name}.nc": digest for name, digest in digests.items()}
    return make_jobs(loaded.ensemble, make_space(loaded.ensemble, Draws()), {}, files)


def test_a_row_has_the_path_and_a_job_the_content(loaded: Loaded) -> None:
    first, second = jobs(loaded, a=A, b=B)

    assert first.row.values == {"hours": 1, "forcing": "gcm/a.nc", "label": "a"}
    assert first.description == {"hours": 1, "forcing": f"cloudburst-input://{A}", "label": "a"}
    assert named_in(second.description, second.argv) == {B}


def test_an_id_hangs_on_the_content(tmp_path: Path) -> None:
    plain = write(tmp_path, SPEC.replace('  derive: {label: "forcing[4:5]"}\n', ""))
    before, changed = jobs(plain, a=A, b=B), jobs(plain, a=A, b=C)

    assert before[0].id == changed[0].id
    assert before[1].id != changed[1].id
    moved = jobs(plain, a=B, b=A)
    assert [moved[1].id, moved[0].id] == [before[0].id, before[1].id]


def test_a_template_names_it_or_does_not(tmp_path: Path) -> None:
    command = SPEC.replace('entrypoint: "model:run"', 'command: ["./solve", "--in={{ forcing }}"]')
    (job, _) = jobs(write(tmp_path, command + "job: {label: '{{ label }}'}\n"), a=A, b=B)

    assert job.argv == ("./solve", f"--in=cloudburst-input://{A}")
    assert job.description == {"label": "a"}


def test_a_frozen_study_has_all_it_needs(loaded: Loaded, tmp_path: Path) -> None:
    files = {"gcm/a.nc": A, "gcm/b.nc": B}
    frozen = json.loads(json.dumps(freeze(loaded.normal, Draws(), {}, files)))
    (tmp_path / "gcm" / "a.nc").unlink()

    assert [one.id for one in thaw(frozen)] == [one.id for one in jobs(loaded, a=A, b=B)]
    assert "files" not in freeze(loaded.normal, Draws(), {}, {})


def test_files_that_are_alike_have_one_name() -> None:
    assert local_names({"x/b.nc": A, "x/a.nc": A, "y/c.nc": B}) == {A: "a.nc", B: "c.nc"}
