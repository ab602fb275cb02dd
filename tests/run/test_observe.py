"""A study read from its files: everything at once, nothing written, and what the plan says of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cloudburst.errors import CloudBurstError, SpecError
from cloudburst.run.destroy import plan_removal
from cloudburst.run.events import Doing
from cloudburst.run.ledger import Ledger
from cloudburst.run.observe import (
    Study,
    diagnose,
    outline_study,
    read_study,
    with_lock,
)
from cloudburst.run.places import prepare
from cloudburst.run.planning import count_plan, count_rows

SPEC = """\
cloudburst: 1
name: net3
worker:
  directory: net3
  entrypoint: net3:work
parameters:
  grid:
    spread: [0.1, 0.2, 0.3]
    demand: [1, 2]
results:
  - table: {path: results/net3.csv}
"""
CODE = "def work(spread, demand):\n    return spread * demand\n"


def project(root: Path, spec: str = SPEC, **files: str) -> Path:
    for name, text in {"ensemble.yaml": spec, "net3/net3.py": CODE, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root / "ensemble.yaml"


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def marks(error: SpecError) -> list[tuple[int, str]]:
    return [(d.span.line if d.span else 0, d.code) for d in error.diagnostics]


def locked(path: Path) -> Study:
    study = read_study(path)
    prepare(study.places)
    return with_lock(study, lambda _: None)


def record(study: Study, *rows: int, status: str = "done") -> None:
    def outcome(row: int) -> dict[str, Any]:
        return {
            "format": 1, "id": study.jobs[row].id, "row": row, "attempt": 1, "payload": study.payload.digest,
            "status": status, "kind": None if status == "done" else "error", "error": None, "output": "",
            "result": {"value": 1}, "series": None, "files": {}, "started": 1.0, "seconds": 0.1, "worker": "node-1/0",
        }  # fmt: skip

    with Ledger.open(study.places.ledger, study.ensemble.name, create=True) as ledger:
        ledger.begin(study.payload.digest)
        ledger.record([outcome(row) for row in rows])


def counted(study: Study, rows: Any = None) -> dict[str, int | None]:
    return count_rows(study, rows).to_json()


# ── reading ──────────────────────────────────────────────────────────────────────────────────
def test_a_study_is_read_and_nothing_is_written(tmp_path):
    path = project(tmp_path, **{"net3/requirements.txt": "six\n"})
    before = tree(tmp_path)
    study = read_study(path)
    plan = count_plan(study, outline_study(study)).to_json()
    assert tree(tmp_path) == before
    assert (study.jobs.count, study.payload.files) == (6, ("net3.py", "requirements.txt"))
    assert [action["verb"] for action in plan["actions"]] == ["lock", "run", "write"]
    assert plan["spec"] == "ensemble.yaml"


def test_a_path_with_spaces_and_letters_and_a_read_only_worker(tmp_path):
    path = project(tmp_path / "mein Projekt größe")
    (path.parent / "net3").chmod(0o555)
    try:
        assert counted(read_study(path))["to_do"] == 6
    finally:
        (path.parent / "net3").chmod(0o755)


def test_a_relative_path_shows_relative_places(tmp_path, monkeypatch):
    project(tmp_path, **{"net3/requirements.txt": "six\n-e .\n"})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError) as raised:
        read_study(Path("ensemble.yaml"))
    assert [d.file for d in raised.value.diagnostics] == ["net3/requirements.txt"]


def test_every_mistake_at_once_in_order(tmp_path):
    spec = SPEC.replace("entrypoint: net3:work", "entrypoint: net3:wrok") + "inputs:\n  city: data/city.inp\n"
    path = project(tmp_path, spec, **{"net3/requirements.txt": "git+https://example.org/a.git\n"})
    (tmp_path / "net3/link").symlink_to("/etc/hostname")
    with pytest.raises(SpecError) as raised:
        read_study(path)
    assert [code for _, code in marks(raised.value)] == ["no-function", "no-input", "unlockable-requirement"]
    assert [line for line, _ in marks(raised.value)] == [5, 13, 1]
    assert diagnose(path) == raised.value.diagnostics


def test_what_cannot_be_packed_is_a_mistake(tmp_path):
    path = project(tmp_path)
    (tmp_path / "net3/link").symlink_to("/etc/hostname")
    with pytest.raises(SpecError) as raised:
        read_study(path)
    assert marks(raised.value) == [(4, "link-outside")]
    assert read_study(path, need_payload=False).jobs.count == 6


def test_a_module_that_is_ignored_is_a_mistake(tmp_path):
    with pytest.raises(SpecError) as raised:
        read_study(project(tmp_path, **{"net3/.cloudburstignore": "net3.py\n"}))
    assert marks(raised.value) == [(5, "ignored-worker-file")]


def test_mistakes_in_the_text_come_before_a_look_at_the_world(tmp_path):
    path = project(tmp_path, SPEC.replace("grid:", "gird:").replace("directory: net3", "directory: nowhere"))
    with pytest.raises(SpecError) as raised:
        read_study(path)
    assert 7 in [line for line, _ in marks(raised.value)]


@pytest.mark.parametrize(
    ("old", "new", "mark"),
    [
        ("directory: net3", "directory: net4", (4, "no-worker-directory")),
        ("net3:work", "net4:work", (5, "no-module")),
        ("demand:", "demnd:", (5, "job-does-not-fit")),
    ],
)
def test_the_worker_has_to_fit(tmp_path, old, new, mark):
    with pytest.raises(SpecError) as raised:
        read_study(project(tmp_path, SPEC.replace(old, new)))
    assert mark in marks(raised.value)


def test_a_mistake_in_an_expression_does_not_hide_one_in_the_worker(tmp_path):
    spec = SPEC.replace("  grid:", "  derive: {x: spraed + 1}\n  grid:").replace("net3:work", "net3:wrk")
    with pytest.raises(SpecError) as raised:
        read_study(project(tmp_path, spec))
    assert {code for _, code in marks(raised.value)} == {"unknown-name", "no-function"}


def test_a_warning_stops_nothing_and_is_in_the_plan(tmp_path):
    spec = SPEC.replace("net3:work", "random:work")
    study = read_study(project(tmp_path, spec, **{"net3/random.py": CODE}))
    assert [d.code for d in study.diagnostics] == ["hides-standard-module"]
    assert [w["code"] for w in outline_study(study).to_json()["warnings"]] == ["hides-standard-module"]


def test_a_row_that_fails_far_down_has_its_line(tmp_path):
    spec = SPEC.replace("    demand: [1, 2]", "    demand: {from: 1, to: 4000, step: 1}").replace(
        "  grid:", "  derive: {x: 1 / (demand - 3999)}\n  grid:"
    )
    path = project(tmp_path, spec, **{"net3/net3.py": "def work(spread, demand, x): ...\n"})
    with pytest.raises(SpecError) as raised:
        count_rows(read_study(path))
    assert marks(raised.value) == [(7, "expression-fails")]


def test_there_is_no_such_file(tmp_path):
    with pytest.raises(CloudBurstError):
        read_study(tmp_path / "nowhere.yaml")


# ── what is code and what is not ─────────────────────────────────────────────────────────────
def test_a_spec_inside_the_worker_directory_is_no_code(tmp_path):
    spec = SPEC.replace("directory: net3", "directory: .")
    path = project(tmp_path, spec, **{"net3.py": CODE})
    first = locked(path).payload
    assert first.files == (".cloudburst/lock.txt", "net3.py", "net3/net3.py")
    project(tmp_path, spec + "# a comment\n", **{"net3.py": CODE, "results/net3.csv": "row\n"})
    assert read_study(path).payload.digest == first.digest


# ── locking ──────────────────────────────────────────────────────────────────────────────────
def test_locking_makes_the_lock_a_part_of_the_code(tmp_path):
    study = read_study(project(tmp_path))
    assert (study.dependencies.state, study.lock_text) == ("missing", None)
    prepare(study.places)
    events: list[Any] = []
    after = with_lock(study, events.append)
    assert events == [Doing("lock", "not locked yet")]
    assert (tmp_path / "ensemble.lock").read_text() == after.lock_text
    assert after.payload.files == (".cloudburst/lock.txt", "net3.py")
    assert after.order["payload"] == after.payload.digest != study.payload.digest
    again = read_study(tmp_path / "ensemble.yaml")
    assert (again.dependencies.state, again.payload.digest) == ("locked", after.payload.digest)
    assert with_lock(again, events.append) is again
    assert len(events) == 1


def test_a_lock_older_than_the_requirements_says_so(tmp_path):
    path = project(tmp_path, **{"net3/requirements.txt": "# nothing\n"})
    locked(path)
    project(tmp_path, **{"net3/requirements.txt": "six\n"})
    study = read_study(path)
    assert (study.dependencies.reason, study.lock_text) == ("lock older than requirements.txt", None)
    assert outline_study(study).to_json()["payload"]["digest"] is None


def test_the_python_of_the_order(tmp_path):
    path = project(tmp_path)
    assert read_study(path).python == f"{sys.version_info.major}.{sys.version_info.minor}"
    project(tmp_path, SPEC.replace("  directory: net3", '  directory: net3\n  python: "3.13"'))
    assert locked(path).order["python"] == "3.13"
    assert "# python: 3.13" in (tmp_path / "ensemble.lock").read_text()


# ── inputs ───────────────────────────────────────────────────────────────────────────────────
WITH_INPUT = (
    SPEC + "inputs:\n  city: data/city.inp\njob: {network: '{{ inputs.city }}', d: '{{ demand * spread }}'}\n"
)
TAKES_JOB = {"net3/net3.py": "def work(job): ...\n", "data/city.inp": "pipes"}


def test_objects_are_what_the_store_needs(tmp_path):
    study = locked(project(tmp_path, WITH_INPUT, **TAKES_JOB))
    objects = dict(study.objects())
    assert list(objects) == ["worker.zip", "inputs.city"]
    for content in objects.values():
        content.write(tmp_path / "object")
    assert (tmp_path / "object").read_text() == "pipes"
    digest = objects["inputs.city"].digest
    assert study.order["inputs"] == {digest: {"name": "city.inp", "kind": "file"}}
    assert study.jobs[0].description["network"] == f"cloudburst-input://{digest}"


def test_applying_remembers_the_digests_of_inputs_and_looking_does_not(tmp_path):
    path = project(tmp_path, WITH_INPUT, **TAKES_JOB)
    os.utime(tmp_path / "data/city.inp", (1_500_000_000, 1_500_000_000))
    study = read_study(path)
    assert not study.places.root.exists()
    prepare(study.places)
    with_lock(study, lambda _: None)
    assert (study.places.root / "inputs.json").exists()


def test_another_input_is_another_job(tmp_path):
    path = project(tmp_path, WITH_INPUT, **TAKES_JOB)
    before = read_study(path).jobs[0].id
    (tmp_path / "data/city.inp").write_text("more pipes")
    assert read_study(path).jobs[0].id != before


# ── counting ─────────────────────────────────────────────────────────────────────────────────
def test_counts_come_from_the_ledger(tmp_path):
    study = locked(project(tmp_path))
    assert counted(study) == {"rows": 6, "jobs": 6, "done": 0, "failed": 0, "stale": 0, "kept": 0, "to_do": 6}
    record(study, 0, 1, 2)
    record(study, 3, status="failed")
    assert counted(study) == {"rows": 6, "jobs": 6, "done": 3, "failed": 1, "stale": 0, "kept": 0, "to_do": 2}
    assert counted(study, (2, 5)) == {
        "rows": 3,
        "jobs": 3,
        "done": 1,
        "failed": 1,
        "stale": 0,
        "kept": 0,
        "to_do": 1,
    }


def test_other_code_makes_everything_stale(tmp_path):
    path = project(tmp_path)
    study = locked(path)
    record(study, 0, 1)
    record(study, 2, status="failed")
    project(tmp_path, **{"net3/net3.py": CODE + "# faster\n"})
    assert counted(read_study(path)) == {
        "rows": 6,
        "jobs": 6,
        "done": 0,
        "failed": 0,
        "stale": 3,
        "kept": 0,
        "to_do": 3,
    }


def test_when_all_is_done_the_plan_has_nothing_to_do(tmp_path):
    study = locked(project(tmp_path))
    record(study, *range(6))
    again = read_study(tmp_path / "ensemble.yaml")
    plan = count_plan(again, outline_study(again))
    assert (plan.to_json()["actions"], plan.has_something_to_do) == ([], False)


ON_A_SWARM = f"""{SPEC}\
  - files: {{path: results/files}}
  - influxdb: {{database: own, tags: [demand]}}
cluster: {{provider: {{swarm: {{context: lab}}}}}}
"""


def test_a_study_of_a_swarm_is_the_same_study(tmp_path):
    here, there = read_study(project(tmp_path / "a")), read_study(project(tmp_path / "b", ON_A_SWARM))
    assert there.ensemble.cluster.provider == "swarm"
    assert [job.id for job in there.jobs] == [job.id for job in here.jobs]
    assert there.payload.digest == here.payload.digest


def test_where_a_command_looks_and_where_it_computes(tmp_path):
    path = project(tmp_path, ON_A_SWARM)
    looking, local = read_study(path, looking=True), read_study(path, local=True)
    assert (looking.ensemble.cluster.provider, local.ensemble.cluster.provider) == ("swarm", "local")
    assert (len(looking.ensemble.results), len(local.ensemble.results)) == (3, 2)
    assert [(d.severity, d.code) for d in local.diagnostics] == [("note", "no-server")]


def test_what_a_sink_names_and_nothing_gives_has_its_line(tmp_path):
    with pytest.raises(SpecError) as raised:
        read_study(project(tmp_path, ON_A_SWARM.replace("tags: [demand]", "tags: [demnd]")))
    assert marks(raised.value) == [(13, "unknown-name")]


def test_a_purge_takes_what_is_written_here_and_looks_at_no_server(tmp_path):
    study = read_study(project(tmp_path, ON_A_SWARM, **{"results/net3.csv": "row\n", "own": "mine\n"}))
    removed = plan_removal(study.ensemble, study.places, "purge")
    assert [one.path.name for one in removed] == ["net3.csv"]


@pytest.mark.slow
def test_reading_and_planning_import_nothing_heavy(tmp_path):
    path = project(tmp_path, WITH_INPUT, **TAKES_JOB, **{"net3/requirements.txt": "six\n"})
    code = (
        "import sys; from pathlib import Path; from cloudburst.run.observe import *; from cloudburst.run.planning import *\n"
        f"study = read_study(Path({str(path)!r})); count_plan(study, outline_study(study))\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {
        "redis",
        "rq",
        "docker",
        "digitalocean",
        "requests",
        "numpy",
        "scipy",
        "click",
        "rich",
        "uv",
        "subprocess",
    }
    assert heavy.isdisjoint(said)
