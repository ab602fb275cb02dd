"""Ensembles as Hypothesis draws them: small blocks of every kind of source, with conditions that read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from compile.nouns import axis, block, cases, ensemble, oat, replicates, sample, table, zipped
from hypothesis import strategies as st

from cloudburst.spec.ensemble import (
    Axis,
    Block,
    Bounded,
    Choice,
    Cluster,
    Counted,
    Distribution,
    Ensemble,
    Exponential,
    FilesSink,
    InfluxSink,
    Integers,
    LogNormal,
    LogUniform,
    Normal,
    Poisson,
    Sink,
    Source,
    Stepped,
    TableSink,
    Take,
    Triangular,
    TruncNormal,
    Uniform,
    Weibull,
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=6,
)
"""What a parameter can be."""

seeds = st.integers(0, 2**63)

distributions: st.SearchStrategy[Distribution] = st.one_of(
    st.builds(lambda low, width: Uniform(low, low + width), st.floats(-1e6, 1e6), st.floats(1e-3, 1e6)),
    st.builds(lambda low, factor: LogUniform(low, low * factor), st.floats(1e-9, 1e6), st.floats(1.5, 1e6)),
    st.builds(Normal, st.floats(-1e6, 1e6), st.floats(1e-3, 1e6)),
    st.builds(lambda mean, sd: TruncNormal(mean, sd, mean - sd, None), st.floats(-9, 9), st.floats(0.1, 9)),
    st.builds(LogNormal, st.floats(-9, 9), st.floats(1e-3, 3)),
    st.builds(
        lambda low, rise, fall: Triangular(low, low + rise, low + rise + fall), *[st.floats(0.1, 9)] * 3
    ),
    st.builds(Exponential, st.floats(1e-3, 1e6)),
    st.builds(Weibull, st.floats(0.3, 9), st.floats(1e-3, 1e6)),
    st.builds(Poisson, st.floats(1e-3, 1e3)),
    st.builds(lambda low, span: Integers(low, low + span), st.integers(-99, 99), st.integers(0, 99)),
    st.builds(lambda few: Choice(tuple(few)), st.lists(scalars, min_size=1, max_size=4)),
    st.lists(st.tuples(scalars, st.floats(0.01, 9)), min_size=1, max_size=4).map(
        lambda pairs: Choice(tuple(v for v, _ in pairs), tuple(w for _, w in pairs))
    ),
)

_distinct = st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True)


@st.composite
def ranges(draw: st.DrawFn) -> Stepped | Counted:
    start = draw(st.decimals(-10, 10, places=2).map(float))
    if draw(st.booleans()):
        step = draw(st.sampled_from([0.1, 0.25, 1, 3]))
        return Stepped(start, start + 2 * step, step)
    return Counted(start, start + 7, draw(st.integers(2, 5)))


@st.composite
def axes(draw: st.DrawFn, name: str, others: list[str]) -> Any:
    when = draw(
        st.none() | st.sampled_from([f"{other} == 1 or {other} == 'P1'" for other in others] or [None])
    )
    if draw(st.booleans()):
        return axis(name, draw(ranges()), when=when)
    return axis(name, *draw(_distinct), when=when)


@st.composite
def _oats(draw: st.DrawFn, names: list[str]) -> Any:
    centre = dict.fromkeys(names, draw(st.decimals(-9, 9, places=1).map(float)))
    steps = {name: draw(st.sampled_from([0.1, 1, 0.25]) | st.just(["low", "high"])) for name in names}
    return oat(centre, draw(st.integers(1, 3)), include_centre=draw(st.booleans()), **steps)


@st.composite
def bounded(draw: st.DrawFn, name: str, above: list[str]) -> Any:
    """A range whose bounds hang on `fixed`, or on the first of the grid's axes."""
    length = "1" if not above else f"(1 if {above[0]} == 2 else 3)"
    start = draw(st.sampled_from([0, 0.1, "pi - pi"]))
    stop = f"{start} + {length} * 0.5" if isinstance(start, str) else f"{length} * 0.5 + {start}"
    if draw(st.booleans()):
        return axis(name, Bounded(start, stop, step=draw(st.sampled_from([0.5, 0.25, "1 / 4"]))))
    return axis(name, Bounded(start, stop, count=draw(st.integers(2, 4))))


@st.composite
def _zips(draw: st.DrawFn, names: list[str]) -> Any:
    length = draw(st.integers(1, 4))
    return zipped(*(axis(name, *(f"P{i}" for i in range(length))) for name in names))


def _rows(names: list[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    row = st.dictionaries(st.sampled_from(names), st.integers(0, 3), max_size=len(names))
    return st.lists(row, min_size=1, max_size=3)


def _samples(names: list[str]) -> st.SearchStrategy[Any]:
    def made(method: str, n: int, given: list[Distribution]) -> Any:
        return sample(method, n, **dict(zip(names, given, strict=True)))

    given = st.lists(distributions, min_size=len(names), max_size=len(names))
    return st.builds(
        made, st.sampled_from(["random", "lhs", "sobol", "halton", "saltelli"]), st.integers(1, 6), given
    )


_KINDS: dict[str, Callable[[list[str]], st.SearchStrategy[Any]]] = {
    "zip": _zips,
    "cases": lambda names: _rows(names).map(lambda rows: cases(*rows)),
    "table": lambda names: _rows(names).map(lambda rows: table(*rows)),
    "sample": _samples,
    "replicates": lambda _names: st.builds(
        lambda n, paired: replicates(n, paired=paired), st.integers(1, 3), st.booleans()
    ),
    "oat": _oats,
}


@st.composite
def blocks(draw: st.DrawFn, name: str = "main", *, filtered: bool = True) -> Block:
    """A block of up to five sources. `filtered`: with `when` and `exclude` perhaps."""
    grid = [f"g{i}" for i in range(draw(st.integers(0, 3)))]
    sources: list[Source] = [
        draw(axes(one, [other for other in grid[:place] if filtered])) for place, one in enumerate(grid)
    ]
    kinds = draw(st.lists(st.sampled_from(sorted(_KINDS)), max_size=2, unique=True))
    for kind in kinds:
        sources.append(draw(_KINDS[kind]([f"{kind}_a", f"{kind}_b"])))
    sources = draw(st.permutations(sources))
    order, take = None, Take()
    if filtered:
        free = [one.name for one in sources if isinstance(one, Axis) and one.when is None]
        sources += draw(st.lists(bounded("b", free), max_size=1))
        order = draw(st.none() | seeds)
        take = draw(st.just(Take()) | st.builds(Take, st.integers(0, 3), st.none() | st.integers(1, 9)))
    exclude: list[Any] = []
    if filtered:
        exclude = draw(st.lists(st.sampled_from(_excludes(grid, kinds)), max_size=2))
    fixed = {"hours": draw(scalars)} if draw(st.booleans()) else {}
    derive = (
        {"twice": f"{grid[0]} * 2 if {grid[0]} is defined else 0"} if grid and draw(st.booleans()) else {}
    )
    return block(*sources, fixed=fixed, derive=derive, exclude=exclude, name=name, shuffle=order, take=take)


def _excludes(grid: list[str], kinds: list[str]) -> list[Any]:
    found: list[Any] = ["row % 3 == 1", {"nothing": 1}]
    found += [f"{name} > 1" for name in grid] + [{name: 2} for name in grid]
    if "replicates" in kinds:
        found += ["replicate == 0", "seed % 2 == 0"]
    if "sample" in kinds:
        found.append("sample_a == sample_b")
    return found


@st.composite
def ensembles(draw: st.DrawFn, *, filtered: bool = True) -> Ensemble:
    """A study of one or two blocks, flat or with a template."""
    first = draw(blocks(filtered=filtered))
    more = draw(st.lists(blocks("more", filtered=filtered), max_size=1))
    job = draw(
        st.sampled_from([None, {"a": "{{ g0 }}", "b": ["n{{ replicate | default(0) }}"], "c": "{{ zip_a }}"}])
    )
    return ensemble(first, *more, job=job, seed=draw(seeds))


# ── where it runs, and where results go ──────────────────────────────────────────────────────
_names = st.text("abc", min_size=1, max_size=3)

clusters: st.SearchStrategy[Cluster] = st.one_of(
    st.builds(Cluster, slots=st.just("auto") | st.integers(1, 64)),
    st.builds(
        lambda options, slots, failures, dashboards: Cluster(
            "swarm", options, slots, failures, tuple(dashboards)
        ),
        st.fixed_dictionaries({"context": _names})
        | st.fixed_dictionaries({"host": _names.map("ssh://{}".format)}),
        st.just("auto") | st.integers(1, 64),
        st.none() | st.integers(0, 9) | st.floats(0, 1),
        st.lists(st.sampled_from(["queue", "visualizer"]), unique=True),
    ),
    st.builds(
        Cluster,
        provider=st.just("digitalocean"),
        options=st.fixed_dictionaries({"region": _names, "worker": _names, "image": _names}),
        workers=st.integers(0, 9),
        max_cost=st.none() | st.decimals(1, 1000, places=2),
        ttl=st.none() | st.floats(60, 1e6),
        idle_stop=st.none() | st.floats(60, 1e6),
        reaper_token=st.none() | _names,
        ssh_keys=st.none() | st.lists(_names).map(tuple),
    ),
    st.builds(
        Cluster,
        provider=st.just("ssh"),
        options=st.fixed_dictionaries({"hosts": st.lists(_names, min_size=1)}),
    ),
)


@st.composite
def sinks(draw: st.DrawFn) -> tuple[Sink, ...]:
    kinds = draw(st.lists(st.sampled_from(["table", "files", "influxdb"]), max_size=3))
    return tuple(_sink(draw, kind, ("results", index)) for index, kind in enumerate(kinds))


def _sink(draw: st.DrawFn, kind: str, path: tuple[str, int]) -> Sink:
    name = draw(_names)
    if kind == "table":
        return TableSink(f"{name}.csv", path)
    if kind == "files":
        return FilesSink(name, path)
    url = draw(st.none() | st.just("http://localhost:8086"))
    return InfluxSink(name, path, url, start=draw(st.none() | st.just("2018-05-28")))


@st.composite
def moved(draw: st.DrawFn, study: Ensemble) -> Ensemble:
    """The same study with another cluster, other results and another way to run workers."""
    worker = replace(
        study.worker,
        image=draw(st.none() | _names),
        stop_grace=draw(st.floats(1, 1e5)),
        scratch=draw(st.sampled_from(["auto", "disk"]) | st.integers(1, 10**12)),
    )
    return replace(study, worker=worker, cluster=draw(clusters), results=draw(sinks()))
