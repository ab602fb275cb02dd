"""Laws of reading: any text ends in a study or in places; what stands at a place is the value of its path."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cloudburst.cli.views import diagnostics as view
from cloudburst.diagnostics import Span
from cloudburst.spec import build, document, load
from cloudburst.spec.document import Document, Node, parse

STUDY = """\
cloudburst: 1
name: study
worker: {directory: code, entrypoint: model:run, timeout: 10m, needs: {memory: 2 GB}, python: "3.11", image: a/b:1, stop_grace: 5m, scratch: 2 GB}
inputs: {city: data/city.inp}
parameters:
- block: main
  fixed: {hours: 168, nodes: ["1", '2']}
  grid:
    demand: {from: 0.8, to: 1.2, step: 0.1}
    decay: {from: 1e-9, to: 1e-6, count: 4, scale: log}
    rule: {values: [a, b], when: "demand > 1"}
    id: [010, NO, 10:30]
  zip: [{pump: [1, 2], curve: [low, high]}]
  sample:
    method: lhs
    n: 20
    of: {x: {uniform: [0, 1]}, y: {choice: [a, b], weights: [1, 2]}, z: {normal: {mean: 0, sd: 1}}}
  replicates: {n: 3, as: seed}
  derive: {twice: "demand * 2"}
  exclude: [{pump: 1}, {where: demand > 1.1}]
- cases:
  - demand: 2.0
    text: |
      two
      lines
- table: {file: cases.csv, types: {a: text}}
job: {input: &shared {demand: "{{ demand }}"}, again: *shared}
cluster: {provider: {swarm: {host: "ssh://root@10.0.0.1:22"}}, slots: 2, max_failures: 5%, dashboards: {queue: true}}
results:
- table: {path: results/x.csv}
- files: {path: files}
- influxdb: {database: own, tags: [demand], start: 2018-05-28}
- influxdb: {database: x, url: "http://h:8086", username: u, password: PW}
"""
CLUSTER = next(line for line in STUDY.splitlines(keepends=True) if line.startswith("cluster:"))
RENTED = STUDY.replace(
    CLUSTER,
    """\
cluster:
  provider:
    digitalocean: {region: nyc3, worker: s-1vcpu-2gb, image: 7, vpc: lab, tags: [a], ssh_from: [10.0.0.0/8]}
  workers: 3
  max_cost: 25.50 USD
  ttl: 8h
  idle_stop: 20m
  keep_results: 1d
  reaper_token: REAPER
  ssh_keys: [~/.ssh/id.pub, ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f]
""",
)
HOSTS = STUDY.replace(CLUSTER, "cluster: {provider: {ssh: {hosts: [root@a:22, b], network: 10.0.0.0/8}}}\n")
PIECES = [
    "\n",
    " ",
    "  ",
    "\t",
    ": ",
    ":",
    "-",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "'",
    '"',
    "&a ",
    "*a",
    "!t ",
    "|",
    ">",
    "#",
    "%",
]
PIECES += [
    "<<: ",
    "? ",
    "---\n",
    "{{ x }}",
    "null",
    ".inf",
    "-1",
    "1e999",
    "0",
    "{}",
    "[]",
    "\ufeff",
    "\u2028",
    "\x85",
    "水",
    "é",
]
PIECES += ["local", "tcp://", "@", "influxdb", "swarm"]
PIECES += ["sobol", "values", "from", "when", "\\", "\x00", "1" * 5000, "true", "~", "@", "`", "\r", "=", "ﬁ"]

FAST = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def mangled(draw: st.DrawFn) -> str:
    """A study with pieces cut out, put in, swapped."""
    text = draw(st.sampled_from([STUDY, RENTED, HOSTS]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 2, 8, 40])))
        text = text[:start] + draw(st.sampled_from([*PIECES, ""])) + text[end:]
    return text


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "cases.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    return tmp_path / "ensemble.yaml"


def check_outcome(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    loaded = load(file)
    errors = [d for d in loaded.diagnostics if d.severity == "error"]
    assert (loaded.ensemble is None) == bool(errors)
    for diagnostic in loaded.diagnostics:
        assert diagnostic.span is not None
        assert 1 <= diagnostic.span.line <= len(loaded.document.lines)
        assert diagnostic.message
    places = [(d.span.line, d.span.column) for d in loaded.diagnostics if d.span]
    assert places == sorted(places)
    if loaded.ensemble is not None:
        assert build(json.loads(json.dumps(loaded.normal))) == loaded.ensemble
    assert view.render_all([d.to_json() for d in loaded.diagnostics]) or not loaded.diagnostics


@FAST
@given(mangled())
@example(STUDY)
@example(RENTED)
@example(HOSTS)
@example(STUDY.replace("hours: 168", "hours: 0x" + "f" * 5000))
def test_any_mangled_study_ends_in_an_ensemble_or_in_diagnostics_with_a_line(place: Path, text: str) -> None:
    check_outcome(place, text.encode())


@FAST
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_do_too(place: Path, data: bytes) -> None:
    check_outcome(place, data)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
KEYS = st.sampled_from(
    [
        "fixed",
        "grid",
        "zip",
        "cases",
        "table",
        "sample",
        "replicates",
        "derive",
        "exclude",
        "block",
        "from",
        "to",
        "step",
        "count",
        "scale",
        "values",
        "value",
        "when",
        "of",
        "n",
        "method",
        "uniform",
        "choice",
        "weights",
        "normal",
        "mean",
        "sd",
        "as",
        "file",
        "columns",
        "where",
        "name",
        "seed",
        "worker",
        "directory",
        "command",
        "timeout",
    ]
)


@FAST
@given(
    st.dictionaries(
        KEYS, st.recursive(JSON, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=8)
    )
)
def test_any_json_in_any_section_does_too(place: Path, value: dict[str, Any]) -> None:
    for text in ({"parameters": value}, {"parameters": [value]}, value):
        study = {
            "cloudburst": 1,
            "name": "s",
            "worker": {"directory": "d", "entrypoint": "a:b"},
            "parameters": {},
        } | text
        check_outcome(place, json.dumps(study).encode())


# ── places ───────────────────────────────────────────────────────────────────────────────────
def scalars(node: Node, value: Any) -> Iterator[tuple[Span, Any]]:
    """The places of all values, aliases apart: what stands there is a name."""
    if isinstance(value, dict | list):
        for part, child in node.children.items():
            yield from scalars(child, value[part])
    else:
        yield node.span, value


def keys(node: Node) -> Iterator[tuple[Span, str]]:
    for name, span in node.keys.items():
        yield span, name
    for child in node.children.values():
        yield from keys(child)


def text_at(found: Document, span: Span) -> str:
    lines = list(found.lines[span.line - 1 : span.end_line])
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return "\n".join(lines)


def reread(text: str) -> Any:
    if not text:
        return None
    again, problems = parse(f" {text}".encode(), Path("part"))
    assert problems == (), text
    return again.value


@pytest.mark.parametrize("loader", [document.LOADER, yaml.SafeLoader])
@pytest.mark.parametrize("style", ["block", "flow", "quoted", "wide"])
@FAST
@given(value=st.dictionaries(st.text(max_size=8), JSON, min_size=1, max_size=4))
def test_the_text_at_every_place_is_the_value_of_its_path(
    monkeypatch: pytest.MonkeyPatch, loader: type[Any], style: str, value: dict[str, Any]
) -> None:
    monkeypatch.setattr(document, "LOADER", loader)
    options: dict[str, Any] = {
        "block": {"default_flow_style": False},
        "flow": {"default_flow_style": True},
        "quoted": {"default_style": "'"},
        "wide": {"default_flow_style": False, "indent": 7, "width": 20},
    }[style]
    text = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, **options)
    found, problems = parse(text.encode("utf-8"), Path("study.yaml"))
    if problems or found.root is None:
        return  # the dumper's own dialect: tags for quoted numbers, dates, control characters
    for span, expected in [*scalars(found.root, found.value), *keys(found.root)]:
        written = text_at(found, span)
        if not written.startswith(("|", ">", "?")):
            assert reread(written) == expected


def test_the_study_s_own_places_hold_its_values() -> None:
    found, problems = parse(STUDY.encode(), Path("study.yaml"))

    assert problems == ()
    assert found.root is not None
    for span, expected in [*scalars(found.root, found.value), *keys(found.root)]:
        written = text_at(found, span)
        if not written.startswith("|"):
            assert reread(written) == expected


def test_many_random_cuts_of_a_study(place: Path) -> None:
    chance = random.Random(2018)
    for _ in range(100):
        lines = STUDY.splitlines(keepends=True)
        chance.shuffle(lines)
        check_outcome(place, "".join(lines[: chance.randrange(1, len(lines))]).encode())
