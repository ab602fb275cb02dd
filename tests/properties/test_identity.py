"""The laws of identity and seeds: what stays when the file is edited, and what must not be confused."""

from __future__ import annotations

import json
import re
from typing import Any

from compile.nouns import axis, block, ensemble, replicates
from hypothesis import given
from hypothesis import strategies as st
from properties.strategies import ensembles, moved, seeds, values

from cloudburst.compile.identity import canonical, job_id, replicate_seeds
from cloudburst.compile.jobs import Job, make_jobs
from cloudburst.compile.space import make_space
from cloudburst.spec.ensemble import Ensemble

RQ_JOB_ID = re.compile(r"[a-zA-Z0-9_-]+")
"""What RQ takes as a job id."""

descriptions = st.dictionaries(st.text("abc", min_size=1, max_size=3), values, max_size=4)


def jobs(study: Ensemble) -> list[Job]:
    return list(make_jobs(study, make_space(study), {}))


def same(left: Any, right: Any) -> bool:
    """Equality as the design has it: 1 is 1.0, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


@given(descriptions, descriptions)
def test_ids_are_equal_exactly_when_descriptions_are(one: dict[str, Any], other: dict[str, Any]) -> None:
    for right in (other, json.loads(json.dumps(one))):
        ids = job_id("m:f", one, None), job_id("m:f", right, None)
        assert all(RQ_JOB_ID.fullmatch(text) and len(text) == 20 for text in ids)
        assert (ids[0] == ids[1]) == same(one, right)


@given(descriptions, st.randoms(use_true_random=False))
def test_the_order_of_keys_is_nothing(description: dict[str, Any], random: Any) -> None:
    moved = list(description.items())
    random.shuffle(moved)
    assert job_id("m:f", dict(moved), 3) == job_id("m:f", description, 3)


@given(values)
def test_the_canonical_text_is_json_of_the_same_value(value: Any) -> None:
    assert same(json.loads(canonical(value)), value)
    assert canonical(json.loads(canonical(value))) == canonical(value)


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_is_one_value_in_both_forms(number: int) -> None:
    assert canonical({"a": float(number)}) == canonical({"a": number})


@given(ensembles())
def test_the_ids_of_a_study_are_those_of_what_its_jobs_receive(study: Ensemble) -> None:
    for job in jobs(study):
        assert job.id == job_id("net3:work", job.description, job.row.replicate)


@given(st.data(), ensembles())
def test_where_it_runs_and_where_results_go_is_no_part_of_a_job(data: st.DataObject, study: Ensemble) -> None:
    elsewhere = data.draw(moved(study))
    assert [(job.id, job.row) for job in jobs(elsewhere)] == [(job.id, job.row) for job in jobs(study)]


axis_values = st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True)


@given(axis_values, axis_values, st.integers(1, 3), seeds)
def test_edits_leave_the_seeds_of_other_jobs(a: list[int], b: list[int], n: int, seed: int) -> None:
    def seeds_of(*sources: Any, **more: Any) -> dict[tuple[Any, ...], Any]:
        study = ensemble(block(*sources, replicates(n), fixed={"h": 1}), seed=seed, **more)
        return {
            (job.row.values["a"], job.row.values["b"], job.row.replicate): job.row.values["seed"]
            for job in jobs(study)
        }

    before = seeds_of(axis("a", *a), axis("b", *b))
    assert seeds_of(axis("b", *b), axis("a", *a)) == before
    assert seeds_of(axis("a", *a), axis("b", *b), job={"renamed": "{{ seed }}"}) == before
    longer = seeds_of(axis("a", 100, *a), axis("b", *b, 101))
    assert {key: longer[key] for key in before} == before


@given(descriptions, seeds, st.integers(0, 10**9))
def test_seeds_are_integers_every_generator_takes(sources: dict[str, Any], seed: int, number: int) -> None:
    found = replicate_seeds(seed, sources)(number)
    assert 0 <= found < 2**31
    assert found == replicate_seeds(seed, json.loads(json.dumps(sources)))(number)
