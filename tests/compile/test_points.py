"""Points that are asked for one by one: the same jobs as rows of the study with the same values, or a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudburst.compile.draws import Draws
from cloudburst.compile.jobs import Job
from cloudburst.compile.normal import freeze, thaw
from cloudburst.compile.points import block_of, names_of_points, normal_of_points, rows_of_points
from cloudburst.errors import UsageError
from cloudburst.spec import build
from cloudburst.spec.canonical import normalise

TANKS: dict[str, Any] = {
    "cloudburst": 1,
    "name": "tanks",
    "seed": 3,
    "worker": {"directory": "model", "entrypoint": "tank:fill"},
    "parameters": {
        "fixed": {"area": 2.0},
        "grid": {
            "inflow": [1, 2, 3],
            "rule": {"values": ["a", "b"], "when": "inflow == 2"},
        },
        "replicates": {"n": 3, "as": "seed"},
        "derive": {"twice": "inflow * 2"},
        "exclude": [{"inflow": 3}],
    },
}


def study(**parameters: Any) -> tuple[Any, dict[str, Any]]:
    written = {**TANKS, **({"parameters": parameters} if parameters else {})}
    normal, problems = normalise(written, Path())
    assert not problems
    return build(normal), normal


def rows(given: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
    ensemble, _ = study()
    return rows_of_points(ensemble, ensemble.blocks[0], given, **more)


def jobs(given: list[dict[str, Any]], **more: Any) -> list[Job]:
    ensemble, normal = study()
    block = ensemble.blocks[0]
    form = normal_of_points(normal, block, rows_of_points(ensemble, block, given, **more))
    return list(thaw(freeze(form, Draws(), {})))


def of_the_study() -> list[Job]:
    _, normal = study()
    return list(thaw(freeze(normal, Draws(), {})))


# ── the same jobs ────────────────────────────────────────────────────────────────────────────
def test_every_row_of_a_study_asked_for_as_a_point_is_the_same_job() -> None:
    ours = of_the_study()
    names = names_of_points(study()[0].blocks[0]).given
    assert names == ("area", "inflow", "rule", "seed")
    given = [{name: job.row.values[name] for name in names if name in job.row.values} for job in ours]
    asked = jobs(given)
    assert [job.id for job in asked] == [job.id for job in ours]
    assert [job.description for job in asked] == [job.description for job in ours]
    assert [job.row.replicate for job in asked] == [job.row.replicate for job in ours]


def test_replicates_are_those_of_the_study_one_after_another() -> None:
    ours = {(job.row.values["inflow"], job.row.replicate): job.id for job in of_the_study()}
    asked = jobs([{"inflow": 1.0}], replicates=3)
    assert [job.id for job in asked] == [ours[1, number] for number in range(3)]
    assert [job.id for job in jobs([{"inflow": 1}])] == [ours[1, 0]]
    assert len({job.id for job in jobs([{"inflow": 1}], replicates=5)} - set(ours.values())) == 2


def test_a_seed_of_ones_own_is_a_job_of_its_own() -> None:
    (job,) = jobs([{"inflow": 1, "seed": 7}])
    assert job.row.replicate is None
    assert job.description["seed"] == 7
    assert job.id not in {one.id for one in of_the_study()}


def test_what_is_fixed_may_be_said_otherwise_and_what_is_derived_follows() -> None:
    (job,) = jobs([{"inflow": 4, "area": 9, "seed": 1}])
    assert job.description == {"area": 9, "inflow": 4, "seed": 1, "twice": 8}


def test_what_the_study_excludes_is_a_point_all_the_same() -> None:
    assert [job.description["inflow"] for job in jobs([{"inflow": 3}])] == [3]


def test_a_study_of_points_writes_nothing_anywhere_and_stops_at_no_number_of_failures() -> None:
    ensemble, normal = study()
    form = build(normal_of_points(normal, ensemble.blocks[0], rows([{"inflow": 1}])))
    assert (form.results, form.cluster.max_failures) == ((), None)
    assert form.name == "tanks"


def test_no_points_are_no_jobs() -> None:
    assert jobs([]) == []


# ── files as values ──────────────────────────────────────────────────────────────────────────
def test_a_file_of_the_study_is_its_content_in_the_job_and_its_path_in_the_row(tmp_path: Path) -> None:
    for name in ("dry", "wet"):
        (tmp_path / f"{name}.csv").write_text(name)
    written = {**TANKS, "parameters": {"grid": {"rain": {"glob": "*.csv"}, "inflow": [1]}}}
    normal, problems = normalise(written, tmp_path)
    assert not problems
    ensemble = build(normal)
    digests = {"dry.csv": "d" * 64, "wet.csv": "e" * 64}
    given = rows_of_points(ensemble, ensemble.blocks[0], [{"rain": "wet.csv", "inflow": 1}], files=digests)
    form = normal_of_points(normal, ensemble.blocks[0], given)
    (asked,) = thaw(freeze(form, Draws(), {}, digests))
    ours = list(thaw(freeze(normal, Draws(), {}, digests)))
    assert asked.id == ours[1].id
    assert asked.row.values["rain"] == "wet.csv"
    with pytest.raises(UsageError, match=r"'wett\.csv' is no file of the study's `rain`") as refused:
        rows_of_points(ensemble, ensemble.blocks[0], [{"rain": "wett.csv", "inflow": 1}], files=digests)
    assert refused.value.hint == "did you mean 'wet.csv'?"


# ── what cannot be ───────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("given", "more", "message", "hint"),
    [
        (
            {"inflw": 1},
            {},
            "row 0 gives `inflw`, which is no parameter of block main",
            "did you mean `inflow`?",
        ),
        ({"wind": 1}, {}, "row 0 gives `wind`", "there are `area`, `inflow`, `rule` and `seed`"),
        ({"area": 1}, {}, "row 0 has no `inflow`", "only what is under `fixed` may be left out"),
        ({"inflow": 1, "twice": 2}, {}, "row 0 gives `twice`, which the study derives", "leave it out"),
        (
            {"inflow": float("nan")},
            {},
            "row 0: the value of `inflow` is not a finite number",
            "a job is sent as JSON",
        ),
        ({"inflow": {1}}, {}, "row 0: the value of `inflow` is set", "a job is sent as JSON"),
        ({"inflow": 1}, {"replicates": 0}, "replicates=0 is none at all", "one or more"),
        ({"inflow": 1, "seed": 4}, {"replicates": 2}, "row 0 has its own `seed`", "leave `seed` out"),
    ],
)
def test_a_point_that_cannot_be_is_a_sentence(
    given: dict[str, Any], more: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as refused:
        rows([given], **more)
    assert refused.value.message.startswith(message)
    assert hint in refused.value.hint


def test_replicates_of_a_study_without_any_would_all_be_one_job() -> None:
    ensemble, _ = study(grid={"x": [1]})
    with pytest.raises(UsageError, match="block main has no replicates"):
        rows_of_points(ensemble, ensemble.blocks[0], [{"x": 1}], replicates=2)


def test_of_several_blocks_one_is_named() -> None:
    normal, _ = normalise(
        {**TANKS, "parameters": [{"block": "a", "grid": {"x": [1]}}, {"block": "b", "cases": [{"y": 1}]}]},
        Path(),
    )
    ensemble = build(normal)
    assert block_of(ensemble, "b").name == "b"
    with pytest.raises(UsageError, match="the blocks a and b") as refused:
        block_of(ensemble, None)
    assert "block='a'" in refused.value.hint
    with pytest.raises(UsageError, match="no block 'c'"):
        block_of(ensemble, "c")


def test_what_some_rows_lack_may_be_left_out() -> None:
    normal, _ = normalise({**TANKS, "parameters": {"cases": [{"x": 1, "y": 2}, {"x": 3}]}}, Path())
    names = names_of_points(build(normal).blocks[0])
    assert (names.needed, names.optional) == (("x",), ("y",))
