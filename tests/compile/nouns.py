"""Builds the nouns of `cloudburst.spec.ensemble` in a line, the way the reader would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cloudburst.spec.ensemble import (
    Axis,
    Block,
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
    Replicates,
    Retries,
    Sample,
    Sink,
    Source,
    Stepped,
    Table,
    Uniform,
    Values,
    Worker,
    Zip,
)

__all__ = [
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
    "replicates",
    "sample",
    "table",
    "zipped",
]

PARAMETERS = ("parameters",)


def axis(name: str, *values: Any, when: str | None = None) -> Axis:
    """`axis("a", 1, 2)`, or `axis("a", Stepped(…))`."""
    written: Values = values[0] if isinstance(values[0], Stepped | Counted) else Listed(values)
    return Axis(name, written, (*PARAMETERS, "grid", name), when)


def zipped(*axes: Axis) -> Zip:
    return Zip(axes, (*PARAMETERS, "zip", 0))


def cases(*rows: Mapping[str, Any]) -> Cases:
    return Cases(rows, (*PARAMETERS, "cases"))


def table(*rows: Mapping[str, Any], where: str | None = None) -> Table:
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    lines = tuple(range(2, 2 + len(rows)))
    return Table("scenarios.csv", columns, rows, lines, "0" * 64, where, (*PARAMETERS, "table"))


def sample(method: Any, n: int, seed: int | None = None, **of: Distribution) -> Sample:
    path = (*PARAMETERS, "sample")
    draws = tuple(Draw(name, distribution, (*path, "of", name)) for name, distribution in of.items())
    return Sample(method, n, draws, path, seed)


def replicates(n: int, name: str = "seed") -> Replicates:
    return Replicates(n, name, (*PARAMETERS, "replicates"))


def block(
    *sources: Source,
    fixed: Mapping[str, Any] | None = None,
    derive: Mapping[str, str] | None = None,
    exclude: Iterable[Mapping[str, Any] | str] = (),
    name: str = "main",
) -> Block:
    """`exclude` entries: a map of literal values, or a text as `where`."""
    return Block(
        name,
        tuple(Fixed(key, value, (*PARAMETERS, "fixed", key)) for key, value in (fixed or {}).items()),
        sources,
        tuple(Derived(key, text, (*PARAMETERS, "derive", key)) for key, text in (derive or {}).items()),
        tuple(_exclude(entry, (*PARAMETERS, "exclude", i)) for i, entry in enumerate(exclude)),
        PARAMETERS,
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
