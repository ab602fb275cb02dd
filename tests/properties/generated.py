"""Studies as values, before they are written down: every key of the language, now and then, and all of them valid.

`Random` draws them, so that Hypothesis (by `st.randoms`) and the fuzzing program can.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

Value = Any
Names = list[str]
"""Of numbers that every row has, for expressions."""

_WORDS = (
    "net3",
    "low",
    "high",
    "P 1",
    "水位",
    "it's",
    'a "b"',
    "x: y",
    "# no",
    "010",
    "NO",
    "10:30",
    "1e5x",
    "",
    "two\nlines\n",
)


def study(chance: Random) -> dict[str, Value]:
    """A whole file. What it names lies in the project that the fuzzing makes; tables only where it has one."""
    parameters = _parameters(chance)
    found: dict[str, Value] = {
        "cloudburst": 1,
        "name": chance.choice(["study", "net3-diameters", "a"]),
        "worker": _worker(chance),
        "parameters": parameters,
    }
    found |= _some(chance, {"seed": lambda: chance.randrange(2**40), "cluster": lambda: _cluster(chance)})
    if chance.random() < 0.3:
        found["inputs"] = {"city": "data/city.inp"}
    if chance.random() < 0.4:
        found["job"] = _job(chance, parameters)
    provider = found.get("cluster", {}).get("provider", "local")
    found |= _some(chance, {"results": lambda: _results(chance, provider in ("local", {"local": {}}))})
    return _shuffled(chance, found)


def _some(chance: Random, makers: Mapping[str, Callable[[], Value]], share: float = 0.4) -> dict[str, Value]:
    return {key: make() for key, make in makers.items() if chance.random() < share}


def _shuffled(chance: Random, value: dict[str, Value]) -> dict[str, Value]:
    keys = list(value)
    chance.shuffle(keys)
    return {key: value[key] for key in keys}


# ── worker, cluster, results ─────────────────────────────────────────────────────────────────
def _worker(chance: Random) -> dict[str, Value]:
    code = {"entrypoint": "model:run"} if chance.random() < 0.8 else {"command": ["./solve", "--all"]}
    more = _some(
        chance,
        {
            "timeout": lambda: chance.choice(["10m", "1h30m", "90s"]),
            "retries": lambda: chance.choice(
                [0, 2, {"max": 1}, {"max": 3, "on": "crash"}, {"max": 2, "on": ["lost", "error"]}]
            ),
            "needs": lambda: chance.choice(
                [{"memory": "2 GB"}, {"cpus": 0.5}, {"memory": "512 MiB", "cpus": 2}]
            ),
            "isolation": lambda: chance.choice(["process", "fork"]),
            "env": lambda: ["LICENSE_SERVER"],
            "python": lambda: "3.11",
        },
        0.25,
    )
    return _shuffled(chance, {"directory": "model", **code, **more})


def _cluster(chance: Random) -> dict[str, Value]:
    provider = chance.choice(["local", "swarm", {"local": {}}, {"swarm": {"context": "lab"}}])
    more = {
        "slots": lambda: chance.choice(["auto", 4]),
        "max_failures": lambda: chance.choice(["5%", 7, "0.5%"]),
    }
    return {"provider": provider, **_some(chance, more)}


def _results(chance: Random, local: bool) -> list[Value]:
    server = {"url": "http://localhost:8086"} if local else {}
    sinks: list[Value] = [
        {"table": {"path": "results/a.csv"}},
        {"table": {"path": "b.jsonl"}},
        {"files": {"path": "results/files"}},
        {"influxdb": {"database": "own", **server}},
    ]
    return chance.sample(sinks, chance.randint(1, len(sinks)))


def _job(chance: Random, parameters: Value) -> dict[str, Value]:
    blocks = parameters if isinstance(parameters, list) else [parameters]
    everywhere = set.intersection(*(_sure_names(block) for block in blocks))
    found: dict[str, Value] = {"label": "a job", "nested": {"list": [1, "{{ pi }}", {}], "none": None}}
    for name in sorted(everywhere):
        found[chance.choice([name, f"{name} of it"])] = chance.choice(
            [f"{{{{ {name} }}}}", f"<{{{{{name}}}}}>"]
        )
    return found


def _sure_names(block: Mapping[str, Value]) -> set[str]:
    return {*block.get("fixed", {}), *block.get("derive", {})}


# ── parameters ───────────────────────────────────────────────────────────────────────────────
def _parameters(chance: Random) -> Value:
    if chance.random() < 0.6:
        return _block(chance)
    blocks = [_block(chance) for _ in range(chance.randint(1, 3))]
    return [
        {"block": f"b{place}", **block} if chance.random() < 0.7 else block
        for place, block in enumerate(blocks)
    ]


def _block(chance: Random) -> dict[str, Value]:
    """Sources in any order; a bound sees only `fixed`, which is there in every row."""
    fixed = {f"f{place}": _value(chance) for place in range(chance.randint(0, 3))} | {"base": 2}
    sources = _some(chance, {kind: lambda make=make: make(chance) for kind, make in _SOURCES.items()}, 0.3)
    if not sources:
        sources = {"grid": _grid(chance)}
    numbers = ["base", *(["g0"] if "g0" in sources.get("grid", {}) else [])]
    found = _shuffled(chance, {"fixed": fixed, **sources})
    if chance.random() < 0.4:
        found["derive"] = {f"d{place}": _expression(chance, numbers) for place in range(chance.randint(1, 3))}
    if chance.random() < 0.3:
        found["exclude"] = [chance.choice([{"where": f"{_expression(chance, numbers)} == 77"}, {"base": 3}])]
    more = {
        "order": lambda: {"shuffle": chance.randrange(99)},
        "take": lambda: chance.choice([5, {"n": 9}, {"skip": 0, "n": 3}]),
    }
    return found | _some(chance, more, 0.15)


def _value(chance: Random, depth: int = 2) -> Value:
    kinds: list[Callable[[], Value]] = [
        lambda: chance.randrange(-99, 10**6),
        lambda: round(chance.uniform(-9, 9), chance.randrange(9)),
        lambda: chance.choice([1e-9, 2.5e300, 0.1, -0.0, 12345678901234567890]),
        lambda: chance.choice(_WORDS),
        lambda: chance.choice([True, False, None]),
    ]
    if depth:
        kinds.append(lambda: [_value(chance, depth - 1) for _ in range(chance.randrange(3))])
        kinds.append(
            lambda: {
                chance.choice(["k", "水", "a b", "NO", "1"]): _value(chance, depth - 1)
                for _ in range(chance.randrange(3))
            }
        )
    return chance.choice(kinds)()


def _values(chance: Random) -> list[Value]:
    return [_value(chance, 1) for _ in range(chance.randint(1, 4))]


def _expression(chance: Random, numbers: Names, depth: int = 2) -> str:
    if depth == 0 or chance.random() < 0.2:
        return chance.choice([*numbers, "1", "0.5", "pi"])
    one, other = (_expression(chance, numbers, depth - 1) for _ in range(2))
    forms = (
        "({} + {})",
        "({} * {})",
        "max({}, {})",
        "({} if {} > 1 else 3)",
        "round({}, 1) - {}",
        "({} // 7) % 3 + {}",
    )
    return chance.choice(forms).format(one, other)


def _range(chance: Random) -> dict[str, Value]:
    start, count = round(chance.uniform(0.1, 9), 2), chance.randint(2, 5)
    return chance.choice(
        [
            {"from": start, "to": round(start + 2 * 0.25, 2), "step": 0.25},
            {"from": 1, "to": 1 + 3 * (count - 1), "step": 3},
            {"from": start, "to": start + 7, "count": count},
            {"from": start, "to": start * 1000, "count": count, "scale": "log"},
        ]
    )


def _axis(chance: Random) -> Value:
    kinds: list[Callable[[], Value]] = [
        lambda: _values(chance),
        lambda: _range(chance),
        lambda: chance.choice([3, "one", True]),
        lambda: {"value": _value(chance)},
        lambda: {
            "values": _values(chance),
            **_some(chance, {"unit": lambda: "m", "when": lambda: "base > 1"}),
        },
        lambda: {"values": [1, 2, 3], "was": chance.choice([1, 2, 3])},
        lambda: {"from": "base", "to": "base * 3", "step": "base / 2"},
        lambda: {"from": 0, "to": "base", "count": 3, "unit": "mm"},
        lambda: {"glob": "data/gcm/*.nc"},
    ]
    return chance.choice(kinds)()


def _grid(chance: Random) -> dict[str, Value]:
    first = {"g0": chance.choice([[1, 2], _range(chance)])}
    return first | {f"g{place}": _axis(chance) for place in range(1, chance.randint(1, 3))}


def _zip(chance: Random) -> Value:
    length = chance.randint(1, 3)
    return [
        {
            f"z{group}_{place}": chance.choice(
                [_distinct(chance, length), {"values": _distinct(chance, length), "unit": "s"}]
            )
            for place in range(2)
        }
        for group in range(chance.randint(1, 2))
    ]


def _distinct(chance: Random, length: int) -> list[Value]:
    return [f"{chance.choice(['P', 'Q'])}{place}" for place in range(length)]


def _cases(chance: Random) -> list[Value]:
    rows = [
        {f"c{place}": _value(chance) for place in range(chance.randint(1, 3))}
        for _ in range(chance.randint(1, 3))
    ]
    return [row | {"case": number} for number, row in enumerate(rows)]


def _table(chance: Random) -> dict[str, Value]:
    more = {"types": lambda: {"pipe": "text"}, "where": lambda: "x > 0", "columns": lambda: ["x", "pipe"]}
    return {"file": "scenarios.csv", **_some(chance, more)}


def _oat(chance: Random) -> dict[str, Value]:
    centre = {"o0": 1.5, "o1": 2, "o2": "mid"}
    steps = {"o0": chance.choice([0.1, {"from": 5, "to": 6, "step": 0.5}]), "o1": 1, "o2": ["low", "high"]}
    chosen = {name: steps[name] for name in chance.sample(sorted(steps), chance.randint(1, 3))}
    more = {"each_side": lambda: 2, "include_centre": lambda: chance.random() < 0.5}
    return {"centre": centre, "steps": chosen, **_some(chance, more)}


def _replicates(chance: Random) -> Value:
    return chance.choice([3, {"n": 2}, {"n": 2, "as": "noise"}, {"n": 2, "paired": True}])


def _sample(chance: Random) -> dict[str, Value]:
    method = chance.choice(["random", "lhs", "sobol", "halton", "saltelli", "morris"])
    of: dict[str, Value] = {
        f"s{place}": _distribution(chance, method) for place in range(chance.randint(2, 3))
    }
    found: dict[str, Value] = {
        "method": method,
        "trajectories" if method == "morris" else "n": chance.choice([4, 8, 16]),
    }
    if method in ("random", "lhs") and chance.random() < 0.4:
        found["correlate"] = {"s0": {"s1": 0.5}}
    elif method in ("saltelli", "morris") and chance.random() < 0.4:
        found["groups"] = {"both": ["s0", "s1"]}
    if chance.random() < 0.3 and "correlate" not in found and "groups" not in found:
        of["v"] = {"uniform": [0, 1], **chance.choice([{"size": 3}, {"names": ["J1", "J 2"]}])}
    found |= _some(chance, {"seed": lambda: chance.randrange(99)})
    return _shuffled(chance, found | {"of": of})


def _distribution(chance: Random, method: str) -> dict[str, Value]:
    bounded: list[dict[str, Value]] = [
        {"uniform": [80, 140]},
        {"uniform": {"min": -1.5, "max": 2}, "unit": "m"},
        {"loguniform": [1e-6, 1e-3]},
        {"integers": [1, 4]},
        {"triangular": [1, 2, 4]},
        {"truncnormal": {"mean": 1, "sd": 0.5, "min": 0, "max": 2}},
        {"choice": ["steel", "pvc"], "weights": [3, 1]},
        {"choice": {"from": 1, "to": 2, "step": 0.25}},
    ]
    endless: list[dict[str, Value]] = [
        {"normal": {"mean": 0, "sd": 1}},
        {"normal": [1, 0.1]},
        {"lognormal": {"mu": 0, "sigma": 0.25}},
        {"lognormal": {"mean": 2, "sd": 1}},
        {"truncnormal": {"mean": 1, "sd": 0.5, "min": 0}},
        {"exponential": 5},
        {"weibull": [1.5, 10]},
        {"poisson": 4},
        {"gamma": [2, 1]},
        {"beta": [2, 5]},
        {"scipy": {"name": "gumbel_r", "loc": 3, "scale": 0.5}},
    ]
    return chance.choice(bounded if method == "morris" else bounded + endless)


_SOURCES: dict[str, Callable[[Random], Value]] = {
    "grid": _grid,
    "zip": _zip,
    "cases": _cases,
    "table": _table,
    "sample": _sample,
    "replicates": _replicates,
    "oat": _oat,
}
