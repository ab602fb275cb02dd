from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloudburst.compile.draws import draw
from cloudburst.compile.jobs import make_jobs
from cloudburst.compile.normal import freeze, thaw
from cloudburst.compile.space import make_space
from cloudburst.errors import CloudBurstError
from cloudburst.spec import load

STUDY = """\
cloudburst: 1
name: everything
seed: 2018
worker: {directory: net3, command: [./solve, "{{ demand }}", "{{ job_id }}", "{{ inputs.map }}"]}
inputs: {map: map.inp}
parameters:
  - block: main
    fixed: {hours: 168, nested: {b: [1, 2.0], a: null}}
    grid:
      network: [net3.inp, net6.inp]
      demand: {from: 0.8, to: 1.2, step: 0.2}
      decay: {from: 1e-9, to: 1e-6, count: 4, scale: log}
      rule: {values: [a, b], when: "network == 'net3.inp'"}
    zip: [{pump: [P1, P2], curve: [low, high]}]
    sample:
      method: lhs
      n: 8
      of: {rough: {uniform: [80, 140]}, leak: {loguniform: [1e-6, 1e-3]}, noise: {normal: {mean: 0, sd: 1}}}
    replicates: {n: 2, as: seed}
    derive: {leak_lps: "leak * 1000"}
    exclude: [{network: net6.inp, pump: P2}, {where: "demand > 1.1 and rough < 90"}]
  - block: corners
    fixed: {hours: 168.0, network: net3.inp}
    cases: [{demand: 2.0, leak: 0}, {demand: 0.1, leak: 0.01}]
    table: {file: scenarios.csv, types: {pipe: text}, where: "pipe != '2'"}
job: {input: {network: "{{ network }}", rule: "{{ rule }}"}, leak: "{{ leak }}", pipe: "{{ pipe }}", seed: "{{ seed }}",
      all: "{{ demand }} {{ hours }}", more: ["{{ nested if nested is defined else none }}"]}
"""


def test_a_thawed_study_has_the_same_jobs_in_every_part(tmp_path: Path) -> None:
    (tmp_path / "net3").mkdir()
    (tmp_path / "map.inp").write_text("map")
    (tmp_path / "scenarios.csv").write_text("pipe,head\n1,0.5\n2,1\n3,\n")
    spec = tmp_path / "ensemble.yaml"
    spec.write_text(STUDY)
    loaded = load(spec)
    assert loaded.ensemble is not None, loaded.diagnostics
    drawn, inputs = draw(loaded.ensemble), {"map": "ab" * 32}
    jobs = make_jobs(loaded.ensemble, make_space(loaded.ensemble, drawn), inputs)

    travelled = thaw(json.loads(json.dumps(freeze(loaded.normal, drawn, inputs))))

    assert len(jobs) > 500
    assert list(travelled) == list(jobs)
    assert [list(job.row.values) for job in travelled] == [list(job.row.values) for job in jobs]
    assert [repr(job) for job in travelled] == [repr(job) for job in jobs]


def test_another_format_is_refused_with_a_way_out() -> None:
    with pytest.raises(CloudBurstError, match="format 2") as caught:
        thaw({"format": 2})
    assert caught.value.hint == "plan again with this version"
