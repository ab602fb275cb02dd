"""What schemas/ensemble.schema.json says, in words and with places."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft7Validator

from cloudburst import assets
from cloudburst.diagnostics import Problem
from cloudburst.spec import schema

SCHEMA = json.loads(assets.schema("ensemble").read_text("utf-8"))
STUDY = {
    "cloudburst": 1,
    "name": "study",
    "worker": {"directory": "code", "entrypoint": "model:run"},
    "parameters": {},
}


def problems(**changes: Any) -> list[Problem]:
    return list(schema.validate(STUDY | changes))


def only(**changes: Any) -> Problem:
    (problem,) = problems(**changes)
    return problem


# ── the schema itself ────────────────────────────────────────────────────────────────────────
_NEEDED = ("whole", "whole-block")
"""Definitions that say what is needed, and leave it to others to say what it is."""


def properties(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key the language has, with its schema."""
    if isinstance(node, dict):
        for name, part in (
            node.get("properties", {}).items() if isinstance(node.get("properties"), dict) else ()
        ):
            yield f"{path}/{name}", part
        for name, part in node.items():
            if name in _NEEDED:
                continue
            yield from properties(
                part, f"{path}/{name}" if name not in ("properties", "definitions") else path
            )
    elif isinstance(node, list):
        for part in node:
            yield from properties(part, path)


def test_it_is_a_draft_07_schema() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize(
    ("name", "part"), [pytest.param(*found, id=found[0]) for found in properties(SCHEMA)]
)
def test_every_key_has_a_description_and_an_example_for_the_editor(name: str, part: dict[str, Any]) -> None:
    assert part.get("description", "").endswith("."), name
    assert schema.examples(part), name


@pytest.mark.parametrize(
    ("name", "part"), [pytest.param(*found, id=found[0]) for found in properties(SCHEMA)]
)
def test_every_example_is_accepted(name: str, part: dict[str, Any]) -> None:
    validator = Draft7Validator({**part, "definitions": SCHEMA["definitions"]})
    resolved = Draft7Validator({"allOf": [part], "definitions": SCHEMA["definitions"]})

    for example in schema.examples(part):
        assert validator.is_valid(example), name
        assert resolved.is_valid(example), name


def keywords(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, part in node.items():
            if key in ("properties", "definitions"):
                for inner in part.values():
                    yield from keywords(inner)
            elif key == "oneOf":  # its branches say which keys exclude each other, and are read as that
                yield key
            elif key not in ("examples", "dependencies", "defaultSnippets"):
                yield key
                yield from keywords(part)
            elif key == "dependencies":
                yield key
    elif isinstance(node, list):
        for part in node:
            yield from keywords(part)


def test_every_keyword_of_the_schema_has_a_translation() -> None:
    annotations = {"$schema", "$id", "$ref", "title", "description", "items", "if", "then", "else"}
    annotations |= {"$comment", "errorMessage", "patternErrorMessage"}  # for people, and for editors

    assert set(keywords(SCHEMA)) - annotations <= set(schema._TRANSLATIONS)


def test_a_study_is_accepted() -> None:
    assert problems() == []


# ── keys ─────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("text", "mark", "hint"),
    [
        ("timout: 3", (4, 1, "unknown-key"), ""),
        ("clutser: {slots: 2}", (4, 1, "unknown-key"), 'did you mean "cluster"?'),
        ("timeout: 3m", (4, 1, "unknown-key"), "it belongs under `worker`"),
        ("cluster: {swarm: {context: lab}}", (4, 11, "unknown-key"), "it belongs under `provider`"),
        ("cluster: {provider: {context: lab}}", (4, 22, "unknown-key"), "it belongs under `swarm`"),
        ("cluster: {region: nyc3}", (4, 11, "unknown-key"), "it belongs under `digitalocean`"),
        ("cluster: {hosts: [a]}", (4, 11, "unknown-key"), "it belongs under `ssh`"),
        ("cluster: {ssh: {hosts: [a]}}", (4, 11, "unknown-key"), "it belongs under `provider`"),
        (
            "cluster: {provider: {digitalocean: {region: nyc3, worker: a, workers: 3}}}",
            (4, 62, "unknown-key"),
            "it belongs under `cluster`",
        ),
        ("cluster: {visualizer: true}", (4, 11, "unknown-key"), "it belongs under `dashboards`"),
        ("grid: {a: [1]}", (4, 1, "unknown-key"), "it belongs under `parameters`"),
        ("cluster: {provder: local}", (4, 11, "unknown-key"), 'did you mean "provider"?'),
        ("parameters: {demand: [1, 2]}", (4, 14, "unknown-key"), "a parameter stands under"),
        ("parameters: {grid: {a: {from: 1, to: 2, stp: 1}}}", (4, 41, "unknown-key"), 'did you mean "step"?'),
        ("parameters: {exclude: [{where: x, a: 1}]}", (4, 35, "unknown-key"), "`where`"),
        (
            "parameters: {sample: {method: lhs, n: 1, of: {a: {unifrm: [1, 2]}}}}",
            (4, 51, "unknown-key"),
            "uniform",
        ),
    ],
)
def test_unknown_keys(read: Any, text: str, mark: tuple[int, int, str], hint: str) -> None:
    found = [d for d in read(text).diagnostics if d.code == "unknown-key"]

    assert [(d.span.line, d.span.column, d.code) for d in found] == [mark]
    assert hint in found[0].hint


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"worker": {"entrypoint": "a:b"}}, ("worker",), '"directory"'),
        ({"worker": {"directory": "a"}}, ("worker",), '"entrypoint" or "command"'),
        ({"parameters": {"table": {}}}, ("parameters", "table"), '"file"'),
        ({"parameters": {"replicates": {"as": "s"}}}, ("parameters", "replicates"), '"n"'),
        (
            {"parameters": {"grid": {"a": {"from": 1, "to": 2}}}},
            ("parameters", "grid", "a"),
            '"step" or "count"',
        ),
        (
            {"parameters": {"grid": {"a": {"when": "x"}}}},
            ("parameters", "grid", "a"),
            '"from", "values", "value" or "glob"',
        ),
        (
            {"parameters": {"zip": [{"a": {"from": 1, "step": 2}}]}},
            ("parameters", "zip", 0, "a", "from"),
            '"to"',
        ),
        ({"results": [{}]}, ("results", 0), '"table", "files" or "influxdb"'),
        ({"results": [{"influxdb": {}}]}, ("results", 0, "influxdb"), '"database"'),
        (
            {"cluster": {"provider": {"swarm": {}}}},
            ("cluster", "provider", "swarm"),
            '"context" or "host"',
        ),
        ({"cluster": {"provider": {"ssh": {}}}}, ("cluster", "provider", "ssh"), '"hosts"'),
        (
            {"cluster": {"provider": {"digitalocean": {"region": "nyc3"}}}},
            ("cluster", "provider", "digitalocean"),
            '"worker"',
        ),
        ({"cluster": {"provider": "ssh"}}, ("cluster", "provider"), '"ssh" alone'),
        ({"cluster": {"provider": "digitalocean"}}, ("cluster", "provider"), '"digitalocean" alone'),
    ],
)
def test_missing_keys_are_named(changes: dict[str, Any], path: tuple[Any, ...], words: str) -> None:
    problem = only(**changes)

    assert (problem.code, problem.path) == ("missing-key", path)
    assert words in problem.message


def test_a_missing_key_shows_an_example() -> None:
    value = {key: part for key, part in STUDY.items() if key != "name"}

    (problem,) = schema.validate(value)

    assert problem.message == 'the file has no "name"'
    assert problem.hint == "for example name: net3-diameters"


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("ssh", "write {ssh: {hosts: [root@10.0.0.1, root@10.0.0.2]}}"),
        ("digitalocean", "write {digitalocean: {region: nyc3, worker: s-4vcpu-8gb}}"),
    ],
)
def test_a_provider_that_needs_more_than_its_name_says_what(kind: str, hint: str) -> None:
    assert only(cluster={"provider": kind}).hint == hint


def test_a_key_of_another_place_stands_for_none_of_this_one() -> None:
    found = problems(cluster={"provider": {"digitalocean": {"region": "nyc3", "workers": 3}}})

    assert {problem.code for problem in found} == {"unknown-key", "missing-key"}


def test_a_misspelt_key_is_not_missing_too() -> None:
    assert [p.code for p in problems(worker={"direcotry": "a", "entrypoint": "a:b"})] == ["unknown-key"]


def test_a_swarm_is_named_once() -> None:
    problem = only(cluster={"provider": {"swarm": {"context": "lab", "host": "ssh://a"}}})

    assert (problem.code, problem.path) == ("too-many-kinds", ("cluster", "provider", "swarm", "host"))


@pytest.mark.parametrize(
    ("keys", "missing"),
    [
        ({"username": "u", "url": "http://h"}, {"password"}),
        ({"password": "PW"}, {"username"}),
        ({"token": "T"}, {"url"}),
        ({"username": "u", "password": "PW"}, {"url"}),
    ],
)
def test_keys_of_a_server_go_together(keys: dict[str, str], missing: set[str]) -> None:
    found = problems(results=[{"influxdb": {"database": "x", **keys}}])

    assert {problem.code for problem in found} == {"missing-key"}
    assert {problem.message.split('"')[3] for problem in found} == missing


def test_two_kinds_at_once() -> None:
    problem = only(worker={"directory": "a", "entrypoint": "a:b", "command": ["c"]})

    assert (problem.code, problem.path) == ("too-many-kinds", ("worker", "command"))


@pytest.mark.parametrize(
    "pair", [{"from": 1}, {"values": [1], "step": 1}, {"from": 1, "to": 2, "step": 1, "scale": "log"}]
)
def test_keys_that_go_together(pair: dict[str, Any]) -> None:
    assert "missing-key" in [p.code for p in problems(parameters={"grid": {"a": pair}})]


# ── values ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("changes", "code", "message", "hint"),
    [
        ({"seed": "7"}, "wrong-type", '"seed" must be a whole number, not "7"', "write 7"),
        ({"seed": None}, "wrong-type", '"seed" has no value', "for example 2018"),
        ({"seed": -1}, "out-of-range", '"seed" must be at least 0, not -1', "for example 2018"),
        ({"seed": 2**63}, "out-of-range", "at most", ""),
        (
            {"cloudburst": 2},
            "wrong-value",
            "the number 2 is no language version this version reads",
            "write 1",
        ),
        ({"cloudburst": True}, "wrong-value", "true is no language version", "write 1"),
        ({"name": "Net3 Study"}, "wrong-form", '"Net3 Study" is no study name', "lower-case letters"),
        ({"name": "net3\n"}, "wrong-form", "is no study name", ""),
        ({"name": "x" * 41}, "too-long", "41 letters", ""),
        ({"name": 3}, "wrong-type", '"name" must be text, not the number 3', ""),
        ({"worker": "net3"}, "wrong-type", '"worker" must be a map, not "net3"', "directory: net3"),
        ({"parameters": 3}, "wrong-type", "must be a map or a list", ""),
        ({"parameters": {"grid": {"a": []}}}, "empty", '"a" is empty', "for example [0.8, 1.0, 1.2]"),
        ({"parameters": {"grid": {}}}, "empty", '"grid" is empty', ""),
        ({"parameters": {"grid": {"a": None}}}, "wrong-type", '"a" has no value', ""),
        ({"parameters": {"replicates": 0}}, "out-of-range", "at least 1", ""),
        ({"parameters": {"zip": {"a": [1]}}}, "wrong-type", '"zip" must be a list, not a map', "[{pump:"),
        ({"parameters": {"cases": [1]}}, "wrong-type", "this row must be a map, not the number 1", ""),
        ({"parameters": {"derive": {"a": [1]}}}, "wrong-type", "must be text, a number or true or false", ""),
        (
            {"cluster": {"slots": "many"}},
            "unknown-value",
            '"many" is no number of slots',
            "for example auto, 4",
        ),
        ({"cluster": {"slots": 0}}, "out-of-range", "at least 1", ""),
        (
            {"cluster": {"provider": "locl"}},
            "unknown-value",
            '"locl" is no provider',
            'did you mean "local"?',
        ),
        ({"cluster": {"max_failures": "many"}}, "wrong-form", "is no limit of failures", "5%"),
        ({"results": []}, "empty", '"results" is empty', "path: results/net3.csv"),
        ({"results": [{"table": {"path": "a.txt"}}]}, "wrong-form", '"a.txt" is no table file', ".sqlite"),
        ({"inputs": {"a": ""}}, "empty", '"a" is empty text', "data/city.inp"),
        (
            {"cluster": {"provider": "swram"}},
            "unknown-value",
            '"swram" is no provider',
            'did you mean "swarm"?',
        ),
        ({"cluster": {"provider": {"swarm": None}}}, "wrong-type", '"swarm" has no value', "{context: lab}"),
        ({"cluster": {"provider": {"swarm": {"context": "a b"}}}}, "wrong-form", "Docker context", "lab"),
        ({"cluster": {"provider": {"swarm": {"host": ""}}}}, "empty", '"host" is empty text', "ssh://"),
        (
            {"cluster": {"provider": "digitalocaen"}},
            "unknown-value",
            "is no provider",
            'mean "digitalocean"?',
        ),
        ({"cluster": {"provider": {"ssh": None}}}, "wrong-type", '"ssh" has no value', "{hosts: [root@"),
        ({"cluster": {"provider": {"ssh": {"hosts": []}}}}, "empty", '"hosts" is empty', "root@10.0.0.1"),
        ({"cluster": {"workers": -1}}, "out-of-range", "at least 0", "for example 3"),
        ({"cluster": {"workers": 2.5}}, "wrong-type", "must be a whole number", ""),
        ({"cluster": {"max_cost": "25 EUR"}}, "wrong-form", '"25 EUR" is no amount of money', "US dollars"),
        ({"cluster": {"max_cost": "$25"}}, "wrong-form", "is no amount of money", "25 USD"),
        ({"cluster": {"max_cost": 0}}, "out-of-range", "more than 0", ""),
        ({"cluster": {"max_cost": None}}, "wrong-type", '"max_cost" has no value', "25 USD"),
        ({"cluster": {"ttl": 8}}, "wrong-type", "must be a duration", "say the unit: 8h, 2d"),
        ({"cluster": {"ttl": "forever"}}, "wrong-form", "is no duration", "A duration, or never"),
        ({"cluster": {"idle_stop": "never"}}, "wrong-form", "is no duration", "A duration"),
        ({"cluster": {"dashboards": {"queue": "yes"}}}, "wrong-type", "must be true or false", ""),
        ({"results": [{"influxdb": {"database": "a b"}}]}, "wrong-form", "no name of a database", ""),
        ({"results": [{"influxdb": {"database": "x" * 65}}]}, "too-long", "65 letters", ""),
        ({"results": [{"influxdb": {"database": "x", "tags": "a"}}]}, "wrong-type", "must be a list", ""),
        ({"results": [{"influxdb": {"database": "x", "tags": ["a", "a"]}}]}, "listed-twice", "twice", ""),
        ({"results": [{"influxdb": {"database": "x", "start": 3}}]}, "wrong-type", "must be text", "2018-"),
    ],
)
def test_values(changes: dict[str, Any], code: str, message: str, hint: str) -> None:
    problem = only(**changes)

    assert problem.code == code
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("key", "value", "code", "hint"),
    [
        ("region", "", "wrong-form", "nyc3"),
        ("region", 3, "wrong-type", "nyc3"),
        ("worker", "s 4vcpu", "wrong-form", "doctl compute size list"),
        ("image", "", "empty", "ubuntu-24-04-x64"),
        ("image", 0, "out-of-range", ""),
        ("image", 1.5, "wrong-type", ""),
        ("docker", "podman", "unknown-value", '"distribution", "docker" or "image"'),
        ("docker", "dokcer", "unknown-value", 'did you mean "docker"?'),
        ("tags", ["a b"], "wrong-form", "Letters, digits and _:-, at most 255"),
        ("tags", ["a" * 256], "too-long", ""),
        ("tags", "a", "wrong-type", ""),
        ("ssh_from", [], "empty", "203.0.113.0/24"),
        ("vpc", "", "empty", "lab"),
        ("imgae", "x", "unknown-key", 'did you mean "image"?'),
    ],
)
def test_values_of_droplets(key: str, value: Any, code: str, hint: str) -> None:
    droplets = {"region": "nyc3", "worker": "s-4vcpu-8gb", key: value}

    problem = only(cluster={"provider": {"digitalocean": droplets}})

    assert problem.code == code
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("key", "value", "code", "hint"),
    [
        ("timeout", 600, "wrong-type", "say the unit: 15m, 10s"),
        ("timeout", "10:30", "wrong-form", "for example 15m"),
        ("timeout", "5 minutes", "wrong-form", "for example 15m"),
        ("needs", {"memory": 2}, "wrong-type", "say the unit: 2 GB"),
        ("needs", {"memory": "2 gigs"}, "wrong-form", "2 GB"),
        ("needs", {"cpus": 0}, "out-of-range", ""),
        ("python", 3.1, "wrong-type", "write it in quotes"),
        ("python", "3.11.4", "wrong-form", "3.11"),
        ("entrypoint", "model.run", "wrong-form", "write model:run"),
        ("isolation", "proces", "unknown-value", 'did you mean "process"?'),
        ("retries", {"max": 1, "on": ["crsh"]}, "unknown-value", 'did you mean "crash"?'),
        ("retries", {"max": 1, "on": ["crash", "crash"]}, "listed-twice", "keep one"),
        ("env", ["A-B"], "wrong-form", "LICENSE_SERVER"),
        ("image", "", "empty", ""),
        ("image", "a b", "wrong-form", "for example"),
        ("image", "worker:1\n", "wrong-form", "for example"),
        ("image", "Worker", "wrong-form", "for example"),
        ("image", "worker:$TAG", "wrong-form", "for example"),
        ("image", 'worker"', "wrong-form", "for example"),
        ("stop_grace", 60, "wrong-type", "say the unit"),
        ("scratch", 2, "wrong-type", "say the unit: 2 GB"),
        ("scratch", "2 gigs", "wrong-form", "A size, auto or disk"),
        ("scratch", "memory", "wrong-form", "A size, auto or disk"),
    ],
)
def test_values_of_the_worker(key: str, value: Any, code: str, hint: str) -> None:
    problem = only(worker=STUDY["worker"] | {key: value})  # type: ignore[operator]

    assert problem.code == code
    assert hint in problem.hint


@pytest.mark.parametrize(
    "image",
    [
        "worker",
        "python:3.11-slim",
        "hydraulics/worker:2.1",
        "registry.example.org/a/b/c",
        "localhost:5000/worker@sha256:" + "0" * 64,
        "ghcr.io/a__b/c--d.e:V1_2",
    ],
)
def test_names_of_images(image: str) -> None:
    assert problems(worker=STUDY["worker"] | {"image": image}) == []  # type: ignore[operator]


@pytest.mark.parametrize(
    ("distribution", "code"),
    [
        ({"uniform": [1]}, "wrong-length"),
        ({"uniform": [1, 2, 3]}, "wrong-length"),
        ({"uniform": {"min": 1}}, "missing-key"),
        ({"triangular": [0, 1]}, "wrong-length"),
        ({"exponential": 0}, "out-of-range"),
        ({"weibull": [1, -1]}, "out-of-range"),
        ({"lognormal": {"mean": 1}}, "missing-key"),
        ({"lognormal": [0, 1]}, "wrong-type"),
        ({"lognormal": {"mean": 1, "sd": 1, "mu": 0, "sigma": 1}}, "too-many-kinds"),
        ({"scipy": {"loc": 1}}, "missing-key"),
        ({"scipy": {"name": "norm", "loc": "a"}}, "wrong-type"),
        ({"uniform": [0, 1], "size": 0}, "out-of-range"),
        ({"uniform": [0, 1], "names": {"file": "a.csv"}}, "missing-key"),
        ({"normal": {"mean": 1, "sd": 0}}, "out-of-range"),
        ({"integers": [1, 2.5]}, "wrong-type"),
        ({"choice": []}, "empty"),
        ({"choice": [1], "weights": [-1]}, "out-of-range"),
        ({"uniform": [1, 2], "weights": [1]}, "missing-key"),
        ({"uniform": [1, 2], "normal": {"mean": 1, "sd": 2}}, "too-many-kinds"),
        ({}, "missing-key"),
        (5, "wrong-type"),
    ],
)
def test_distributions(distribution: Any, code: str) -> None:
    problem = only(parameters={"sample": {"method": "lhs", "n": 3, "of": {"a": distribution}}})

    assert problem.code == code
    assert problem.path[:4] == ("parameters", "sample", "of", "a")


@pytest.mark.parametrize(("text", "number"), [("1,000", "1000"), ("1_000_000", "1000000"), ("3", "3")])
def test_numbers_as_people_write_them(text: str, number: str) -> None:
    assert only(parameters={"replicates": {"n": text}}).hint == f"write {number}"


def test_whole_numbers_may_be_written_with_exponents() -> None:
    assert (
        problems(parameters={"sample": {"method": "random", "n": 1e3, "of": {"a": {"uniform": [0, 1]}}}})
        == []
    )


def test_the_validators_own_words_are_not_used() -> None:
    text = " ".join(
        p.message + p.hint for p in problems(name=3, seed="x", worker={}, results=[{}], parameters=[], x=1)
    )

    assert not re.search(
        r"is not of type|valid under|required property|Additional properties|should be", text
    )


# ── what is left ─────────────────────────────────────────────────────────────────────────────
def test_what_is_sound_goes_on_to_the_other_checks() -> None:
    value = STUDY | {"nmae": 1, "parameters": {"grid": {"a": [], "b": [1]}}}

    left = schema.sound(value, [("nmae",), ("parameters", "grid", "a")])

    assert left == STUDY | {"parameters": {"grid": {"b": [1]}}}
    assert "nmae" in value


def test_a_wrong_item_takes_its_list_with_it_and_nothing_else_moves() -> None:
    value = STUDY | {"parameters": [{"cases": [{"a": 1}, 2]}, {"fixed": {"b": 1}}]}

    left = schema.sound(value, [("parameters", 0, "cases", 1)])

    assert left is not None
    assert left["parameters"] == [{}, {"fixed": {"b": 1}}]


@pytest.mark.parametrize("value", [None, [1], "text", 3])
def test_nothing_is_left_of_what_is_no_map(value: Any) -> None:
    assert schema.sound(value, [()]) is None


@pytest.mark.parametrize(
    ("text", "hints"),
    [
        (
            "parameters: {grid: {x: {from:0, to: 1, count: 2}}}",
            ['a blank is missing after the ":": write "from: 0"'],
        ),
        ("parameters: {grid: {x: {start: 0, stop: 1, num: 2}}}", ["from", "to", "count"]),
        ("parameters: {sample: {method: lhs, samples: 9, params: {x: {uniform: [0, 1]}}}}", ["n", "of"]),
        ("parameters: {gr\u00a0id: {x: [1]}}", ["the character U+00A0 stands in it"]),
    ],
)
def test_a_key_that_is_meant_otherwise(read: Any, text: str, hints: list[str]) -> None:
    said = read(text).diagnostics

    assert [d.code for d in said] == ["unknown-key"] * len(hints)
    assert all(
        d.hint.startswith(hint) or d.hint == f'did you mean "{hint}"?'
        for d, hint in zip(said, hints, strict=True)
    )


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("parameters: {grid: {x: [1]}, exclude: ['x == 1']}", "write {where: x == 1}"),
        ("parameters: {grid: {x: [1]}, exclude: 'x == 1'}", "write [{where: x == 1}]"),
        ("parameters: {grid: {a: [1], x: {from: 0, to: 1, count: a}}}", "it is a number and no expression"),
        ("parameters: {table: points.csv}", "write {file: points.csv}"),
        ("parameters: {grid: {x: [1]}}\ncluster: swarm", "write {provider: swarm}"),
        ("parameters: {grid: {x: [1]}}\nresults: [{table: points.csv}]", "write {path: points.csv}"),
        ("parameters: {grid: {x: {to: 3, step: 1}}}", "for example {from: 0.8, to: 1.2, step: 0.1}"),
    ],
)
def test_a_value_of_another_form_is_shown_in_the_right_one(read: Any, text: str, hint: str) -> None:
    (diagnostic,) = read(text).diagnostics

    assert diagnostic.hint.startswith(hint)
