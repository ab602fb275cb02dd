"""What keeps a sample from being drawn: too much of it, correlations no variables have, a library that is not there.

Draws nothing: a study that passes here can be drawn.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..diagnostics import Problem
from ..spec.ensemble import Draw, Ensemble, Sample
from ..words import listed
from . import correlation, designs, library
from .distributions import needs_library
from .draws import MOST_ROWS, drawn

MOST_CORRELATED = 60
"""In one group: whether its correlations are possible is found out by their cubes."""


def check_drawn(ensemble: Ensemble) -> Iterator[Problem]:
    """Every reason not to draw; a problem each."""
    for block in ensemble.blocks:
        for sample, draw in drawn(block):
            yield from _check_amount(sample, draw)
        for sample in block.samples:
            yield from _check_dimensions(sample)
            yield from _check_correlations(sample)
            for draw in sample.draws:
                yield from _check_library(draw)


def _check_amount(sample: Sample, draw: Draw) -> Iterator[Problem]:
    """What is drawn at plan has to fit into the plan."""
    width = len(draw.components)
    if sample.count * width > MOST_ROWS:
        wide = f", with {width:,} values each" if draw.is_vector else ""
        message = f"`{draw.name}` is drawn at plan, for at most {MOST_ROWS:,} rows; n is {sample.n:,}{wide}"
        hint = "uniform, triangular, poisson, integers and choice are computed when needed, for any n"
        yield Problem("too-many-draws", (*sample.path, _counter(sample)), message, hint)


def _counter(sample: Sample) -> str:
    return "trajectories" if sample.method == "morris" else "n"


def _check_dimensions(sample: Sample) -> Iterator[Problem]:
    """Sobol's sequence is known for so many dimensions and no more."""
    width = sum(len(draw.components) for draw in sample.draws)
    most = designs.most_dimensions() // (2 if sample.method == "saltelli" else 1)
    if sample.method in ("sobol", "saltelli") and width > most:
        message = f"{width:,} values are drawn together, and {sample.method} has {most:,} dimensions"
        hint = "lhs and halton draw any number"
        yield Problem("too-many-dimensions", (*sample.path, "method"), message, hint)


# ── correlations ─────────────────────────────────────────────────────────────────────────────
def _check_correlations(sample: Sample) -> Iterator[Problem]:
    names = [draw.name for draw in sample.draws]
    for group in correlation.groups(names, sample.correlate):
        if len(group) > MOST_CORRELATED:
            message = (
                f"{len(group):,} parameters hang together, and at most {MOST_CORRELATED} can be correlated"
            )
            hint = "leave out pairs that hardly matter, so that there are several groups"
            yield Problem("too-many-dimensions", (*sample.path, "correlate"), message, hint)
        elif not correlation.is_possible(correlation.matrix_of(group, sample.correlate)):
            yield _impossible(sample, correlation.offending(group, sample.correlate))
        elif sample.n <= len(group):
            message = f"{sample.n} points cannot show how {len(group)} parameters hang together"
            hint = f"at least {len(group) + 1}; some hundred make the correlations what they are to be"
            yield Problem("too-few-points", (*sample.path, "n"), message, hint)


def _impossible(sample: Sample, group: tuple[str, ...]) -> Problem:
    """Said where the group's first pair stands, with its other pairs beside it."""
    pairs = [
        (first, second)
        for first, others in sample.correlate.items()
        for second in others
        if first in group and second in group
    ]
    places = [(*sample.path, "correlate", first, second) for first, second in pairs]
    names = listed(f'"{name}"' for name in group)
    said = ", ".join(f"{first} and {second} {sample.correlate[first][second]:g}" for first, second in pairs)
    share = correlation.largest_share(group, sample.correlate)
    hint = f"what some pairs have in common binds the others; all of these times {share:g} would be possible"
    return Problem(
        "impossible-correlations",
        places[0],
        f"no parameters {names} can be correlated like this: {said}",
        hint,
        related=tuple((place, "and this") for place in places[1:]),
    )


# ── the library ──────────────────────────────────────────────────────────────────────────────
def _check_library(draw: Draw) -> Iterator[Problem]:
    if not needs_library(draw.distribution):
        return
    try:
        library.check(draw.distribution)
    except library.LibraryMissing as error:
        yield Problem("missing-extra", draw.path, f'"{draw.name}": {error.message}', error.hint)
    except library.Misfit as error:
        inside = (error.key,) if error.key else ()
        path = (*draw.path, "scipy", *inside)
        yield Problem("no-such-distribution", path, f'"{draw.name}": {error.message}', error.hint)
