"""Rows that are one job: which, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from compile.nouns import Counted, axis, block, cases, ensemble, replicates, sample, zipped

from cloudburst.compile import repeats
from cloudburst.compile.jobs import make_jobs
from cloudburst.compile.repeats import Seen, coincidences
from cloudburst.compile.space import make_space
from cloudburst.spec.ensemble import Axis, Block, Files, Integers

if TYPE_CHECKING:
    import pytest


def told(
    *blocks: Block, job: Any = None, files: Mapping[str, str] | None = None
) -> list[tuple[tuple[int, int], str]]:
    study = ensemble(*blocks, job=job)
    jobs = make_jobs(study, make_space(study), {}, files)
    seen = Seen()
    for one in jobs:
        seen.add(one.id)
    return [(found.rows, found.because) for found in coincidences(study, jobs, seen.repeats())]


def test_distinct_rows_have_nothing_to_tell() -> None:
    assert told(block(axis("a", 1, 2), replicates(2))) == []


def test_two_blocks_that_give_the_same_job() -> None:
    blocks = block(axis("a", 1, 2), name="main"), block(cases({"a": 9}, {"a": 2.0}), name="corners")
    assert told(*blocks) == [((1, 3), "blocks main and corners both give it")]


def test_a_template_that_drops_parameters_names_them_all() -> None:
    wide = block(axis("a", 1, 2), axis("label", "x", "y"), axis("note", 1, 2))
    assert told(wide, job={"a": "{{ a }}"}) == [
        ((0, 1), "the job does not take `label` and `note`, and nothing else differs")
    ]


def test_what_a_when_leaves_out() -> None:
    group = zipped(axis("tuning", 1, 2, when="k == 1"), axis("depth", 5, 5))
    assert told(block(axis("k", 1, 2), group)) == [
        ((2, 3), "`when` leaves out `tuning`, and the rest is the same")
    ]


def test_files_that_are_alike_are_not_what_the_job_leaves_out() -> None:
    files = Axis("forcing", Files(("a.nc", "b.nc", "c.nc"), "*.nc"), ("parameters", "grid", "forcing"))
    digests = {"a.nc": "1" * 64, "b.nc": "1" * 64, "c.nc": "2" * 64}
    alike = "the files of `forcing` have the same content"
    assert told(block(files), job={"f": "{{ forcing }}"}, files=digests) == [((0, 1), alike)]
    assert told(block(files), files=digests) == [((0, 1), alike)]
    assert told(block(files, axis("note", 1, 2)), job={"f": "{{ forcing }}"}, files=digests) == [
        ((0, 1), "the job does not take `note`, and nothing else differs"),
        ((0, 3), f"the job does not take `note`, and nothing else differs; {alike}"),
    ]


def test_a_sample_that_comes_to_a_point_again() -> None:
    whole = sample("random", 9, a=Integers(1, 2))
    ((_, because),) = told(block(whole))
    assert because == "the random sample of block main comes to the same point again"


def test_a_block_that_gives_values_twice() -> None:
    assert told(block(axis("a", 1, 2, 1.0))) == [((0, 2), "block main gives the same values twice")]


def test_blocks_and_templates_together() -> None:
    blocks = block(axis("a", 1), fixed={"x": 1}, name="one"), block(axis("a", 1), fixed={"x": 2}, name="two")
    assert told(*blocks, job={"a": "{{ a }}"}) == [
        ((0, 1), "blocks one and two both give it; the job does not take `x`, and nothing else differs")
    ]


def test_there_are_only_a_few_and_the_first_row_of_each_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MOST_TOLD", 3)
    blocks = [block(axis("a", 1), name=f"b{i}") for i in range(9)]
    found = told(*blocks)
    assert found == [((0, 1), "blocks b0 and b1 both give it"), ((0, 8), "blocks b0 and b8 both give it")]


def test_rows_that_come_again_are_found_wherever_they_stand() -> None:
    seen = Seen()
    ids = [f"{number:020x}" for number in range(3000)]
    for one in [*ids, ids[17], *ids[5:7], ids[17]]:
        seen.add(one)
    assert seen.repeats() == [(5, 3001), (6, 3002), (17, 3000), (17, 3003)]


def test_only_the_beginning_of_a_long_study_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MOST_REMEMBERED", 10)
    seen = Seen()
    for number in (*range(10), 3):
        seen.add(f"{number:020x}")
    assert seen.repeats() == []
    assert len(next(iter(seen.in_groups()))) == 10


def test_many_repeats_are_compared_only_so_often() -> None:
    study = ensemble(block(axis("a", Counted(1, 5000, 5000)), axis("b", 1, 2)), job={"a": "{{ a }}"})
    jobs = make_jobs(study, make_space(study), {})
    seen = Seen()
    for one in jobs:
        seen.add(one.id)
    assert repeats.MOST_COMPARED <= len(seen.repeats()) < 2 * repeats.MOST_COMPARED
