from __future__ import annotations

from typing import Any

import pytest
from compile.nouns import (
    Normal,
    Uniform,
    axis,
    block,
    cases,
    ensemble,
    influx,
    replicates,
    sample,
    table,
    zipped,
)

from cloudburst.compile.checks import check
from cloudburst.diagnostics import Problem, dotted
from cloudburst.spec.ensemble import Block, Ensemble

GRID = (axis("network", "net3.inp", "net6.inp"), axis("demand", 0.8, 1.2))


def problems(study: Ensemble) -> list[Problem]:
    return list(check(study))


def found(study: Ensemble) -> list[tuple[str, str, str]]:
    """(place, code, name or text in backquotes)"""
    return [
        (dotted(p.path), p.code, p.message.split("`")[1] if "`" in p.message else "") for p in problems(study)
    ]


def only(study: Ensemble) -> Problem:
    (problem,) = problems(study)
    return problem


def test_a_sound_study_has_no_problems() -> None:
    study = ensemble(
        block(
            *GRID,
            axis("rule", "a", "b", when="network == 'net3.inp'"),
            table({"pipe": "1"}, {"pipe": "2"}, where="pipe != '2'"),
            replicates(2),
            fixed={"hours": 168},
            derive={"load": "demand * hours", "label": "load ~ network ~ replicate"},
            exclude=[{"network": "net6.inp", "demand": 1.2}, "load > 200 and row > 3"],
        ),
        job={"n": "{{ label }}-{{ pipe }}", "rule": "{{ rule }}", "s": "{{ seed }}", "m": "{{ inputs.map }}"},
        inputs=["map"],
    )
    assert problems(study) == []


def test_an_unknown_name_gets_the_nearest_and_the_way_to_write_a_text() -> None:
    problem = only(ensemble(block(*GRID, derive={"x": "demnd * 2"})))
    assert (problem.code, problem.path) == ("unknown-name", ("parameters", "derive", "x"))
    assert problem.message == "there is no parameter `demnd` here"
    assert problem.hint == "did you mean `demand`? For the text, write 'demnd' with quotes"
    assert (
        only(ensemble(block(*GRID, exclude=["network == pvc"]))).hint
        == "for the text, write 'pvc' with quotes"
    )


@pytest.mark.parametrize(
    ("study", "place", "code", "name"),
    [
        (block(*GRID, derive={"x": "demand &&"}), "parameters.derive.x", "expression", "demand &&"),
        (block(*GRID, exclude=["demand = 1"]), "parameters.exclude[0].where", "expression", "demand = 1"),
        (block(*GRID, exclude=["dmand > 1"]), "parameters.exclude[0].where", "unknown-name", "dmand"),
        (block(*GRID, exclude=[{"dmand": 1}]), "parameters.exclude[0].dmand", "unknown-name", "dmand"),
        (block(*GRID, derive={"x": "y", "y": "1"}), "parameters.derive.x", "name-not-here", "y"),
        (block(*GRID, derive={"x": "x + 1"}), "parameters.derive.x", "name-not-here", "x"),
        (block(*GRID, derive={"x": "row"}), "parameters.derive.x", "name-not-here", "row"),
        (block(*GRID, derive={"x": "replicate"}), "parameters.derive.x", "name-not-here", "replicate"),
        (block(*GRID, derive={"x": "inputs.map"}), "parameters.derive.x", "name-not-here", "inputs"),
        (block(*GRID, exclude=["job_id == '1'"]), "parameters.exclude[0].where", "name-not-here", "job_id"),
        (block(*GRID, axis("r", 1, when="r == 1")), "parameters.grid.r.when", "name-not-here", "r"),
        (
            block(*GRID, axis("r", 1, when="d"), derive={"d": "1"}),
            "parameters.grid.r.when",
            "name-not-here",
            "d",
        ),
        (
            block(*GRID, axis("r", 1, when="seed"), replicates(2)),
            "parameters.grid.r.when",
            "name-not-here",
            "seed",
        ),
        (block(*GRID, axis("r", 1, when="row > 1")), "parameters.grid.r.when", "name-not-here", "row"),
        (block(*GRID, table({"p": 1}, where="demand")), "parameters.table.where", "name-not-here", "demand"),
        (block(*GRID, table({"p": 1}, where="q")), "parameters.table.where", "unknown-name", "q"),
        (block(zipped(axis("a", 1, when="c"))), "parameters.grid.a.when", "unknown-name", "c"),
    ],
)
def test_names_are_judged_where_they_stand(study: Block, place: str, code: str, name: str) -> None:
    assert found(ensemble(study)) == [(place, code, name)]


def test_whens_that_wait_for_each_other() -> None:
    problem = only(ensemble(block(axis("a", 1, when="b == 1"), axis("b", 1, when="a == 1"))))
    assert problem.code == "when-cycle"
    assert problem.path == ("parameters", "grid", "a", "when")


@pytest.mark.parametrize(
    ("template", "code", "name"),
    [
        ({"k": "{{ dmand }} {{ demand }} {{ network }}"}, "unknown-name", "dmand"),
        ({"k": "{{ demand }} {{ network }} {{ row }}"}, "name-not-here", "row"),
        ({"k": "{{ demand }} {{ network }} {{ job_id }}"}, "name-not-here", "job_id"),
        ({"k": "{{ demand }} {{ network }} {{ inputs.city }}"}, "unknown-input", "city"),
        ({"k": "{{ demand ^ 2 }} {{ network }}"}, "expression", "{{ demand ^ 2 }} {{ network }}"),
    ],
)
def test_templates_are_judged_too(template: Any, code: str, name: str) -> None:
    study = ensemble(block(*GRID), job={"deep": [template]}, inputs=["map"])
    errors = [one for one in found(study) if one[1] not in ("unused-parameter",)]
    assert errors == [("job.deep[0].k", code, name)]


def test_inputs_without_inputs_and_job_id_in_a_command() -> None:
    study = ensemble(
        block(*GRID), command=("./solve", "{{ demand }}{{ network }}{{ inputs.map }}", "{{ job_id }}")
    )
    assert found(study) == [("worker.command[1]", "name-not-here", "inputs")]


def test_what_some_block_lacks_may_only_be_left_out_whole() -> None:
    blocks = (block(axis("a", 1), axis("b", 1), replicates(2)), block(axis("b", 2), name="corners"))
    fine = {
        "a": "{{ a }}",
        "t": "{{ b }}{{ a if a is defined else 0 }}{{ a | default(1) }}",
        "s": "{{ replicate }}",
    }
    assert found(ensemble(*blocks, job=fine)) == []
    problem = only(ensemble(*blocks, job={"t": "{{ b }}-{{ a }}", "s": "{{ seed }}"}))
    assert (problem.code, problem.message) == ("name-absent", "block `corners` has no `a`")
    problem = only(ensemble(*blocks, job={"t": "{{ b }}-{{ replicate }}", "a": "{{ a }}"}))
    assert problem.message == "block `corners` has no `replicates`, so no `replicate`"


# ── sinks ────────────────────────────────────────────────────────────────────────────────────
BEGIN = {"begin": "2018-05-28T00:00:00"}


def test_tags_and_start_name_parameters() -> None:
    study = block(*GRID, replicates(2), fixed=BEGIN, derive={"load": "demand * 2"})
    sink = influx(["demand", "load", "seed", "begin"], "begin")
    assert found(ensemble(study, results=[sink])) == []
    assert found(ensemble(study, results=[influx([], "2018-05-28")])) == []


@pytest.mark.parametrize(
    ("tags", "start", "mark", "hint"),
    [
        (["network", "dmand"], None, ("results[0].influxdb.tags[1]", "dmand"), "did you mean `demand`?"),
        (["x"], None, ("results[0].influxdb.tags[0]", "x"), "the parameters are demand, network"),
        (["replicate"], None, ("results[0].influxdb.tags[0]", "replicate"), "the parameters are"),
        (None, "demnd", ("results[0].influxdb.start", "demnd"), "did you mean `demand`?"),
    ],
)
def test_what_is_no_parameter(tags: Any, start: Any, mark: tuple[str, str], hint: str) -> None:
    problem = only(ensemble(block(*GRID), results=[influx(tags, start)]))
    assert (dotted(problem.path), problem.code) == (mark[0], "unknown-name")
    assert problem.message == f"there is no parameter `{mark[1]}`"
    assert hint in problem.hint


def test_a_start_is_in_every_block_and_a_tag_in_some() -> None:
    blocks = block(*GRID, fixed=BEGIN), block(*GRID, name="late")
    assert found(ensemble(*blocks, results=[influx(["begin"])])) == []
    problem = only(ensemble(*blocks, results=[influx(start="begin")]))
    assert (problem.code, problem.message) == ("name-absent", "block `late` has no `begin`")


@pytest.mark.parametrize(
    ("study", "message"),
    [
        (block(axis("begin", "2018-05-28", "soon")), "row 1 has no moment in `begin`"),
        (block(axis("begin", 0, 1e12)), "row 1 has no moment in `begin`"),
        (block(axis("begin", True)), "row 0 has no moment in `begin`"),
        (block(cases({"begin": "2018-05-28"}, {"x": 1})), "row 1 has no `begin`"),
        (block(axis("day", 28, 31), derive={"begin": "'2018-06-' ~ day"}), "row 1 has no moment in `begin`"),
    ],
)
def test_a_start_is_a_moment_in_every_row(study: Block, message: str) -> None:
    problem = only(ensemble(study, results=[influx(start="begin")]))
    assert (dotted(problem.path), problem.code) == ("results[0].influxdb.start", "start-moment")
    assert problem.message == message


def test_what_a_sink_names_is_used() -> None:
    study = block(axis("a", 1), axis("b", 2), fixed=BEGIN)
    unused = [name for _, _, name in found(ensemble(study, job={"k": 1}))]
    assert unused == ["begin", "a", "b"]
    assert found(ensemble(study, job={"k": "{{ b }}"}, results=[influx(["a"], "begin")])) == []


def test_a_parameter_nothing_uses_is_a_warning_where_it_stands() -> None:
    study = ensemble(
        block(
            *GRID,
            axis("rule", "a", "b", when="network == 'net3.inp'"),
            sample("lhs", 2, u=Uniform(0, 1)),
            cases({"c": 1}, {"c": 2}),
            fixed={"hours": 1},
            derive={"x": "demand * 2"},
            exclude=[{"rule": "b"}],
        ),
        job={"n": 1},
    )
    assert found(study) == [
        ("parameters.fixed.hours", "unused-parameter", "hours"),
        ("parameters.sample.of.u", "unused-parameter", "u"),
        ("parameters.cases[1].c", "unused-parameter", "c"),
    ]
    assert all((p.severity, p.at) == ("warning", "key") for p in problems(study))
    assert found(ensemble(block(*GRID))) == []


def test_replicates_nothing_tells_apart() -> None:
    alike = only(ensemble(block(axis("a", 1), replicates(3)), job={"a": "{{ a }}"}))
    assert (alike.code, alike.severity, alike.path) == (
        "replicates-alike",
        "warning",
        ("parameters", "replicates"),
    )
    through = block(axis("a", 1), replicates(3), derive={"x": "seed % 10", "y": "x + 1"})
    assert found(ensemble(through, job={"a": "{{ a }}", "y": "{{ y }}"})) == []
    assert found(ensemble(block(axis("a", 1), replicates(3)), job={"a": "{{ a }} {{ replicate }}"})) == []
    assert found(ensemble(block(axis("a", 1), replicates(1)), job={"a": "{{ a }}"})) == []


def test_what_is_drawn_at_plan_has_to_fit() -> None:
    problem = only(ensemble(block(sample("random", 10**8, g=Normal(0, 1), u=Uniform(0, 1)))))
    assert (problem.code, problem.path) == ("too-many-draws", ("parameters", "sample", "n"))
