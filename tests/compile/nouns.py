"""Builds the nouns of `cloudburst.spec.ensemble` in a line, the way the reader would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cloudburst.spec.ensemble import (
    Axis,
    Block,
    Bounded,
    Cases,
    Choice,
    Cluster,
    Counted,
    Derived,
    Distribution,
    Draw,
    Ensemble,
    Exclude,
    Fixed,
    InfluxSink,
    Input,
    Integers,
    Listed,
    LogUniform,
    Needs,
    Normal,
    Oat,
    Replicates,
    Retries,
    Sample,
    Sink,
    Source,
    Stepped,
    Table,
    Take,
    Uniform,
    Values,
    Was,
    Worker,
    Zip,
)

__all__ = [
    "Bounded",
    "Choice",
    "Counted",
    "Integers",
    "LogUniform",
    "Normal",
    "Stepped",
    "Uniform",
    "axis",
    "block",
    "cases",
    "ensemble",
    "influx",
    "oat",
    "replicates",
    "sample",
    "table",
    "vector",
    "zipped",
]

PARAMETERS = ("parameters",)


def axis(
    name: str, *values: Any, when: str | None = None, unit: str | None = None, was: Was | None = None
) -> Axis:
    """`axis("a", 1, 2)`, or `axis("a", Stepped(…))`."""
    written: Values = values[0] if isinstance(values[0], Stepped | Counted | Bounded) else Listed(values)
    return Axis(name, written, (*PARAMETERS, "grid", name), when, unit, was)


def zipped(*axes: Axis) -> Zip:
    return Zip(axes, (*PARAMETERS, "zip", 0))


def cases(*rows: Mapping[str, Any]) -> Cases:
    return Cases(rows, (*PARAMETERS, "cases"))


def table(*rows: Mapping[str, Any], where: str | None = None) -> Table:
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    lines = tuple(range(2, 2 + len(rows)))
    return Table("scenarios.csv", columns, rows, lines, "0" * 64, where, (*PARAMETERS, "table"))


_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "sobol": {"scramble": True},
    "halton": {"scramble": True},
    "saltelli": {"scramble": True, "second_order": True, "groups": {}},
    "morris": {"levels": 4, "groups": {}},
}


def sample(
    method: Any,
    n: int,
    seed: int | None = None,
    correlate: Mapping[str, Mapping[str, float]] | None = None,
    options: Mapping[str, Any] | None = None,
    **of: Distribution | Draw,
) -> Sample:
    """`options` beside the method's defaults; a Draw for one of many."""
    path = (*PARAMETERS, "sample")
    draws = tuple(
        one if isinstance(one, Draw) else Draw(name, one, (*path, "of", name)) for name, one in of.items()
    )
    known = {**_OPTIONS.get(method, {}), **(options or {})}
    return Sample(method, n, draws, path, seed, correlate or {}, known)


def vector(
    name: str, distribution: Distribution, size: int | None = None, names: tuple[str, ...] | None = None
) -> Draw:
    """A draw of many."""
    return Draw(name, distribution, (*PARAMETERS, "sample", "of", name), None, size, names)


def replicates(n: int, name: str = "seed", *, paired: bool = False) -> Replicates:
    return Replicates(n, name, (*PARAMETERS, "replicates"), paired)


def oat(centre: Mapping[str, Any], each_side: int = 1, *, include_centre: bool = True, **steps: Any) -> Oat:
    """A step is a number, a list of values, or a range."""
    written = {name: Listed(tuple(step)) if isinstance(step, list) else step for name, step in steps.items()}
    return Oat(centre, written, each_side, include_centre, (*PARAMETERS, "oat"))


def block(
    *sources: Source,
    fixed: Mapping[str, Any] | None = None,
    derive: Mapping[str, str] | None = None,
    exclude: Iterable[Mapping[str, Any] | str] = (),
    name: str = "main",
    shuffle: int | None = None,
    take: Take | None = None,
) -> Block:
    """`exclude` entries: a map of literal values, or a text as `where`."""
    return Block(
        name,
        tuple(Fixed(key, value, (*PARAMETERS, "fixed", key)) for key, value in (fixed or {}).items()),
        sources,
        tuple(Derived(key, text, (*PARAMETERS, "derive", key)) for key, text in (derive or {}).items()),
        tuple(_exclude(entry, (*PARAMETERS, "exclude", i)) for i, entry in enumerate(exclude)),
        PARAMETERS,
        shuffle,
        take or Take(),
    )


def _exclude(entry: Mapping[str, Any] | str, path: tuple[str | int, ...]) -> Exclude:
    return Exclude(None, entry, path) if isinstance(entry, str) else Exclude(entry, None, path)


def ensemble(
    *blocks: Block,
    job: Mapping[str, Any] | None = None,
    command: tuple[str, ...] | None = None,
    seed: int = 7,
    inputs: Iterable[str] = (),
    results: Iterable[Sink] = (),
) -> Ensemble:
    entrypoint = None if command else "net3:work"
    worker = Worker("net3", entrypoint, command, None, None, Retries(), Needs(), "process", ())
    named = tuple(Input(name, f"data/{name}", ("inputs", name)) for name in inputs)
    return Ensemble("study", seed, worker, named, blocks, job, Cluster(), tuple(results))


def influx(tags: Iterable[str] | None = None, start: str | None = None) -> InfluxSink:
    """The first sink of a study, on a server of its own."""
    url = "http://localhost:8086"
    named = None if tags is None else tuple(tags)
    return InfluxSink("cloudburst", ("results", 0), url, tags=named, start=start)
