"""`was`: a row with the value that all rows had before is the job it was, and is sent with the value."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudburst.compile.checks import check
from cloudburst.compile.draws import draw
from cloudburst.compile.former import has
from cloudburst.compile.jobs import Job, Jobs, make_jobs
from cloudburst.compile.normal import freeze, thaw
from cloudburst.compile.repeats import coincidences
from cloudburst.compile.space import make_space
from cloudburst.spec import build, load
from cloudburst.spec.ensemble import Counted, Ensemble, Known, Listed, Stepped, Was

from .nouns import axis, block, ensemble, replicates, zipped

HEIGHT = axis("height", 3, 4)


def jobs_of(study: Ensemble) -> Jobs:
    return make_jobs(study, make_space(study), {})


def by_values(study: Ensemble, *names: str) -> dict[Any, Job]:
    return {tuple(job.row.values.get(name) for name in names): job for job in jobs_of(study)}


def demand(*values: Any, was: Any) -> Any:
    return axis("demand", *values, was=Was(was))


def test_the_id_is_of_the_job_without_it_and_the_job_has_it() -> None:
    old = by_values(ensemble(block(HEIGHT)), "height")
    new = by_values(ensemble(block(HEIGHT, demand(0.5, 1.0, was=0.5))), "height", "demand")

    assert new[3, 0.5].id == old[(3,)].id
    assert new[3, 0.5].description == {"height": 3, "demand": 0.5}
    assert new[3, 1.0].id not in {job.id for job in old.values()}


@pytest.mark.parametrize(("values", "was", "stays"), [((1.0, 2), 1, True), ((True, 2), 1, False)])
def test_values_are_equal_as_they_are_for_ids(values: Any, was: Any, stays: bool) -> None:
    (old,) = jobs_of(ensemble(block(fixed={"a": 1})))
    new = jobs_of(ensemble(block(demand(*values, was=was), fixed={"a": 1})))
    assert (new[0].id == old.id) is stays


def test_seeds_stay_and_are_others_where_the_value_is_another() -> None:
    old = [job.row.values["seed"] for job in jobs_of(ensemble(block(HEIGHT, replicates(2))))]
    study = ensemble(block(HEIGHT, demand(1, 2, was=1), replicates(2), exclude=["demand == 2 and seed == 0"]))
    new = [(job.row.values["demand"], job.row.values["seed"]) for job in jobs_of(study)]

    assert [seed for value, seed in new if value == 1] == old
    assert not {seed for value, seed in new if value == 2} & set(old)


def test_an_exclude_that_looks_at_a_seed_sees_the_seed_of_the_row() -> None:
    first = jobs_of(ensemble(block(HEIGHT, replicates(2))))[0].row.values["seed"]
    study = ensemble(block(HEIGHT, demand(1, was=1), replicates(2), exclude=[f"seed == {first}"]))
    assert jobs_of(study).count == 3


def test_a_template_leaves_the_key_out_and_a_literal_is_given_by_asking() -> None:
    def study(job: Any, *more: Any) -> Ensemble:
        return ensemble(block(HEIGHT, *more), job=job)

    left_out = by_values(study({"h": "{{ height }}"}), "height")
    whole = by_values(
        study({"h": "{{ height }}", "d": "{{ demand }}"}, demand(1, 2, was=1)), "height", "demand"
    )
    assert whole[3, 1].id == left_out[(3,)].id
    assert whole[3, 1].description == {"h": 3, "d": 1}

    literal = by_values(study({"h": "{{ height }}", "d": "d=1"}), "height")
    asked = {"h": "{{ height }}", "d": "d={{ demand if demand is defined else 1 }}"}
    kept = by_values(study(asked, demand(1, 2, was=1)), "height", "demand")
    assert kept[3, 1].id == literal[(3,)].id
    assert kept[3, 2].description == {"h": 3, "d": "d=2"}


def test_the_words_of_a_command_are_as_they_were() -> None:
    def study(word: str, *more: Any) -> Ensemble:
        found = ensemble(block(HEIGHT, *more))
        command = ("solve", "{{ height }}", word, "{{ job_id }}")
        return replace(found, worker=replace(found.worker, entrypoint=None, command=command))

    old = by_values(study("-d0.5"), "height")
    asked = "-d{{ demand if demand is defined else 0.5 }}"
    new = by_values(study(asked, demand(0.5, 2, was=0.5)), "height", "demand")
    assert new[3, 0.5].id == old[(3,)].id
    assert new[3, 0.5].argv == ("solve", "3", "-d0.5", old[(3,)].id)
    assert new[3, 2].argv == ("solve", "3", "-d2", new[3, 2].id)


def test_each_axis_of_a_zip_for_itself() -> None:
    old = by_values(ensemble(block(HEIGHT)), "height")
    pair = zipped(demand(1, 2, was=1), axis("curve", "a", "b", was=Was("b")))
    new = by_values(ensemble(block(HEIGHT, pair)), "height", "demand", "curve")
    assert new[3, 1, "a"].id != old[(3,)].id
    alone = by_values(ensemble(block(HEIGHT, axis("curve", "a", "b"))), "height", "curve")
    assert new[3, 1, "a"].id == alone[3, "a"].id


def test_rows_that_become_one_job_are_told_why() -> None:
    study = ensemble(block(HEIGHT, demand(1, 2, was=1)), block(HEIGHT, name="more"))
    jobs = jobs_of(study)
    assert len({job.id for job in jobs}) == 4
    (found,) = coincidences(study, jobs, [(0, 4)])
    assert (
        found.because == "blocks main and more both give it; one has `demand` as it `was`, the other without"
    )


@pytest.mark.parametrize(
    ("values", "wanted", "expected"),
    [
        (Listed((1, "a")), 1.0, True),
        (Listed((1, "a")), True, False),
        (Stepped(0.1, 0.5, 0.1), 0.3, True),
        (Stepped(5, 1, -1), 2.0, True),
        (Stepped(5, 1, -1), 0, False),
        (Stepped(0, 10**15, 1), 10**14 + 1, True),
        (Counted(1e-9, 1e-6, 4, "log"), 1e-8, True),
        (Counted(0, 1, 3), 0.4, False),
        (Stepped(0, 3, 1), True, False),
        (Stepped(0, 3, 1), "1", False),
    ],
)
def test_whether_a_value_ever_comes(values: Known, wanted: Any, expected: bool) -> None:
    assert has(values, wanted) is expected


# ── from the file ────────────────────────────────────────────────────────────────────────────
HEAD = "cloudburst: 1\nname: waves\nworker: {directory: waves, entrypoint: waves:work}\n"


def read(tmp_path: Path, text: str) -> Any:
    spec = tmp_path / "ensemble.yaml"
    spec.write_text(HEAD + text)
    return load(spec)


def problems(tmp_path: Path, text: str) -> list[tuple[str, str, str]]:
    loaded = read(tmp_path, text)
    assert loaded.ensemble is not None, loaded.diagnostics
    found = loaded.document.place(check(loaded.ensemble))
    return [(one.code, one.severity, one.hint) for one in found]


AXIS = "parameters: {grid: {height: [3, 4], demand: {values: [0.5, 1.0], was: 0.5}}}\n"


def test_what_is_written_is_frozen_and_read_again(tmp_path: Path) -> None:
    loaded = read(tmp_path, AXIS)
    frozen = freeze(loaded.normal, draw(loaded.ensemble), {})
    assert [job.id for job in thaw(frozen)] == [job.id for job in jobs_of(loaded.ensemble)]
    del frozen["normal"]["parameters"][0]["grid"]["demand"]["was"]
    assert build(frozen["normal"]).blocks[0].sources[1].was is None, "older documents have no such key"


@pytest.mark.parametrize(
    "written",
    [
        "{value: [1, 2], was: [1, 2]}",
        "{from: 0, to: 1, step: 0.25, was: 0.75}",
        "{from: 1, to: 100, count: 3, scale: log, was: 10}",
        "{values: [a, b], when: height == 3, unit: m, was: a}",
        "{from: 0, to: height, step: 1, was: 2}",
    ],
)
def test_it_stands_beside_every_way_to_give_values(tmp_path: Path, written: str) -> None:
    assert problems(tmp_path, f"parameters: {{grid: {{height: [3, 4], demand: {written}}}}}\n") == []


def test_what_never_comes_is_a_warning(tmp_path: Path) -> None:
    ((code, severity, _),) = problems(tmp_path, AXIS.replace("was: 0.5", "was: 0.7"))
    assert (code, severity) == ("was-never", "warning")


def test_a_text_that_needs_it_says_what_stood_there(tmp_path: Path) -> None:
    job = 'job: {h: "{{ height }}", d: "{{ demand }}", text: "d={{ demand }}"}\n'
    ((code, severity, hint),) = problems(tmp_path, AXIS + job)
    assert (code, severity) == ("was-in-text", "error")
    way_out = "{{ demand if demand is defined else 0.5 }}"
    assert way_out in hint
    assert problems(tmp_path, AXIS + job.replace("d={{ demand }}", f"d={way_out}")) == []


def test_files_are_known_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "a.nc").write_text("a")
    text = "parameters: {grid: {height: [3], forcing: {glob: '*.nc', was: a.nc}}}\n"
    assert [code for code, _, _ in problems(tmp_path, text)] == ["was-of-files"]
