"""Rules about `results`: places written twice, servers that are not there, secrets that stand in the file."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from ..diagnostics import Path, Problem
from .addresses import judge_server, server
from .ensemble import Ensemble, FilesSink, InfluxSink, Sink, TableSink
from .moments import FIRST_YEAR, LAST_YEAR, moment
from .scalars import shortened
from .variables import judge_variable


@dataclass(frozen=True)
class _Target:
    """Where a sink writes: equal `place`s are one place. `path` is where the file says so."""

    code: str
    place: tuple[str, ...]
    shown: str
    path: Path


def check_sinks(ensemble: Ensemble) -> Iterator[Problem]:
    """Two sinks on one path would write over each other; two into one database say one thing twice."""
    first: dict[tuple[str, ...], Path] = {}
    for target in map(_target, ensemble.results):
        if target.place in first:
            related = ((first[target.place], "the first time"),)
            message = f"two sinks write to {shortened(target.shown)}"
            yield Problem(target.code, target.path, message, "change one", related=related)
        first.setdefault(target.place, target.path)


def _target(sink: Sink) -> _Target:
    match sink:
        case TableSink(file=file):
            return _Target("same-path", _place(file), file, (*sink.path, "table", "path"))
        case FilesSink(directory=directory):
            return _Target("same-path", _place(directory), directory, (*sink.path, "files", "path"))
        case InfluxSink(database=database, url=url):
            place = ("influxdb", server(url) if url else "", database)
            return _Target("same-database", place, f"the database {database}", _at(sink, "database"))


def _place(written: str) -> tuple[str, ...]:
    return ("path", posixpath.normpath(written))


def check_servers(ensemble: Ensemble) -> Iterator[Problem]:
    """A sink has a server: the one it names, or the one that a swarm brings."""
    for sink in _influx(ensemble):
        if sink.url is not None and (fault := judge_server(sink.url)):
            yield Problem(fault.code, _at(sink, "url"), fault.message, fault.hint)
        elif sink.url is None and ensemble.cluster.provider == "local":
            message = "`provider: local` brings no InfluxDB, and this sink names none"
            hint = "give its address, such as url: http://localhost:8086, or compute on a swarm, which brings one"
            yield Problem("no-server", _at(sink), message, hint, at="key")


def check_credentials(ensemble: Ensemble) -> Iterator[Problem]:
    """A secret stands in an environment variable, and the file says in which one."""
    for sink in _influx(ensemble):
        for key in ("password", "token"):
            given = getattr(sink, key)
            if given is not None and (fault := judge_variable(key, given, f"INFLUX_{key.upper()}")):
                yield Problem(fault.code, _at(sink, key), fault.message, fault.hint)
        if sink.token is not None and sink.username is not None:
            message = '"influxdb" has "token" and "username", and only one of them can stand'
            hint = "keep one: a token says who it belongs to"
            yield Problem("too-many-kinds", _at(sink, "token"), message, hint, at="key")


def check_start(ensemble: Ensemble) -> Iterator[Problem]:
    """What is no name is a moment. Whether there is a parameter of that name is the next room's question."""
    for sink in _influx(ensemble):
        if sink.start is not None and not sink.start.isidentifier() and moment(sink.start) is None:
            message = f'"{shortened(sink.start)}" is neither a moment nor the name of a parameter'
            hint = f"such as 2018-05-28T00:00:00, in the years {FIRST_YEAR} to {LAST_YEAR}; UTC unless it says another zone"
            yield Problem("start-moment", _at(sink, "start"), message, hint)


def _influx(ensemble: Ensemble) -> Iterator[InfluxSink]:
    return (sink for sink in ensemble.results if isinstance(sink, InfluxSink))


def _at(sink: InfluxSink, *keys: str) -> Path:
    return (*sink.path, "influxdb", *keys)
