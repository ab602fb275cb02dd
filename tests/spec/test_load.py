"""The whole reading: from a file to an Ensemble, or to every mistake at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cloudburst.errors import CloudBurstError
from cloudburst.spec import build, load
from cloudburst.spec.ensemble import (
    Axis,
    Cases,
    Choice,
    Cluster,
    Counted,
    Derived,
    Draw,
    Exclude,
    FilesSink,
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
    Stepped,
    TableSink,
    Uniform,
    Worker,
    Zip,
)

DESIGN = """\
cloudburst: 1
name: net3-diameters
seed: 2018

worker:
  directory: net3
  entrypoint: net3:work
  python: "3.11"
  timeout: 10m
  retries: {max: 2, on: [crash, lost]}
  needs: {memory: 2 GB, cpus: 1}
  isolation: process
  env: [LICENSE_SERVER]

inputs:
  topology: data/city.inp

parameters:
  - block: main
    fixed: {hours: 168}
    grid:
      network: [net3.inp, net6.inp]
      demand: {from: 0.8, to: 1.2, step: 0.1}
      decay:  {from: 1e-9, to: 1e-6, count: 4, scale: log}
      rule:   {values: [a, b], when: "network == 'net3.inp'"}
    zip:
      - {pump: [P1, P2, P3], curve: [low, mid, high]}
    sample:
      method: lhs
      n: 200
      of:
        roughness: {uniform: [80, 140]}
        leak:      {loguniform: [1e-6, 1e-3]}
        head:      {normal: {mean: 100, sd: 10}}
        tank:      {integers: [1, 3]}
        valve:     {choice: [open, shut], weights: [0.7, 0.3]}
    replicates: {n: 3, as: seed}
    derive:  {leak_lps: "leak * 1000", label: "'low' if demand < 1 else 'high'"}
    exclude:
      - {network: net6.inp, pump: P3}
      - where: "demand > 1.1 and roughness < 90"
  - block: corners
    fixed: {hours: 168, network: net3.inp}
    cases: [{demand: 2.0, leak: 0}, {demand: 0.1, leak: 0.01}]

job:
  input:   {network: "{{ network }}", startTimeUtc: 2018-05-28T00:00:00}
  options: {diameter: {seed: "{{ seed }}", spread: "{{ demand }}"}}

cluster:
  provider: local
  slots: auto
  max_failures: 5%

results:
  - table: {path: results/net3.csv}
  - files: {path: results/files}
"""


def test_the_design_s_example_is_read_as_it_is_meant(read: Any) -> None:
    loaded = read(DESIGN, head=False)

    assert loaded.diagnostics == ()
    ensemble = loaded.ensemble
    assert (ensemble.name, ensemble.seed) == ("net3-diameters", 2018)
    assert ensemble.worker == Worker(
        directory="net3",
        entrypoint="net3:work",
        command=None,
        python="3.11",
        timeout=600.0,
        retries=Retries(2, ("crash", "lost")),
        needs=Needs(2_000_000_000, 1.0),
        isolation="process",
        env=("LICENSE_SERVER",),
    )
    assert ensemble.inputs == (Input("topology", "data/city.inp", ("inputs", "topology")),)
    assert ensemble.job["input"]["startTimeUtc"] == "2018-05-28T00:00:00"
    assert ensemble.cluster == Cluster("local", {}, "auto", 0.05)
    assert ensemble.results == (
        TableSink("results/net3.csv", ("results", 0)),
        FilesSink("results/files", ("results", 1)),
    )


def test_its_blocks(read: Any) -> None:
    main, corners = read(DESIGN, head=False).ensemble.blocks
    at = ("parameters", 0)

    assert main.fixed == (Fixed("hours", 168, (*at, "fixed", "hours")),)
    assert main.sources[:5] == (
        Axis("network", Listed(("net3.inp", "net6.inp")), (*at, "grid", "network")),
        Axis("demand", Stepped(0.8, 1.2, 0.1), (*at, "grid", "demand")),
        Axis("decay", Counted(1e-9, 1e-6, 4, "log"), (*at, "grid", "decay")),
        Axis("rule", Listed(("a", "b")), (*at, "grid", "rule"), "network == 'net3.inp'"),
        Zip(
            (
                Axis("pump", Listed(("P1", "P2", "P3")), (*at, "zip", 0, "pump")),
                Axis("curve", Listed(("low", "mid", "high")), (*at, "zip", 0, "curve")),
            ),
            (*at, "zip", 0),
        ),
    )
    of = (*at, "sample", "of")
    assert main.sources[5] == Sample(
        "lhs",
        200,
        (
            Draw("roughness", Uniform(80.0, 140.0), (*of, "roughness")),
            Draw("leak", LogUniform(1e-6, 1e-3), (*of, "leak")),
            Draw("head", Normal(100.0, 10.0), (*of, "head")),
            Draw("tank", Integers(1, 3), (*of, "tank")),
            Draw("valve", Choice(("open", "shut"), (0.7, 0.3)), (*of, "valve")),
        ),
        (*at, "sample"),
    )
    assert main.sources[6] == Replicates(3, "seed", (*at, "replicates"))
    assert main.derive[0] == Derived("leak_lps", "leak * 1000", (*at, "derive", "leak_lps"))
    assert main.exclude == (
        Exclude({"network": "net6.inp", "pump": "P3"}, None, (*at, "exclude", 0)),
        Exclude(None, "demand > 1.1 and roughness < 90", (*at, "exclude", 1)),
    )
    assert (corners.name, corners.path) == ("corners", ("parameters", 1))
    assert corners.sources == (
        Cases(({"demand": 2.0, "leak": 0}, {"demand": 0.1, "leak": 0.01}), ("parameters", 1, "cases")),
    )


@pytest.mark.parametrize(
    ("text", "cluster"),
    [
        ("{provider: local}", Cluster()),
        ("{provider: {local: {}}}", Cluster()),
        ("{provider: swarm}", Cluster("swarm", {"context": "default"})),
        ("{provider: {swarm: {context: lab}}}", Cluster("swarm", {"context": "lab"})),
        ("{provider: {swarm: {host: 'ssh://a@b:22'}}}", Cluster("swarm", {"host": "ssh://a@b:22"})),
        (
            "{provider: swarm, dashboards: {visualizer: true, queue: true}}",
            Cluster("swarm", {"context": "default"}, dashboards=("queue", "visualizer")),
        ),
        ("{dashboards: {queue: false}}", Cluster()),
    ],
)
def test_clusters(read: Any, text: str, cluster: Cluster) -> None:
    loaded = read(f"parameters: {{}}\ncluster: {text}\n")

    assert loaded.diagnostics == ()
    assert loaded.ensemble.cluster == cluster
    assert build(json.loads(json.dumps(loaded.normal))).cluster == cluster


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ("env: []", (None, 60.0, "auto")),
        ("image: worker:2", ("worker:2", 60.0, "auto")),
        ("stop_grace: 5m", (None, 300.0, "auto")),
        ("scratch: 2 GB", (None, 60.0, 2 * 10**9)),
        ("scratch: disk", (None, 60.0, "disk")),
        ("scratch: auto", (None, 60.0, "auto")),
    ],
)
def test_workers_of_a_swarm(read: Any, keys: str, found: tuple[Any, ...]) -> None:
    text = f"""\
    cloudburst: 1
    name: study
    worker: {{directory: code, entrypoint: "model:run", {keys}}}
    parameters: {{}}
    cluster: {{provider: swarm}}
    """
    loaded = read(text, head=False)

    assert loaded.diagnostics == ()
    worker = loaded.ensemble.worker
    assert (worker.image, worker.stop_grace, worker.scratch) == found
    assert build(json.loads(json.dumps(loaded.normal))).worker == worker


@pytest.mark.parametrize(
    ("keys", "more"),
    [
        ("", {}),
        ("url: 'https://h:1/p'", {"url": "https://h:1/p"}),
        (
            "url: http://h, username: u, password: PW",
            {"url": "http://h", "username": "u", "password": "PW"},
        ),
        ("url: http://h, token: TOKEN", {"url": "http://h", "token": "TOKEN"}),
        ("tags: []", {"tags": ()}),
        ("tags: [a, b]", {"tags": ("a", "b")}),
        ("start: 2018-05-28T00:00:00", {"start": "2018-05-28T00:00:00"}),
        ("start: a", {"start": "a"}),
    ],
)
def test_influxdb_sinks(read: Any, keys: str, more: dict[str, Any]) -> None:
    loaded = read(
        f"parameters: {{}}\ncluster: {{provider: swarm}}\nresults: [{{influxdb: {{database: x, {keys}}}}}]"
    )

    assert loaded.diagnostics == ()
    assert loaded.ensemble.results == (InfluxSink("x", ("results", 0), **more),)
    assert build(json.loads(json.dumps(loaded.normal))).results == loaded.ensemble.results


def test_a_normal_form_from_before_a_key_is_still_read(read: Any) -> None:
    loaded = read(DESIGN, head=False)
    for key in ("image", "stop_grace", "scratch"):
        del loaded.normal["worker"][key]
    for key in ("dashboards", "workers", "max_cost", "ttl", "idle_stop", "keep_results"):
        del loaded.normal["cluster"][key]
    del loaded.normal["cluster"]["reaper_token"], loaded.normal["cluster"]["ssh_keys"]

    assert build(loaded.normal) == loaded.ensemble


def test_the_smallest_study(read: Any) -> None:
    loaded = read("parameters: {}\n")

    assert loaded.diagnostics == ()
    (block,) = loaded.ensemble.blocks
    assert (block.name, block.path, block.sources) == ("main", ("parameters",), ())
    assert loaded.ensemble.results == (TableSink("results/study.csv", ("results", 0)),)


def test_sources_keep_the_order_written(block: Any) -> None:
    text = (
        "parameters:\n  replicates: 2\n  grid: {b: 1, a: 2}\n  cases: [{c: 1}]\n  zip: [{d: [1]}, {e: [1]}]\n"
    )

    kinds = [type(source).__name__ for source in block(text).sources]

    assert kinds == ["Replicates", "Axis", "Axis", "Cases", "Zip", "Zip"]


RENTED = """\
provider:
    digitalocean: {region: nyc3, worker: s-1vcpu-2gb, image: 7, vpc: lab, tags: [a], ssh_from: [10.0.0.0/8]}
  workers: 0
  max_cost: 25.50 USD
  ttl: 8h
  idle_stop: 20m
  keep_results: 1d
  reaper_token: REAPER
  ssh_keys: [~/.ssh/id_ed25519.pub]
"""


@pytest.mark.parametrize(
    "text",
    [
        DESIGN,
        DESIGN.replace("- block: main", "- table: {file: cases.csv, columns: [x], where: x > 1}"),
        DESIGN.replace("  max_failures: 5%", "  max_failures: 7"),
        DESIGN.replace(
            "provider: local", "provider: {swarm: {host: 'ssh://a@b:22'}}\n  dashboards: {queue: true}"
        ),
        DESIGN.replace(
            "provider: local", "provider: {ssh: {hosts: ['ssh://a@b:22', c], network: 10.0.0.0/8}}"
        ),
        DESIGN.replace("provider: local", RENTED),
        DESIGN.replace("provider: local", RENTED.replace("image: 7", "image: mine").replace("8h", "never")),
        DESIGN.replace("provider: local", "provider: swarm")
        + "  - influxdb: {database: x, tags: [demand]}\n",
        DESIGN + "  - influxdb: {database: x, url: 'http://h', token: T, start: 2018-05-28}\n",
        DESIGN.replace("  env:", "  image: worker:2\n  stop_grace: 5m\n  scratch: 2 GB\n  env:"),
    ],
)
def test_the_normal_form_is_all_that_is_needed(read: Any, text: str) -> None:
    loaded = read(text, head=False, cases="x,y\n1,010\n,2.5\n3,\n")

    assert loaded.ensemble is not None, loaded.diagnostics
    assert build(json.loads(json.dumps(loaded.normal))) == loaded.ensemble
    assert repr(build(json.loads(json.dumps(loaded.normal)))) == repr(loaded.ensemble)


def test_a_normal_form_of_another_version_is_refused() -> None:
    with pytest.raises(CloudBurstError, match="format 2"):
        build({"format": 2})


def test_every_mistake_is_told_at_once_and_in_order(read: Any) -> None:
    text = """\
    seed: .inf
    parameters:
      grid:
        demand: {from: 0.8, to: 1.25, step: 0.1}
        demand: [1]
        flow: [NO]
      zip: [{a: [1, 2], b: [1]}]
      smaple: {}
      table: {file: missing.csv}
    cluster: {rescue: here}
    """

    loaded = read(text)

    assert [(d.span.line, d.code) for d in loaded.diagnostics] == [
        (4, "not-a-number"),
        (7, "range-misses-end"),
        (8, "duplicate-key"),
        (9, "reads-as-text"),
        (10, "unequal-zip"),
        (11, "unknown-key"),
        (12, "no-such-file"),
        (13, "not-in-this-version"),
    ]
    assert loaded.ensemble is None
    assert loaded.normal == {}


def test_what_has_no_meaning_is_said_once(marks: Any) -> None:
    assert marks("seed: !!int 3\nparameters: {replicates: .nan}") == [(4, 7, "tag"), (5, 26, "not-a-number")]


def test_a_text_that_cannot_be_read_has_its_place_too(marks: Any) -> None:
    assert marks("parameters: {grid: [") == [(4, 21, "yaml-syntax")]


@pytest.mark.parametrize("text", ["- a\n", "text\n", "3\n", "null\n", "{}\n", "[]\n", "!!map {}\n"])
def test_what_is_no_study_at_all(marks: Any, text: str) -> None:
    found = marks(text, head=False)

    assert found
    assert all(line == 1 for line, _, _ in found)


def test_a_study_of_warnings_is_a_study(read: Any) -> None:
    loaded = read("parameters: {grid: {a: [1, 1, off]}}")

    assert [d.severity for d in loaded.diagnostics] == ["warning", "warning"]
    assert loaded.ensemble is not None
    assert loaded.normal["format"] == 1


def test_the_document_places_problems_of_later_rooms(read: Any) -> None:
    from cloudburst.diagnostics import Problem

    loaded = read("parameters:\n  grid: {a: [1]}\n")

    (diagnostic,) = loaded.document.place(
        [Problem("unused", ("parameters", "grid", "a"), "nothing uses a", at="key")]
    )

    assert (diagnostic.span.line, diagnostic.span.column) == (5, 10)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CloudBurstError, match=r"there is no file .*ensemble\.yaml"):
        load(tmp_path / "ensemble.yaml")


def test_building_needs_neither_a_validator_nor_a_server() -> None:
    """The controller builds from the normal form; it should not pay for a reader's libraries."""
    heavy = ["jsonschema", "redis", "rq", "docker", "requests", "numpy", "scipy", "jinja2", "click", "rich"]
    code = f"import sys, cloudburst.spec; print([name for name in {heavy!r} if name in sys.modules])"

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"


def test_reading_imports_nothing_but_its_own_two_libraries(tmp_path: Path) -> None:
    file = tmp_path / "ensemble.yaml"
    file.write_text(DESIGN, encoding="utf-8")
    heavy = ["redis", "rq", "docker", "requests", "numpy", "scipy", "jinja2", "click", "rich"]
    code = f"import sys; from cloudburst.spec import load; load({str(file)!r}); print([n for n in {heavy!r} if n in sys.modules])"

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"
