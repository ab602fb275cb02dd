from __future__ import annotations

from typing import Any

import pytest
from compile.nouns import Choice, axis, block, cases, ensemble, replicates, sample

from cloudburst.compile.filters import RowError
from cloudburst.compile.identity import job_id
from cloudburst.compile.jobs import Jobs, make_jobs
from cloudburst.compile.space import make_space
from cloudburst.spec.ensemble import Ensemble


def jobs(study: Ensemble, **inputs: str) -> Jobs:
    return make_jobs(study, make_space(study), inputs)


def test_without_a_template_the_parameters_are_the_description() -> None:
    job = jobs(ensemble(block(axis("a", 1, 2), replicates(2), derive={"b": "a * 2"})))[3]
    assert job.row.index == 3
    assert job.description == {"a": 2, "seed": job.row.values["seed"], "b": 4}
    assert job.argv is None
    assert job.id == job_id("net3:work", job.description, 1)


def test_a_template_shapes_the_description() -> None:
    template = {
        "input": {"network": "{{ network }}", "start": "2018-05-28T00:00:00"},
        "options": {
            "rule": "{{ rule }}",
            "label": "{{ network }}/{{ replicate }}",
            "both": ["{{ demand * 2 }}"],
        },
    }
    study = ensemble(
        block(
            axis("network", "n3", "n6"),
            axis("rule", "a", when="network == 'n3'"),
            axis("demand", 0.5),
            replicates(2),
        ),
        job=template,
    )
    first, last = jobs(study)[0], jobs(study)[-1]
    assert first.description == {
        "input": {"network": "n3", "start": "2018-05-28T00:00:00"},
        "options": {"rule": "a", "label": "n3/0", "both": [1.0]},
    }
    assert last.description["options"] == {"label": "n6/1", "both": [1.0]}


def test_inputs_enter_by_their_content() -> None:
    study = ensemble(block(axis("a", 1)), job={"a": "{{ a }}", "map": "{{ inputs.city }}"}, inputs=["city"])
    one, two = jobs(study, city="ab" * 32)[0], jobs(study, city="cd" * 32)[0]
    assert one.description["map"] == "cloudburst-input://" + "ab" * 32
    assert one.id != two.id


def test_a_command_is_rendered_into_arguments() -> None:
    study = ensemble(
        block(axis("a", 1, 0.5), axis("flag", True), replicates(1)),
        command=(
            "./solve",
            "--a={{ a }}",
            "{{ a }}",
            "{{ flag }}",
            "{{ job_id }}",
            "{{ replicate }}",
            "{{ inputs.m }}",
        ),
        inputs=["m"],
    )
    job = jobs(study, m="00")[1]
    assert job.argv == ("./solve", "--a=0.5", "0.5", "True", job.id, "0", "cloudburst-input://00")
    assert job.description == {"a": 0.5, "flag": True, "seed": job.row.values["seed"]}
    unnamed = ("./solve", "--a=0.5", "0.5", "True", "{{ job_id }}", "0", "cloudburst-input://00")
    assert job.id == job_id(unnamed, job.description, 0)


def test_what_only_the_command_names_makes_another_job() -> None:
    study = ensemble(
        block(axis("a", 1), axis("b", 1, 2)), command=("./solve", "{{ b }}"), job={"a": "{{ a }}"}
    )
    one, two = jobs(study)
    assert one.description == two.description
    assert one.id != two.id


def test_rows_with_one_description_are_one_job_and_replicates_are_not() -> None:
    template = {"a": "{{ a }}"}
    assert len({job.id for job in jobs(ensemble(block(axis("a", 1, 2), axis("b", 1, 2)), job=template))}) == 2
    assert len({job.id for job in jobs(ensemble(block(axis("a", 1), replicates(3)), job=template))}) == 3


def test_ids_do_not_hang_on_position_or_layout() -> None:
    one = ensemble(block(axis("a", 1, 2), axis("b", 0.5, 1.5)))
    other = ensemble(block(axis("b", 1.5, 0.5), fixed={"a": 2.0}), block(axis("b", 0.5, 1.5), fixed={"a": 1}))
    assert {job.id for job in jobs(one)} == {job.id for job in jobs(other)}


@pytest.mark.parametrize(
    ("template", "path", "reason"),
    [
        ({"t": "x {{ rule }}"}, ("job", "t"), "there is no `rule` in this row, which `x {{ rule }}` needs"),
        ({"deep": [{"t": "{{ 1 / a }}"}]}, ("job", "deep", 0, "t"), "division by zero"),
    ],
)
def test_a_row_that_has_no_job_is_named(template: Any, path: Any, reason: str) -> None:
    study = ensemble(block(cases({"a": 1, "rule": "x"}, {"a": 0})), job=template)
    with pytest.raises(RowError) as caught:
        list(jobs(study))
    assert caught.value.problem.path == path
    assert caught.value.message.startswith("row 1, where a=0: ")
    assert reason in caught.value.message


def test_an_argument_that_fails_is_named_by_its_place() -> None:
    study = ensemble(block(cases({"a": 1}, {})), command=("./solve", "{{ a }}"))
    with pytest.raises(RowError) as caught:
        list(jobs(study))
    assert caught.value.problem.path == ("worker", "command", 1)


def test_a_description_over_a_mebibyte_is_refused_with_a_way_out() -> None:
    fits, large = "é" * (2**19 - 50), "é" * 2**19
    assert jobs(ensemble(block(axis("a", fits)))).at(0).description == {"a": fits}
    with pytest.raises(RowError) as caught:
        jobs(ensemble(block(axis("a", 1, large))))[1]
    assert caught.value.problem.code == "job-too-large"
    assert "row 1" in caught.value.message
    assert "inputs:" in caught.value.hint


def test_half_a_character_has_a_place() -> None:
    with pytest.raises(RowError) as caught:
        jobs(ensemble(block(axis("a", "\ud800"))))[0]
    assert caught.value.problem.code == "not-json"


def test_jobs_are_indexed_like_their_rows() -> None:
    found = jobs(ensemble(block(axis("a", 1, 2, 3), sample("random", 4, c=Choice(("x", "y"))))))
    assert len(found) == found.count == 12
    assert list(found)[5] == found[5]
    assert list(found[3:7]) == list(found)[3:7]
