"""An edit told as a story: two texts in, what came, what went, and why."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudburst.compile.difference import Difference, causes, compare
from cloudburst.compile.draws import draw
from cloudburst.compile.jobs import Jobs, make_jobs
from cloudburst.compile.space import make_space
from cloudburst.spec import build, load
from cloudburst.spec.ensemble import Ensemble

from .nouns import axis, block, ensemble, replicates

HEAD = "cloudburst: 1\nname: waves\nworker: {directory: waves, entrypoint: waves:work}\n"


def read(tmp_path: Path, text: str) -> Ensemble:
    """The study of these parameters, or of a whole file that begins with `cloudburst:`."""
    spec = tmp_path / "ensemble.yaml"
    text = dedent(text)
    whole = text if text.startswith("cloudburst:") else f"{HEAD}parameters:\n{indent(text, '  ')}"
    spec.write_text(whole)
    loaded = load(spec)
    assert loaded.ensemble is not None, loaded.diagnostics
    return loaded.ensemble


def jobs_of(study: Ensemble) -> Jobs:
    return make_jobs(study, make_space(study, draw(study)), {})


def edit(tmp_path: Path, before: str, after: str) -> Difference:
    old, new = read(tmp_path, before), read(tmp_path, after)
    return compare(jobs_of(old), jobs_of(new), causes(old, new))


def told(difference: Difference) -> tuple[list[tuple[int, list[str]]], list[tuple[int, list[str]]]]:
    """Jobs with the clauses of their causes, of those that came and of those that went."""
    return (
        [(share.jobs, [cause.text for cause in share.causes]) for share in difference.gained],
        [(share.jobs, [cause.text for cause in share.causes]) for share in difference.lost],
    )


GRID = "grid: {demand: [1, 2], network: [a, b, c]}\n"

EDITS = {
    "a value": (GRID, "grid: {demand: [1, 2, 3], network: [a, b, c]}\n", [(3, ["demand gained 3"])], []),
    "a value less": (GRID, "grid: {demand: [1], network: [a, b, c]}\n", [], [(3, ["demand lost 2"])]),
    "a value for another": (
        GRID,
        "grid: {demand: [1, 2.5], network: [a, b, c]}\n",
        [(3, ["demand gained 2.5"])],
        [(3, ["demand lost 2"])],
    ),
    "two axes": (
        GRID,
        "grid: {demand: [1, 2, 3], network: [a, b, c, d]}\n",
        [(4, ["demand gained 3"]), (2, ["network gained d"])],
        [],
    ),
    "many values": (
        GRID,
        "grid: {demand: {from: 1, to: 9, step: 1}, network: [a, b, c]}\n",
        [(21, ["demand gained 3, 4, 5 and 4 more"])],
        [],
    ),
    "the same values said otherwise": (
        GRID,
        "grid: {network: [c, b, a], demand: {from: 1, to: 2, step: 1}}\n",
        [],
        [],
    ),
    "fixed becomes an axis": (
        "fixed: {hours: 24}\n" + GRID,
        "grid: {demand: [1, 2], network: [a, b, c], hours: [24, 48]}\n",
        [(6, ["hours gained 48"])],
        [],
    ),
    "a fixed value": (
        "fixed: {hours: 24}\n" + GRID,
        "fixed: {hours: 48}\n" + GRID,
        [(6, ["hours gained 48"])],
        [(6, ["hours lost 24"])],
    ),
    "a parameter": (
        GRID,
        "fixed: {hours: 24}\n" + GRID,
        [(6, ["hours is new"])],
        [(6, ["hours is new"])],
    ),
    "a parameter less": (
        "fixed: {hours: 24}\n" + GRID,
        GRID,
        [(6, ["hours is gone"])],
        [(6, ["hours is gone"])],
    ),
    "a parameter that was something": (
        GRID,
        GRID.replace("c]}", "c], hours: {values: [24, 48, 72], was: 24}}"),
        [(12, ["hours is new (was: 24)"])],
        [],
    ),
    "one that was something, and a value": (
        GRID,
        GRID.replace("[1, 2]", "[1, 2, 3]").replace("c]}", "c], hours: {values: [24, 48], was: 24}}"),
        [(6, ["demand gained 3"]), (6, ["hours is new (was: 24)"])],
        [],
    ),
    "one that was what it never is": (
        GRID,
        GRID.replace("c]}", "c], hours: {values: [48], was: 24}}"),
        [(6, ["hours is new (was: 24)"])],
        [(6, ["hours is new"])],
    ),
    "one that was something, and is absent elsewhere": (
        GRID,
        GRID.replace("c]}", "c], hours: {values: [24, 48], was: 24, when: demand == 1}}"),
        [(3, ["hours is new (was: 24)"])],
        [],
    ),
    "one that was something is gone again": (
        GRID.replace("c]}", "c], hours: {values: [24, 48], was: 24}}"),
        GRID,
        [],
        [(6, ["hours is gone"])],
    ),
    "saying only now what it was": (
        GRID.replace("c]}", "c], hours: [24, 48]}"),
        GRID.replace("c]}", "c], hours: {values: [24, 48], was: 24}}"),
        [(6, ["`was` of hours is new"])],
        [(6, ["`was` of hours is new"])],
    ),
    "a zip of which each was something": (
        GRID,
        GRID + "zip: [{pump: {values: [1, 2], was: 1}, curve: {values: [a, b], was: a}}]\n",
        [(6, ["the zip of pump+curve is new (was: 1, a)"])],
        [],
    ),
    "replicates": (
        GRID + "replicates: {n: 2, as: seed}\n",
        GRID + "replicates: {n: 5, as: seed}\n",
        [(18, ["replicates went from 2 to 5"])],
        [],
    ),
    "fewer replicates": (
        GRID + "replicates: {n: 5, as: seed}\n",
        GRID + "replicates: {n: 2, as: seed}\n",
        [],
        [(18, ["replicates went from 5 to 2"])],
    ),
    "a zip": (
        "zip: [{pump: [1, 2], curve: [a, b]}]\n",
        "zip: [{pump: [1, 2, 3], curve: [a, b, c]}]\n",
        [(1, ["the zip of pump+curve gained 1 row"])],
        [],
    ),
    "cases": (
        "cases: [{x: 1, y: 2}, {x: 3, y: 4}]\n",
        "cases: [{x: 1, y: 2}, {x: 3, y: 5}, {x: 6, y: 7}]\n",
        [(2, ["cases gained 2 rows"])],
        [(1, ["cases lost 1 row"])],
    ),
    "n of a sample": (
        "sample: {method: random, n: 10, of: {x: {uniform: [0, 1]}}}\n",
        "sample: {method: random, n: 15, of: {x: {uniform: [0, 1]}}}\n",
        [(5, ["n of the random sample went from 10 to 15"])],
        [],
    ),
    "a bound of a draw": (
        "sample: {method: random, n: 10, of: {x: {uniform: [0, 1]}, y: {uniform: [0, 1]}}}\n",
        "sample: {method: random, n: 10, of: {x: {uniform: [0, 2]}, y: {uniform: [0, 1]}}}\n",
        [(10, ["x is drawn otherwise"])],
        [(10, ["x is drawn otherwise"])],
    ),
    "an exclude": (GRID, GRID + "exclude: [{demand: 2, network: c}]\n", [], [(1, ['exclude gained {"demand": 2, "network": "c"}'])]),
    "an exclude less": (
        GRID + "exclude: [{where: demand > 1}]\n",
        GRID,
        [(3, ["exclude lost demand > 1"])],
        [],
    ),
    "a derived value": (
        GRID + "derive: {double: demand * 2}\n",
        GRID + "derive: {double: demand + demand + 1}\n",
        [(6, ["double is derived otherwise"])],
        [(6, ["double is derived otherwise"])],
    ),
    "a slice": (
        GRID + "take: {n: 2}\n",
        GRID + "take: {n: 5}\n",
        [(3, ["`take` is another in block main"])],
        [],
    ),
    "a unit": ("grid: {demand: {values: [1, 2], unit: l/s}}\n", "grid: {demand: {values: [1, 2], unit: m3/s}}\n", [], []),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_told_with_its_cause(tmp_path: Path, name: str) -> None:
    before, after, came, went = EDITS[name]
    assert told(edit(tmp_path, before, after)) == (came, went)


def test_a_block_is_told_as_a_whole(tmp_path: Path) -> None:
    main = "- block: main\n  grid: {x: [1, 2]}\n"
    corners = "- block: corners\n  cases: [{x: 10}, {x: -10}]\n"
    assert told(edit(tmp_path, main, main + corners)) == ([(2, ["block corners is new"])], [])
    assert told(edit(tmp_path, main + corners, main)) == ([], [(2, ["block corners is gone"])])


def test_rows_a_second_block_gives_as_well_are_kept(tmp_path: Path) -> None:
    """A job is counted by its id, whoever gives it."""
    one = "- block: one\n  grid: {x: [1, 2]}\n"
    both = one + "- block: two\n  grid: {x: [2, 3]}\n"
    difference = edit(tmp_path, one, both)
    assert (difference.added, difference.kept, difference.removed) == (1, 2, 0)


def test_two_causes_that_no_row_tells_apart_are_named_together(tmp_path: Path) -> None:
    sample = "sample: {method: random, n: %s, of: {x: {uniform: [0, %s]}}}\n"
    came, _ = told(edit(tmp_path, sample % (4, 1), sample % (6, 2)))
    assert came == [(6, ["n of the random sample went from 4 to 6", "x is drawn otherwise"])]


def test_what_every_job_has_in_common(tmp_path: Path) -> None:
    text = HEAD + "parameters: {grid: {x: [1, 2]}}\njob: {options: {x: '{{ x }}', speed: 1}}\n"
    other = text.replace("speed: 1", "speed: 2")
    assert told(edit(tmp_path, text, other))[0] == [(2, ["the job's `options.speed` is another"])]
    moved = text.replace("waves:work", "waves:other")
    assert told(edit(tmp_path, text, moved))[0] == [
        (2, ["the entrypoint went from waves:work to waves:other"])
    ]


def test_the_cluster_the_sinks_and_the_order_of_keys_are_no_cause(tmp_path: Path) -> None:
    text = HEAD + "parameters: {grid: {x: [1, 2]}}\n"
    other = text + "cluster: {slots: 2}\nresults: [{table: {path: other.csv}}]\n"
    assert not causes(read(tmp_path, text), read(tmp_path, other))


def test_a_table_is_compared_row_by_row(tmp_path: Path) -> None:
    text = "table: {file: scenarios.csv}\n"
    (tmp_path / "scenarios.csv").write_text("pipe,head\n1,5\n2,6\n")
    before = read(tmp_path, text)
    (tmp_path / "scenarios.csv").write_text("pipe,head\n2,6\n1,5\n3,7\n")
    after = read(tmp_path, text)
    difference = compare(jobs_of(before), jobs_of(after), causes(before, after))
    assert told(difference) == ([(1, ["scenarios.csv gained 1 row"])], [])


def test_other_contents_of_an_input_are_a_cause(tmp_path: Path) -> None:
    study = read(tmp_path, GRID)
    found = causes(study, study, ({"city": "aa", "same": "cc"}, {"city": "bb", "same": "cc"}))
    assert [(cause.path, cause.text) for cause in found.gained] == [
        (("inputs", "city"), "city has other content")
    ]


def test_a_cause_is_where_the_new_file_says_it(tmp_path: Path) -> None:
    spec = tmp_path / "ensemble.yaml"
    old = read(tmp_path, "grid:\n  demand: [1]\n")
    new = read(tmp_path, "grid:\n  demand:\n    - 1\n    - 2\n")
    (cause,) = causes(old, new).gained
    line = load(spec).document.span(cause.path).line
    assert spec.read_text().splitlines()[line - 1].strip() == "- 2"


# ── laws ─────────────────────────────────────────────────────────────────────────────────────
values = st.lists(st.integers(0, 6), min_size=1, max_size=5, unique=True)


@st.composite
def studies(draw: st.DrawFn) -> Ensemble:
    """Grids over the same few names, now and then in two blocks and with replicates."""
    blocks = []
    for name in ("main", "corners")[: draw(st.integers(1, 2))]:
        names = draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3, unique=True))
        sources = [axis(one, *draw(values)) for one in names]
        if draw(st.booleans()):
            sources.append(replicates(draw(st.integers(1, 3))))
        blocks.append(block(*sources, name=name))
    return ensemble(*blocks)


@settings(max_examples=150, deadline=None)
@given(studies(), studies())
def test_every_job_is_counted_once_and_only_an_edit_has_causes(before: Ensemble, after: Ensemble) -> None:
    old, new = jobs_of(before), jobs_of(after)
    found = causes(before, after)
    difference = compare(old, new, found)
    there, here = {job.id for job in old}, {job.id for job in new}
    assert difference.added == len(here - there) == sum(share.jobs for share in difference.gained)
    assert difference.removed == len(there - here) == sum(share.jobs for share in difference.lost)
    assert difference.kept == len(there & here)
    assert all(share.causes for share in (*difference.gained, *difference.lost))


@settings(max_examples=100, deadline=None)
@given(studies())
def test_nothing_differs_from_itself(study: Ensemble) -> None:
    assert not causes(study, study)


@settings(max_examples=60, deadline=None)
@given(studies(), studies())
def test_undoing_an_edit_is_its_opposite(before: Ensemble, after: Ensemble) -> None:
    there = compare(jobs_of(before), jobs_of(after), causes(before, after))
    back = compare(jobs_of(after), jobs_of(before), causes(after, before))
    assert (there.added, there.removed, there.kept) == (back.removed, back.added, back.kept)


def test_a_study_written_down_and_read_again_is_no_edit(tmp_path: Path) -> None:
    spec = tmp_path / "ensemble.yaml"
    read(tmp_path, GRID + "replicates: {n: 2, as: seed}\n")
    loaded = load(spec)
    assert loaded.ensemble is not None
    assert not causes(build(loaded.normal), loaded.ensemble)
