"""Pass 4: the normal form -> the nouns. No file, no decisions: those are made in `canonical`.

A key that joined the normal form after its first version may be missing, and then has the noun's own default:
what an older version wrote down is still read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from ..diagnostics import Path
from ..errors import CloudBurstError
from .ensemble import (
    Axis,
    Block,
    Bounded,
    Cases,
    Cluster,
    Counted,
    Derived,
    Draw,
    Ensemble,
    Exclude,
    Files,
    FilesSink,
    Fixed,
    InfluxSink,
    Input,
    Known,
    Listed,
    Needs,
    Oat,
    Points,
    Replicates,
    Retries,
    Sample,
    Sink,
    Source,
    Stepped,
    Table,
    TableSink,
    Take,
    Values,
    Was,
    Worker,
    Zip,
)
from .sampling import distribution_of


def build(normal: Mapping[str, Any]) -> Ensemble:
    """The Ensemble a normal form describes. Raises CloudBurstError for a form of another version."""
    if normal.get("format") != 1:
        message = f"this study is written in format {normal.get('format')}, and this version reads format 1"
        raise CloudBurstError(message, "use the version of CloudBurst that wrote it")
    return Ensemble(
        name=normal["name"],
        seed=normal["seed"],
        worker=_worker(normal["worker"]),
        inputs=tuple(Input(name, pattern, ("inputs", name)) for name, pattern in normal["inputs"].items()),
        blocks=tuple(_block(block) for block in normal["parameters"]),
        job=normal["job"],
        cluster=_cluster(normal["cluster"]),
        results=tuple(_sink(sink, index) for index, sink in enumerate(normal["results"])),
    )


def _worker(value: Mapping[str, Any]) -> Worker:
    return Worker(
        directory=value["directory"],
        entrypoint=value["entrypoint"],
        command=None if value["command"] is None else tuple(value["command"]),
        python=value["python"],
        timeout=value["timeout"],
        retries=Retries(value["retries"]["max"], tuple(value["retries"]["on"])),
        needs=Needs(value["needs"]["memory"], float(value["needs"]["cpus"])),
        isolation=value["isolation"],
        env=tuple(value["env"]),
        image=value.get("image"),
        stop_grace=value.get("stop_grace", Worker.stop_grace),
        scratch=value.get("scratch", Worker.scratch),
    )


def _cluster(value: Mapping[str, Any]) -> Cluster:
    ((provider, options),) = value["provider"].items()
    limit = value["max_failures"] or {}
    return Cluster(
        provider=provider,
        options=options,
        slots=value["slots"],
        max_failures=limit.get("fraction", limit.get("count")),
        dashboards=tuple(value.get("dashboards", ())),
        **{name: read(value[name]) for name, read in _RENTAL.items() if name in value},
    )


def _money(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _texts(value: list[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def _as_it_is(value: Any) -> Any:
    return value


_RENTAL: dict[str, Callable[[Any], Any]] = {
    "workers": _as_it_is,
    "max_cost": _money,
    "ttl": _as_it_is,
    "idle_stop": _as_it_is,
    "keep_results": _as_it_is,
    "reaper_token": _as_it_is,
    "ssh_keys": _texts,
}


def _sink(value: Mapping[str, Any], index: int) -> Sink:
    """`at` is there when the sink does not stand where the user wrote it."""
    ((kind, options),) = value.items()
    return _SINKS[kind](options, tuple(options.get("at", ("results", index))))


def _influx(value: Mapping[str, Any], path: Path) -> InfluxSink:
    return InfluxSink(
        database=value["database"],
        path=path,
        url=value["url"],
        username=value["username"],
        password=value["password"],
        token=value["token"],
        tags=None if value["tags"] is None else tuple(value["tags"]),
        start=value["start"],
    )


_SINKS: dict[str, Callable[[Mapping[str, Any], Path], Sink]] = {
    "table": lambda value, path: TableSink(value["path"], path),
    "files": lambda value, path: FilesSink(value["path"], path),
    "influxdb": _influx,
}


# ── blocks ───────────────────────────────────────────────────────────────────────────────────
def _block(value: Mapping[str, Any]) -> Block:
    path = tuple(value["at"])
    sources: list[Source] = []
    for key, section in value.items():
        if key in _SOURCES:
            sources += _SOURCES[key](section, (*path, key))
    return Block(
        name=value["block"],
        fixed=tuple(
            Fixed(name, item, (*path, "fixed", name)) for name, item in value.get("fixed", {}).items()
        ),
        sources=tuple(sources),
        derive=tuple(
            Derived(name, item, (*path, "derive", name)) for name, item in value.get("derive", {}).items()
        ),
        exclude=tuple(
            Exclude(item.get("match"), item.get("where"), (*path, "exclude", index))
            for index, item in enumerate(value.get("exclude", ()))
        ),
        path=path,
        shuffle=value["order"]["shuffle"] if "order" in value else None,
        take=Take(**value.get("take", {})),
    )


def _axes(value: Mapping[str, Any], path: Path) -> list[Axis]:
    return [
        Axis(name, _values(item), (*path, name), item.get("when"), item.get("unit"), _was(item))
        for name, item in value.items()
    ]


def _was(value: Mapping[str, Any]) -> Was | None:
    return Was(value["was"]) if "was" in value else None


def _values(value: Mapping[str, Any]) -> Values:
    """As `values_of`; a bound that is a text is an expression, and `glob` has files."""
    if "glob" in value:
        return Files(tuple(value["paths"]), value["glob"])
    if not any(isinstance(value.get(key), str) for key in ("from", "to", "step")):
        return values_of(value)
    return Bounded(
        value["from"], value["to"], value.get("step"), value.get("count"), value.get("scale", "linear")
    )


def values_of(value: Mapping[str, Any]) -> Known:
    """`{values}`, `{from, to, step}` or `{from, to, count, scale}`."""
    if "values" in value:
        return Listed(tuple(value["values"]))
    if "step" in value:
        return Stepped(value["from"], value["to"], value["step"])
    return Counted(value["from"], value["to"], value["count"], value["scale"])


def _zips(value: list[Mapping[str, Any]], path: Path) -> list[Zip]:
    return [Zip(tuple(_axes(group, (*path, index))), (*path, index)) for index, group in enumerate(value)]


def _cases(value: list[Mapping[str, Any]], path: Path) -> list[Cases]:
    return [Cases(tuple(value), path)]


def _points(value: Mapping[str, Any], path: Path) -> list[Points]:
    return [Points(tuple(value["rows"]), tuple(value["files"]), path)]


def _table(value: Mapping[str, Any], path: Path) -> list[Table]:
    columns = tuple(value["columns"])
    rows = (zip(columns, cells, strict=True) for cells in value["rows"])
    return [
        Table(
            file=value["file"],
            columns=columns,
            rows=tuple({name: cell for name, cell in row if cell is not None} for row in rows),
            lines=tuple(value["lines"]),
            sha256=value["sha256"],
            where=value["where"],
            path=path,
        )
    ]


def _sample(value: Mapping[str, Any], path: Path) -> list[Sample]:
    draws = tuple(_draw(name, item, (*path, "of", name)) for name, item in value["of"].items())
    return [
        Sample(
            method=value["method"],
            n=value["n"],
            draws=draws,
            path=path,
            seed=value["seed"],
            correlate=value.get("correlate", {}),
            options=value.get("options", {}),
        )
    ]


def _draw(name: str, value: Mapping[str, Any], path: Path) -> Draw:
    names = value.get("names")
    return Draw(
        name=name,
        distribution=distribution_of(value),
        path=path,
        unit=value.get("unit"),
        size=value.get("size"),
        names=None if names is None else tuple(names),
    )


def _replicates(value: Mapping[str, Any], path: Path) -> list[Replicates]:
    return [Replicates(value["n"], value["as"], path, value.get("paired", False))]


def _oat(value: Mapping[str, Any], path: Path) -> list[Oat]:
    steps = {
        name: values_of(step) if isinstance(step, Mapping) else step for name, step in value["steps"].items()
    }
    return [Oat(value["centre"], steps, value["each_side"], value["include_centre"], path)]


_SOURCES: dict[str, Callable[[Any, Path], list[Any]]] = {
    "grid": _axes,
    "zip": _zips,
    "cases": _cases,
    "points": _points,
    "table": _table,
    "sample": _sample,
    "replicates": _replicates,
    "oat": _oat,
}
