"""What comes later is said to come later: never accepted in silence, never called unknown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloudburst.spec import build, load
from cloudburst.spec.ensemble import Cluster

SAMPLE = "parameters: {sample: {method: lhs, n: 4, of: {a: {uniform: [0, 1]}}, %s}}"


@pytest.mark.parametrize(
    "text",
    [f"{key}: 1" for key in ("templates", "outputs", "notify")]
    + ["cluster: {rescue: 1}"]
    + [SAMPLE % "paired: false"]
    + [SAMPLE.replace("0, 1", '0, "2 * b"') % "seed: 1", SAMPLE.replace("0, 1", '"{{ b }}", 2') % "seed: 1"]
    + ["results: [{table: {path: a.parquet}}]"],
)
def test_it_is_answered_with_what_to_do_today(read: Any, text: str) -> None:
    later = [d for d in read(text).diagnostics if d.code not in ("missing-key",)]

    assert {d.code for d in later} == {"not-in-this-version"}
    assert all("not in this version" in d.message for d in later)
    assert all(d.hint for d in later)


@pytest.mark.parametrize("key", ["threads", "templates", "outputs"])
def test_keys_of_the_worker(read: Any, key: str) -> None:
    text = f"cloudburst: 1\nname: s\nworker: {{directory: d, entrypoint: a:b, {key}: 1}}\nparameters: {{}}\n"

    (diagnostic,) = read(text, head=False).diagnostics

    assert diagnostic.code == "not-in-this-version"
    assert (diagnostic.span.line, diagnostic.span.column) == (3, 41)


@pytest.mark.parametrize("value", ["1,000", "1_000"])
def test_a_number_written_oddly_is_no_expression(read: Any, value: str) -> None:
    found = read(SAMPLE.replace("0, 1", f'0, "{value}"') % "seed: 1").diagnostics

    assert [d.code for d in found] == ["wrong-type"]


# ── machines are set aside for a run here ────────────────────────────────────────────────────
HEAD = (
    "cloudburst: 1\nname: rented\nparameters: {grid: {n: [1, 2]}}\n"
    "worker: {directory: worker, entrypoint: 'jobs:work', image: 'worker:1', stop_grace: 5m, scratch: disk}\n"
)
RENTED = """\
cluster:
  provider: {digitalocean: {region: nyc3, worker: s-4vcpu-8gb}}
  workers: 3
  max_cost: 25 USD
  ttl: never
  idle_stop: 20m
  keep_results: 1d
  reaper_token: REAPER
  ssh_keys: [~/.ssh/id_ed25519.pub]
  slots: 2
"""
HOSTS = "cluster: {provider: {ssh: {hosts: [root@a, root@b]}}, slots: 2}\n"
UNKNOWN = "cluster: {provider: {swarm: {context: lab}}, rescue: {s3: bucket}, slots: 2}\n"
SWARM = "cluster: {provider: {swarm: {context: lab}}, dashboards: {queue: true}, slots: 2}\n"
SINKS = """\
results:
- table: {path: a.csv}
- influxdb: {database: own}
- influxdb: {database: other, url: "http://localhost:8086"}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        file = tmp_path / "ensemble.yaml"
        file.write_text(HEAD + text, "utf-8")
        return file

    return write


@pytest.mark.parametrize("machines", [RENTED, HOSTS, SWARM, UNKNOWN])
def test_a_run_on_this_machine_sets_machines_aside(write: Callable[[str], Path], machines: str) -> None:
    here = load(write(machines), local=True)

    assert here.diagnostics == ()
    assert here.ensemble is not None
    assert here.ensemble.cluster == Cluster(slots=2)
    worker = here.ensemble.worker
    assert (worker.image, worker.stop_grace, worker.scratch) == (None, 60.0, "auto")
    assert build(here.normal) == here.ensemble


@pytest.mark.parametrize("machines", [RENTED, HOSTS, SWARM])
def test_what_their_own_server_would_get_is_left_out_and_noted(
    write: Callable[[str], Path], machines: str
) -> None:
    here = load(write(machines + SINKS), local=True)

    assert [(d.severity, d.code, d.path) for d in here.diagnostics] == [
        ("note", "no-server", "results[1].influxdb")
    ]
    assert here.ensemble is not None
    assert [sink.path for sink in here.ensemble.results] == [("results", 0), ("results", 2)]
    assert build(json.loads(json.dumps(here.normal))) == here.ensemble


def test_a_command_that_only_looks_keeps_a_swarm_and_bears_what_it_does_not_know(
    write: Callable[[str], Path],
) -> None:
    seen = load(write(SWARM + SINKS), looking=True)
    assert seen.diagnostics == ()
    assert seen == load(write(SWARM + SINKS))

    assert load(write(RENTED), looking=True) == load(write(RENTED))

    assert load(write(UNKNOWN)).ensemble is None
    seen = load(write(UNKNOWN), looking=True)
    assert seen.ensemble is not None
    assert seen.ensemble.cluster == Cluster(slots=2)


def test_a_study_of_this_machine_stays_as_it_is(write: Callable[[str], Path]) -> None:
    text = "results: [{influxdb: {database: own}}]\n"
    assert [d.code for d in load(write(text), local=True).diagnostics if d.severity == "error"] == [
        "no-server"
    ]


def test_other_mistakes_are_not_set_aside(write: Callable[[str], Path]) -> None:
    rented = write("cluster: {rescue: here, slotz: 2}\n")
    assert [d.code for d in load(rented, local=True).diagnostics] == ["unknown-key"]
    swarm = write("cluster: {provider: {swarm: {contxt: lab}}}\n")
    assert "unknown-key" in [d.code for d in load(swarm, local=True).diagnostics]
