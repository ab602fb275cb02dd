"""A parameter that joins a study and says what it `was`: every row there was keeps its id and its seeds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from compile.nouns import axis
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudburst.compile.jobs import Job, make_jobs
from cloudburst.compile.space import make_space
from cloudburst.spec.ensemble import Block, Ensemble, Was

from .strategies import ensembles, scalars

NEW = "added"
few = st.lists(scalars, min_size=1, max_size=4, unique_by=lambda value: (type(value) is bool, value))


def jobs(study: Ensemble) -> list[Job]:
    return list(make_jobs(study, make_space(study), {}))


@st.composite
def edits(draw: st.DrawFn) -> tuple[Ensemble, Ensemble, int]:
    """A study, the same with one more axis in each block, and how many values that has."""
    study = draw(ensembles(filtered=False))
    if study.job is not None:
        study = replace(study, job={**study.job, "d": {NEW: f"{{{{ {NEW} }}}}"}})
    values = draw(few)
    added = axis(NEW, *values, was=Was(draw(st.sampled_from(values))))

    def grown(block: Block) -> Block:
        place = draw(st.integers(0, len(block.sources)))
        return replace(block, sources=(*block.sources[:place], added, *block.sources[place:]))

    return study, replace(study, blocks=tuple(map(grown, study.blocks))), len(values)


@given(edits())
@settings(deadline=None)
def test_every_old_id_and_seed_stays_and_just_the_other_values_are_new(
    edit: tuple[Ensemble, Ensemble, int],
) -> None:
    before, after, values = edit
    old, new = jobs(before), jobs(after)

    assert len(new) == values * len(old)
    had, has = Counter(job.id for job in old), Counter(job.id for job in new)
    assert {id_: has[id_] for id_ in had} == had, "each of them as often as before"
    assert len(has) == values * len(had)

    seeds = Counter((job.id, job.row.replicate, job.row.values.get("seed")) for job in old)
    kept = Counter((job.id, job.row.replicate, job.row.values.get("seed")) for job in new if job.id in had)
    assert kept == seeds
    assert all(NEW in job.row.values for job in new), "what is sent has the value"
