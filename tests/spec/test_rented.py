"""What `cluster` says of rented machines: text in, (line, column, code) out. Text begins on line 1."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudburst.compile.fleet import machine_name
from cloudburst.spec import schema

TOKEN = "dop_v1_" + "0123456789abcdef" * 4
CALM = "max_cost: 25 USD, reaper_token: REAPER"


def study(droplets: str = "", cluster: str = CALM, worker: str = "timeout: 1h") -> str:
    return f"""\
cloudburst: 1
name: study
worker: {{directory: d, entrypoint: a:b, {worker}}}
parameters: {{}}
cluster:
  provider: {{digitalocean: {{region: nyc3, worker: s-4vcpu-8gb, {droplets}}}}}
  {cluster.replace(", ", chr(10) + "  ")}
"""


def found(loaded: Any) -> list[tuple[int, str, str]]:
    return [(d.span.line, d.severity, d.code) for d in loaded.diagnostics]


def test_a_study_that_is_careful_hears_nothing(read: Any) -> None:
    loaded = read(study("ssh_from: [203.0.113.7, '2001:db8::/32'], tags: [a, b]"), head=False)

    assert loaded.diagnostics == ()
    assert loaded.ensemble.cluster.is_rented


@pytest.mark.parametrize("provider", ["local", "swarm", "{ssh: {hosts: [a]}}"])
@pytest.mark.parametrize(
    "key",
    ["workers: 3", "max_cost: 25", "ttl: 8h", "ttl: never", "idle_stop: 20m"]
    + ["keep_results: 1d", "reaper_token: REAPER", "ssh_keys: [a.pub]"],
)
def test_what_only_rented_machines_have_is_a_warning_elsewhere(read: Any, provider: str, key: str) -> None:
    loaded = read(f"parameters: {{}}\ncluster:\n  provider: {provider}\n  {key}\n")

    assert found(loaded) == [(7, "warning", "only-on-rented-machines")]
    assert loaded.ensemble is not None


@pytest.mark.parametrize(
    ("cluster", "marks"),
    [
        ("max_cost: 0 USD, reaper_token: R", [(7, "error", "out-of-range")]),
        ("max_cost: 1, reaper_token: R, ttl: 59s", [(9, "error", "out-of-range")]),
        ("max_cost: 1, reaper_token: R, ttl: 1m", []),
        ("max_cost: 1, reaper_token: R, idle_stop: 1s", [(9, "error", "out-of-range")]),
        ("ttl: 1h, reaper_token: R, idle_stop: 2h", [(9, "warning", "idle-after-ttl")]),
        ("idle_stop: 25h, reaper_token: R", [(7, "warning", "idle-after-ttl")]),
        ("ttl: never, reaper_token: R, idle_stop: 25h", []),
        ("ttl: never, reaper_token: R", [(7, "warning", "no-end")]),
        ("ttl: never, reaper_token: R, max_cost: 9", []),
        ("ttl: 1h", [(6, "warning", "no-reaper-token")]),
        ("workers: 0, max_cost: 5", [(8, "warning", "no-reaper-token")]),
        ("ttl: 1h, reaper_token: DOTOKEN", [(8, "warning", "whole-token")]),
        ("ttl: 1h, reaper_token: $REAPER", [(8, "error", "secret-in-file")]),
        (f"ttl: 1h, reaper_token: {TOKEN}", [(8, "error", "secret-in-file")]),
        ("ttl: 1h, reaper_token: R, ssh_keys: [a.pub]", []),
        ("ttl: 1h, reaper_token: R, ssh_keys: [id_ed25519]", [(9, "error", "public-key")]),
    ],
)
def test_time_and_money(read: Any, cluster: str, marks: list[tuple[int, str, str]]) -> None:
    assert found(read(study(cluster=cluster), head=False)) == marks


def test_a_job_without_end_is_a_warning(read: Any) -> None:
    assert found(read(study(worker="env: []"), head=False)) == [(3, "warning", "no-timeout")]


@pytest.mark.parametrize(
    ("droplets", "code"),
    [
        ("ssh_from: [0.0.0.0/0]", "open-to-everyone"),
        ("ssh_from: ['::/0']", "open-to-everyone"),
        ("ssh_from: [203.0.113.7/24]", "network-address"),
        ("ssh_from: [everywhere]", "network-address"),
        ("tags: [cloudburst]", "reserved-tag"),
        ("tags: ['CloudBurst:other-study:worker']", "reserved-tag"),
        ("tags: ['cb-host:ab']", "reserved-tag"),
        ("tags: [cloudburst-users, cb]", None),
        ("tags: [Lab, lab]", "listed-twice"),
    ],
)
def test_who_may_do_what(read: Any, droplets: str, code: str | None) -> None:
    loaded = read(study(droplets), head=False)

    assert [d.code for d in loaded.diagnostics] == ([code] if code else [])


@pytest.mark.parametrize(
    "text",
    [
        f"reaper_token: {TOKEN}",
        f"reaper_token: [{TOKEN}]",
        f"max_cost: {TOKEN}",
        f"ssh_keys: {TOKEN}",
        f"{TOKEN}: 1",
        r'ssh_keys: ["-----BEGIN OPENSSH PRIVATE KEY-----\n0123456789abcdef"]',
        r'ssh_keys: "-----BEGIN OPENSSH PRIVATE KEY-----\n0123456789abcdef"',
    ],
)
def test_no_secret_is_repeated(read: Any, text: str) -> None:
    diagnostics = read(f"parameters: {{}}\ncluster: {{{text}}}\n").diagnostics

    assert diagnostics
    said = json.dumps([d.to_json() for d in diagnostics])
    assert "0123456789abcdef" not in said
    assert "n0123" not in said


def test_every_machine_of_every_study_has_a_host_name() -> None:
    """RFC 1123: a label has at most 63 letters."""
    properties = schema.the_schema()["properties"]
    name = "x" * properties["name"]["maxLength"]
    most = properties["cluster"]["properties"]["workers"]["maximum"]

    assert len(machine_name(name, "worker", most)) <= 63
    assert len(f"cb-{name}-manager") <= 63
