"""Rules about `sample` that a schema cannot say: distributions no value can come from, names nothing draws,
designs that cannot be what they are for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Literal

from ..diagnostics import Path, Problem
from ..words import count
from .ensemble import (
    Beta,
    Choice,
    Distribution,
    Draw,
    Ensemble,
    Integers,
    LogUniform,
    Sample,
    Triangular,
    TruncNormal,
    Uniform,
    has_ends,
)
from .scalars import shortened
from .schema import nearest


def _samples(ensemble: Ensemble) -> Iterator[Sample]:
    for block in ensemble.blocks:
        yield from block.samples


# ── distributions ────────────────────────────────────────────────────────────────────────────
def check_distributions(ensemble: Ensemble) -> Iterator[Problem]:
    for sample in _samples(ensemble):
        for draw in sample.draws:
            yield from _check_draw(draw, draw.distribution)


def _check_draw(draw: Draw, distribution: Distribution) -> Iterator[Problem]:
    match distribution:
        case Uniform(low, high):
            yield from _check_bounds(draw, "uniform", low, high)
        case LogUniform(low, high):
            if min(low, high) <= 0:
                message = f'"{draw.name}" is drawn on a logarithmic scale, and that has no {min(low, high):g}'
                hint = "bounds are the values themselves, not exponents: [1e-6, 1e-3]"
                place = (*draw.path, "loguniform", 0 if low <= 0 else 1)
                yield Problem("log-of-nothing", place, message, hint)
            yield from _check_bounds(draw, "loguniform", low, high)
        case Integers(low, high) if low > high:
            yield _empty_range(draw, "integers", f"{low} is above {high}", low, high)
        case Choice(values, weights) if weights is not None:
            yield from _check_weights(draw, len(values), weights)
        case TruncNormal():
            yield from _check_truncated(draw, distribution)
        case Beta(low=low, high=high):
            yield from _check_bounds(draw, "beta", low, high)
        case Triangular(low, mode, high):
            yield from _check_bounds(draw, "triangular", low, high)
            if low < high and not low <= mode <= high:
                message = (
                    f'the most likely value of "{draw.name}", {mode:g}, is not between {low:g} and {high:g}'
                )
                yield Problem(
                    "outside-its-bounds", (*draw.path, "triangular"), message, "a list is [min, mode, max]"
                )


def _check_truncated(draw: Draw, distribution: TruncNormal) -> Iterator[Problem]:
    low, high = distribution.low, distribution.high
    path = (*draw.path, "truncnormal")
    if low is None and high is None:
        hint = "for example min: 0; without any bound it is `normal`"
        yield Problem("missing-key", path, f'"{draw.name}" is cut off nowhere', hint, at="key")
    elif low is not None and high is not None and low >= high:
        yield from _check_bounds(draw, "truncnormal", low, high)
    elif _furthest(distribution) > FURTHEST_OUT:
        message = f'"{draw.name}" lies more than {FURTHEST_OUT} standard deviations from its mean: none can be drawn'
        yield Problem("empty-range", path, message, "a mean that is nearer, or a larger sd")


FURTHEST_OUT = 30
"""Standard deviations: further out a normal distribution has less than floats can count with."""


def _furthest(distribution: TruncNormal) -> float:
    """How many standard deviations the nearest value that is left lies from the mean."""
    low = -math.inf if distribution.low is None else (distribution.low - distribution.mean) / distribution.sd
    high = (
        math.inf if distribution.high is None else (distribution.high - distribution.mean) / distribution.sd
    )
    return max(low, -high, 0.0)


def _check_bounds(draw: Draw, kind: str, low: float, high: float) -> Iterator[Problem]:
    if low == high:
        hint = "a parameter with one value stands in `fixed`"
        yield Problem(
            "empty-range", (*draw.path, kind), f'"{draw.name}" is drawn between {low:g} and {high:g}', hint
        )
    elif low > high:
        yield _empty_range(draw, kind, f"{low:g} is above {high:g}", low, high)


def _empty_range(draw: Draw, kind: str, why: str, low: float, high: float) -> Problem:
    message = f'"{draw.name}" can take no value: {why}'
    order = f": [{high:g}, {low:g}]" if kind in ("uniform", "loguniform", "integers") else ""
    return Problem("empty-range", (*draw.path, kind), message, f"the lower bound comes first{order}")


def _check_weights(draw: Draw, values: int, weights: tuple[float, ...]) -> Iterator[Problem]:
    path = (*draw.path, "weights")
    if len(weights) != values:
        message = f'"{draw.name}" has {count(values, "value")} and {count(len(weights), "weight")}'
        related = (((*draw.path, "choice"), f"{count(values, 'value')} here"),)
        yield Problem("unequal-weights", path, message, "one weight for each value", related=related)
    if sum(weights) <= 0:
        yield Problem(
            "no-weight", path, f'no value of "{draw.name}" can ever be drawn', "one weight has to be above 0"
        )


# ── designs ──────────────────────────────────────────────────────────────────────────────────
def check_designs(ensemble: Ensemble) -> Iterator[Problem]:
    for sample in _samples(ensemble):
        yield from _check_power_of_two(sample)
        if sample.method == "morris":
            yield from _check_morris(sample)


def _check_power_of_two(sample: Sample) -> Iterator[Problem]:
    if sample.method in ("sobol", "saltelli") and sample.n & (sample.n - 1):
        below = 1 << (sample.n.bit_length() - 1)
        message = (
            f"{sample.n:,} is no power of two, and only at those does {sample.method} fill the space evenly"
        )
        hint = f"n: {below} or n: {2 * below}"
        yield Problem("not-a-power-of-two", (*sample.path, "n"), message, hint, "warning")


def _check_morris(sample: Sample) -> Iterator[Problem]:
    levels = sample.options["levels"]
    if levels % 2:
        message = f"{levels} levels cannot be walked evenly: a step of morris goes half of them up or down"
        path = (*sample.path, "levels")
        yield Problem("odd-levels", path, message, f"levels: {levels - 1 or 2} or levels: {levels + 1}")
    for draw in sample.draws:
        if not has_ends(draw.distribution):
            kind = type(draw.distribution).__name__.lower()
            message = f'"{draw.name}" has no end, and morris walks from end to end'
            hint = "uniform, loguniform, triangular, beta, integers, choice, or truncnormal with min and max"
            yield Problem("no-ends", (*draw.path, kind), message, hint)


# ── names ────────────────────────────────────────────────────────────────────────────────────
def check_drawn_names(ensemble: Ensemble) -> Iterator[Problem]:
    """`correlate` and `groups` speak of parameters drawn here, each pair and each member once."""
    for sample in _samples(ensemble):
        draws = {draw.name: draw for draw in sample.draws}
        yield from _check_correlated(sample, draws)
        yield from _check_groups(sample, draws)


def _check_correlated(sample: Sample, draws: Mapping[str, Draw]) -> Iterator[Problem]:
    seen: dict[frozenset[str], Path] = {}
    for first, others in sample.correlate.items():
        path = (*sample.path, "correlate", first)
        yield from _check_scalar(first, path, draws)
        for second in others:
            place = (*path, second)
            if second == first:
                message = f'"{first}" is correlated with itself'
                yield Problem("paired-twice", place, message, "that is always 1: take it out", at="key")
                continue
            yield from _check_scalar(second, place, draws)
            before = seen.setdefault(frozenset((first, second)), place)
            if before != place:
                message = f'"{first}" and "{second}" are correlated twice'
                related = ((before, "the first time"),)
                yield Problem("paired-twice", place, message, "keep one", at="key", related=related)


def _check_scalar(name: str, path: Path, draws: Mapping[str, Draw]) -> Iterator[Problem]:
    if name not in draws:
        yield _not_drawn(name, path, draws, "key")
    elif draws[name].is_vector:
        message = f'"{name}" is many draws, and `correlate` speaks of one each'
        related = ((draws[name].path, "drawn here"),)
        yield Problem(
            "not-drawn-here",
            path,
            message,
            "draw it alone, without `size` and `names`",
            at="key",
            related=related,
        )


def _check_groups(sample: Sample, draws: Mapping[str, Draw]) -> Iterator[Problem]:
    first: dict[str, Path] = {}
    for group, members in sample.options.get("groups", {}).items():
        for index, name in enumerate(members):
            path = (*sample.path, "groups", group, index)
            if name not in draws:
                yield _not_drawn(name, path, draws, "value")
            elif name in first:
                related = ((first[name], "the first one"),)
                message = f'"{name}" is in two groups'
                yield Problem("listed-twice", path, message, "keep one", related=related)
            first.setdefault(name, path)


def _not_drawn(name: str, path: Path, draws: Mapping[str, Draw], at: Literal["key", "value"]) -> Problem:
    close = nearest(name, draws)
    hint = (
        f'did you mean "{close}"?'
        if close
        else f"drawn here: {', '.join(list(draws)[:20])}{', …' if len(draws) > 20 else ''}"
    )
    message = f'"{shortened(name)}" is not drawn by this sample'
    return Problem("not-drawn-here", path, message, hint, at=at)
