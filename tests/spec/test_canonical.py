"""Short forms, long forms and defaults: one spelling for one meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloudburst.spec import canonical as passes
from cloudburst.spec.canonical import normalise

STUDY: dict[str, Any] = {
    "cloudburst": 1,
    "name": "study",
    "worker": {"directory": "code", "entrypoint": "model:run"},
    "parameters": {},
}


def normal(**changes: Any) -> dict[str, Any]:
    form, problems = normalise(STUDY | changes, Path())
    assert problems == ()
    return form


def block(**sections: Any) -> dict[str, Any]:
    form: dict[str, Any] = normal(parameters=sections)["parameters"][0]
    return form


def test_defaults() -> None:
    assert normal() == {
        "format": 1,
        "name": "study",
        "seed": 0,
        "worker": {
            "directory": "code",
            "entrypoint": "model:run",
            "command": None,
            "python": None,
            "timeout": None,
            "retries": {"max": 0, "on": ["crash", "lost"]},
            "needs": {"memory": None, "cpus": 1},
            "isolation": "process",
            "env": [],
            "image": None,
            "stop_grace": 60.0,
            "scratch": "auto",
        },
        "inputs": {},
        "parameters": [{"block": "main", "at": ["parameters"]}],
        "job": None,
        "cluster": {
            "provider": {"local": {}},
            "slots": "auto",
            "max_failures": None,
            "dashboards": [],
            "workers": 1,
            "max_cost": None,
            "ttl": 86400.0,
            "idle_stop": None,
            "keep_results": 259200.0,
            "reaper_token": None,
            "ssh_keys": None,
        },
        "results": [{"table": {"path": "results/study.csv"}}],
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15m", 900.0),
        ("10s", 10.0),
        ("1h30m", 5400.0),
        ("2d", 172800.0),
        ("1.5h", 5400.0),
        ("0.1s", 0.1),
        ("1d1h1m1s", 90061.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert passes.seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2 GB", 2 * 10**9),
        ("512 MiB", 512 * 2**20),
        ("1kB", 1000),
        ("1KB", 1000),
        ("1.5 KiB", 1536),
        ("7 B", 7),
        ("1 TiB", 2**40),
        ("3 MB", 3 * 10**6),
        ("1KiB", 1024),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert passes.size(text) == size


@pytest.mark.parametrize(
    ("value", "long"),
    [
        (2, {"max": 2, "on": ["crash", "lost"]}),
        ({"max": 1.0}, {"max": 1, "on": ["crash", "lost"]}),
        ({"max": 1, "on": "timeout"}, {"max": 1, "on": ["timeout"]}),
        ({"max": 3, "on": ["error", "lost"]}, {"max": 3, "on": ["error", "lost"]}),
    ],
)
def test_retries(value: Any, long: dict[str, Any]) -> None:
    assert passes.retries(value) == long


@pytest.mark.parametrize(
    ("value", "long"),
    [
        ("5%", {"fraction": 0.05}),
        ("100%", {"fraction": 1.0}),
        ("0.1 %", {"fraction": 0.001}),
        (5, {"count": 5}),
        (None, None),
    ],
)
def test_max_failures(value: Any, long: Any) -> None:
    assert passes.max_failures(value) == long


DROPLETS: dict[str, Any] = {
    "region": "nyc3",
    "manager": "s-2vcpu-4gb",
    "worker": "s-4vcpu-8gb",
    "image": "ubuntu-24-04-x64",
    "docker": "distribution",
    "vpc": None,
    "tags": [],
    "ssh_from": None,
}


@pytest.mark.parametrize(
    ("provider", "long"),
    [
        ("local", {"local": {}}),
        ({"local": {}}, {"local": {}}),
        ({"local": None}, {"local": {}}),
        ("swarm", {"swarm": {"context": "default"}}),
        ({"swarm": {"context": "lab"}}, {"swarm": {"context": "lab"}}),
        ({"swarm": {"host": "ssh://a@b"}}, {"swarm": {"host": "ssh://a@b"}}),
        ({"ssh": {"hosts": ["a"]}}, {"ssh": {"hosts": ["a"], "network": None}}),
        (
            {"ssh": {"hosts": ["ssh://a@b:22", "c@d"], "network": "10.0.0.0/8"}},
            {"ssh": {"hosts": ["a@b:22", "c@d"], "network": "10.0.0.0/8"}},
        ),
        ({"digitalocean": {"worker": "s-4vcpu-8gb", "region": "nyc3"}}, {"digitalocean": DROPLETS}),
        (
            {"digitalocean": {**DROPLETS, "image": 155133621, "tags": ["a"], "ssh_from": ["10.0.0.0/8"]}},
            {"digitalocean": {**DROPLETS, "image": "155133621", "tags": ["a"], "ssh_from": ["10.0.0.0/8"]}},
        ),
    ],
)
def test_providers(provider: Any, long: Any) -> None:
    assert passes.cluster({"provider": provider})["provider"] == long


@pytest.mark.parametrize(
    ("written", "amount"),
    [("25 USD", "25"), ("25USD", "25"), ("25.00 USD", "25"), ("25.50 USD", "25.5"), (25, "25"), (0.1, "0.1")]
    + [("100 USD", "100"), (1e3, "1000")],
)
def test_money_is_exact_and_has_one_spelling(written: Any, amount: str) -> None:
    assert passes.cluster({"max_cost": written})["max_cost"] == amount


@pytest.mark.parametrize(("written", "seconds"), [("never", None), ("8h", 28800.0)])
def test_a_time_to_live_may_have_no_end(written: str, seconds: float | None) -> None:
    assert passes.cluster({"ttl": written})["ttl"] == seconds


def test_dashboards_are_those_that_are_on_in_one_order() -> None:
    form = passes.cluster({"dashboards": {"visualizer": True, "queue": True}})
    assert form["dashboards"] == ["queue", "visualizer"]
    assert passes.cluster({"dashboards": {"queue": False}})["dashboards"] == []


def test_sinks() -> None:
    (sink,) = normal(results=[{"influxdb": {"database": "x", "tags": ["a"]}}])["results"]
    assert sink == {
        "influxdb": {
            "database": "x",
            "url": None,
            "username": None,
            "password": None,
            "token": None,
            "tags": ["a"],
            "start": None,
        }
    }


@pytest.mark.parametrize(
    ("value", "long"),
    [
        ([1, 2], {"values": [1, 2]}),
        ([[1, 2], {"a": 1}], {"values": [[1, 2], {"a": 1}]}),
        (7, {"values": [7]}),
        ("net3.inp", {"values": ["net3.inp"]}),
        (False, {"values": [False]}),
        ({"value": ["1", "101"]}, {"values": [["1", "101"]]}),
        ({"value": None, "when": "x"}, {"values": [None], "when": "x"}),
        ({"values": ["a"], "when": "b"}, {"values": ["a"], "when": "b"}),
        ({"from": 0.8, "to": 1.2, "step": 0.1}, {"from": 0.8, "to": 1.2, "step": 0.1}),
        ({"from": 1, "to": 9, "count": 5.0}, {"from": 1, "to": 9, "count": 5, "scale": "linear"}),
        (
            {"values": {"from": 1, "to": 2, "step": 1}, "when": "b"},
            {"from": 1, "to": 2, "step": 1, "when": "b"},
        ),
        (
            {"from": 1, "to": 9, "count": 3, "scale": "log", "when": "b"},
            {"from": 1, "to": 9, "count": 3, "scale": "log", "when": "b"},
        ),
    ],
)
def test_axes(value: Any, long: dict[str, Any]) -> None:
    assert passes.axis(value) == long


def test_a_range_may_stand_wherever_a_list_of_values_may() -> None:
    form = block(zip=[{"a": {"from": 1, "to": 2, "step": 1}, "b": ["x", "y"]}])

    assert form["zip"] == [{"a": {"from": 1, "to": 2, "step": 1}, "b": {"values": ["x", "y"]}}]


@pytest.mark.parametrize(
    ("choice", "values"),
    [
        (["a", "b"], ["a", "b"]),
        ({"from": 0.8, "to": 1.0, "step": 0.1}, [0.8, 0.9, 1.0]),
        ({"from": 1, "to": 3, "step": 1}, [1, 2, 3]),
        ({"from": 0, "to": 1, "count": 3}, [0, 0.5, 1]),
        ({"from": 1, "to": 100, "count": 3, "scale": "log"}, [1.0, 10.0, 100.0]),
    ],
)
def test_choices_are_written_out(choice: Any, values: list[Any]) -> None:
    form = block(sample={"method": "random", "n": 3, "of": {"a": {"choice": choice}}})

    assert form["sample"]["of"]["a"] == {
        "choice": pytest.approx(values) if values[0] == 1.0 else values,
        "weights": None,
    }


@pytest.mark.parametrize(
    ("choice", "code"),
    [
        ({"from": 0, "to": 1, "step": 0.3}, "range-misses-end"),
        ({"from": 1, "to": 10**9, "step": 1}, "too-many-values"),
    ],
)
def test_choices_that_cannot_be_written_out(choice: Any, code: str) -> None:
    parameters = {"sample": {"method": "random", "n": 3, "of": {"a": {"choice": choice}}}}

    _, (problem,) = normalise(STUDY | {"parameters": parameters}, Path())

    assert problem.code == code
    assert problem.path[:6] == ("parameters", "sample", "of", "a", "choice", *problem.path[5:6])


def test_replicates() -> None:
    assert block(replicates=3)["replicates"] == {"n": 3, "as": "seed"}
    assert block(replicates={"n": 2.0, "as": "draw"})["replicates"] == {"n": 2, "as": "draw"}


def test_a_derived_number_is_its_own_expression() -> None:
    assert block(derive={"a": 2.5, "b": True, "c": "a * 2"})["derive"] == {
        "a": "2.5",
        "b": "true",
        "c": "a * 2",
    }


def test_excludes_name_values_or_a_where() -> None:
    form = block(exclude=[{"a": 1, "b": "x"}, {"where": "a > 1"}])

    assert form["exclude"] == [{"match": {"a": 1, "b": "x"}}, {"where": "a > 1"}]


def test_sections_keep_the_order_written() -> None:
    assert list(block(replicates=2, zip=[{"a": [1]}], grid={"c": 1, "b": 2}))[2:] == [
        "replicates",
        "zip",
        "grid",
    ]
    assert list(block(grid={"c": 1, "b": 2})["grid"]) == ["c", "b"]


def test_block_names() -> None:
    form = normal(parameters=[{"block": "corners"}, {"fixed": {"a": 1}}, {}])["parameters"]

    assert [(part["block"], part["at"]) for part in form] == [
        ("corners", ["parameters", 0]),
        ("block-2", ["parameters", 1]),
        ("block-3", ["parameters", 2]),
    ]


def test_a_single_block_may_have_a_name() -> None:
    assert block(block="calibration")["block"] == "calibration"


def test_numbers_that_are_whole_become_whole() -> None:
    form = normal(seed=1e3, cluster={"slots": 4.0})

    assert form["seed"] == 1000
    assert isinstance(form["seed"], int)
    assert isinstance(form["cluster"]["slots"], int)


# ── spaces ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("value", "long"),
    [
        ({"values": [1, 2], "unit": "m"}, {"values": [1, 2], "unit": "m"}),
        ({"value": [1], "unit": "m", "when": "x"}, {"values": [[1]], "when": "x", "unit": "m"}),
        ({"from": 1, "to": 2, "step": 1, "unit": "m"}, {"from": 1, "to": 2, "step": 1, "unit": "m"}),
        ({"from": "a * 2", "to": 10, "step": 1}, {"from": "a * 2", "to": 10, "step": 1}),
        ({"from": 1, "to": "a", "count": 3}, {"from": 1, "to": "a", "count": 3, "scale": "linear"}),
    ],
)
def test_axes_with_a_unit_or_with_expressions_for_bounds(value: Any, long: dict[str, Any]) -> None:
    assert block(grid={"x": value})["grid"] == {"x": long}
    if "value" not in value:
        assert block(zip=[{"x": {k: v for k, v in value.items() if k != "when"}}])["zip"] == [{"x": long}]


def test_paired_replicates() -> None:
    assert block(replicates={"n": 2, "paired": True})["replicates"] == {"n": 2, "as": "seed", "paired": True}
    assert block(replicates={"n": 2, "paired": False})["replicates"] == {"n": 2, "as": "seed"}


def test_one_at_a_time() -> None:
    short = {
        "centre": {"a": 1, "b": "x", "c": 2},
        "steps": {"a": 0.1, "b": ["y"], "c": {"from": 3, "to": 5, "step": 1}},
    }
    assert block(oat=short)["oat"] == {
        "centre": {"a": 1, "b": "x", "c": 2},
        "steps": {"a": 0.1, "b": {"values": ["y"]}, "c": {"from": 3, "to": 5, "step": 1}},
        "each_side": 1,
        "include_centre": True,
    }


@pytest.mark.parametrize(
    ("value", "long"),
    [
        (10, {"skip": 0, "n": 10}),
        ({"n": 10.0}, {"skip": 0, "n": 10}),
        ({"skip": 3}, {"skip": 3, "n": None}),
        ({"skip": 3, "n": 1}, {"skip": 3, "n": 1}),
    ],
)
def test_take(value: Any, long: dict[str, Any]) -> None:
    assert block(take=value, order={"shuffle": 7}) == {
        "block": "main",
        "at": ["parameters"],
        "take": long,
        "order": {"shuffle": 7},
    }
