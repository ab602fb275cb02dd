"""Which files are sent: those that a job to be computed names, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudburst.errors import CloudBurstError, SpecError
from cloudburst.run.observe import Study, outline_study, read_study
from cloudburst.run.sending import needed_files
from cloudburst.run.study import Runs

SPEC = """\
cloudburst: 1
name: study
worker: {directory: model, entrypoint: "model:run"}
parameters: {grid: {forcing: {glob: "gcm/*.nc"}, x: [1, 2]}}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "gcm").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.py").write_text("def run(job):\n    return 1\n")
    for name in ("a", "b", "c"):
        (tmp_path / "gcm" / f"{name}.nc").write_text(name * 10)
    (tmp_path / "ensemble.yaml").write_text(SPEC)
    return tmp_path


def study(home: Path) -> Study:
    return read_study(home / "ensemble.yaml")


def names(found: Study, rows: Runs | None = None, again: tuple[str, ...] = ()) -> list[str]:
    return [name for name, _ in found.objects(needed_files(found, rows, again))][1:]


def test_only_files_of_the_rows_asked_for(home: Path) -> None:
    assert names(study(home)) == ["gcm/a.nc", "gcm/b.nc", "gcm/c.nc"]
    assert names(study(home), ((2, 4),)) == ["gcm/b.nc"]


def test_a_file_no_job_names_stays_here(home: Path) -> None:
    (home / "ensemble.yaml").write_text(SPEC + "job: {x: '{{ x }}'}\n")

    assert names(study(home)) == []


def test_files_that_are_alike_are_sent_once(home: Path) -> None:
    (home / "gcm" / "c.nc").write_text("a" * 10)

    assert len(names(study(home))) == 2


def test_the_plan_shows_their_number_and_size(home: Path) -> None:
    form = outline_study(study(home)).to_json()

    ((used,), tables) = form["files"], form["tables"]
    assert (used["name"], used["pattern"], used["count"], used["size"]) == ("forcing", "gcm/*.nc", 3, 30)
    assert tables == []


def test_a_file_that_changes_or_vanishes_is_a_sentence(home: Path, tmp_path: Path) -> None:
    found = study(home)
    (home / "gcm" / "a.nc").write_text("other")
    (home / "gcm" / "b.nc").unlink()
    contents = dict(found.objects(needed_files(found, None, ())))

    with pytest.raises(CloudBurstError, match=r"a\.nc changed since it was looked at"):
        contents["gcm/a.nc"].write(tmp_path / "copy")
    with pytest.raises(CloudBurstError, match=r"b\.nc is not there any more"):
        contents["gcm/b.nc"].write(tmp_path / "copy")


def test_a_file_that_vanishes_while_it_is_looked_at_is_a_diagnostic(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cloudburst.run import inputs

    looked = inputs._file

    def vanishing(wanted: inputs.Input, path: Path, cache: inputs.HashCache) -> inputs.ResolvedInputs:
        path.unlink()
        return looked(wanted, path, cache)

    monkeypatch.setattr(inputs, "_file", vanishing)
    with pytest.raises(SpecError) as raised:
        study(home)
    (first, *_) = raised.value.diagnostics
    assert (first.code, first.span and first.span.line) == ("no-input", 4)
    assert "vanished" in first.message
