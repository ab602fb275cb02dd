"""Plan files: the same bytes for the same study, all that will run, and what moved since."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cloudburst.compile.plan_archive import moved
from cloudburst.errors import CloudBurstError
from cloudburst.run.kept import applied, edited_since, last_applied, read_contents, sha256_of
from cloudburst.run.ledger import Ledger
from cloudburst.run.observe import Study, read_study, with_lock
from cloudburst.run.places import prepare
from cloudburst.run.planning import counted_plan
from cloudburst.run.plans import keep_plan, open_plan, write_plan
from cloudburst.run.revision import revision_of

SPEC = """\
cloudburst: 1
name: net3
worker: {directory: net3, entrypoint: net3:work}
inputs:
  city: city.inp
parameters:
  grid:
    spread: [0.1, 0.2, 0.3]
    demand:
      - 1
      - 2
  sample:
    method: random
    n: 2
    of: {leak: {lognormal: {mu: 0, sigma: 1}}}
job:
  map: "{{ inputs.city }}"
  spread: "{{ spread }}"
  demand: "{{ demand }}"
  leak: "{{ leak }}"
"""
CODE = "def work(job):\n    return job['spread'] * job['demand']\n"


def project(root: Path, spec: str = SPEC) -> Path:
    for name, text in {"ensemble.yaml": spec, "net3/net3.py": CODE, "city.inp": "pipes\n"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root / "ensemble.yaml"


def locked(path: Path) -> Study:
    study = read_study(path)
    prepare(study.places)
    return with_lock(study, lambda _: None)


def planned(path: Path, out: Path) -> str:
    study = locked(path)
    return write_plan(study, counted_plan(study), out)


def record(study: Study, *rows: int) -> None:
    def outcome(row: int) -> dict[str, Any]:
        return {
            "format": 1, "id": study.jobs[row].id, "row": row, "attempt": 1, "payload": study.payload.digest,
            "status": "done", "kind": None, "error": None, "output": "",
            "result": {"value": 1}, "series": None, "files": {}, "started": 1.0, "seconds": 0.1, "worker": "node-1/0",
        }  # fmt: skip

    with Ledger.open(study.places.ledger, study.ensemble.name, create=True) as ledger:
        ledger.begin(study.payload.digest)
        ledger.record([outcome(row) for row in rows])


# ── the file ─────────────────────────────────────────────────────────────────────────────────
def test_two_directories_make_the_same_bytes(tmp_path: Path) -> None:
    first = planned(project(tmp_path / "one"), tmp_path / "one.cbplan")
    second = planned(project(tmp_path / "deep" / "er" / "two"), tmp_path / "two.cbplan")
    assert first == second == sha256_of(tmp_path / "one.cbplan")
    assert (tmp_path / "one.cbplan").read_bytes() == (tmp_path / "two.cbplan").read_bytes()


def test_nothing_of_the_machine_is_in_it(tmp_path: Path) -> None:
    planned(project(tmp_path / "one"), tmp_path / "one.cbplan")
    content = (tmp_path / "one.cbplan").read_bytes()
    for trace in (str(tmp_path), os.uname().nodename, str(Path.home())):
        assert len(trace) < 3 or trace.encode() not in content


def test_any_unzip_opens_it_and_its_parts_are_what_they_say(tmp_path: Path) -> None:
    path = project(tmp_path)
    planned(path, tmp_path / "a.cbplan")
    with zipfile.ZipFile(tmp_path / "a.cbplan") as archive:
        assert archive.testzip() is None
        assert {one.compress_type for one in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.read("spec/ensemble.yaml") == path.read_bytes()
        assert json.loads(archive.read("plan.json"))["counts"]["to_do"] == 12
        assert "stack.yml" not in archive.namelist()


def test_a_study_on_a_swarm_brings_its_stack_and_no_secret(tmp_path: Path) -> None:
    spec = (
        SPEC
        + "cluster:\n  provider: {swarm: {host: 'ssh://me@far'}}\nresults:\n  - influxdb: {database: net3}\n"
    )
    planned(project(tmp_path, spec), tmp_path / "a.cbplan")
    stack = read_contents(tmp_path / "a.cbplan").stack
    assert stack is not None
    assert "cb-net3.queue-password." in stack


def test_opened_it_is_the_same_study(tmp_path: Path) -> None:
    path = project(tmp_path)
    study = locked(path)
    digest = write_plan(study, counted_plan(study), tmp_path / "a.cbplan")
    found = open_plan(tmp_path / "a.cbplan")
    assert (found.sha256, found.problems) == (digest, ())
    assert [job.id for job in found.study.jobs] == [job.id for job in study.jobs]
    assert [job.description for job in found.study.jobs] == [job.description for job in study.jobs]
    assert found.study.order == study.order
    assert found.study.lock_text == study.lock_text
    found.study.payload.write(tmp_path / "out.zip")
    assert sha256_of(tmp_path / "out.zip") == study.payload.digest


def test_it_needs_neither_the_spec_nor_the_code_as_they_are_now(tmp_path: Path) -> None:
    """What was reviewed is what runs, whatever happened to the files since."""
    path = project(tmp_path)
    study = locked(path)
    write_plan(study, counted_plan(study), tmp_path / "a.cbplan")
    path.write_text("cloudburst: 1\nname: other\n")
    (tmp_path / "net3" / "net3.py").write_text("raise SystemExit\n")
    found = open_plan(tmp_path / "a.cbplan")
    assert found.study.payload.digest == study.payload.digest
    assert moved(found.contents.plan, counted_plan(found.study).to_json()) == ()


def test_an_input_must_be_what_it_was(tmp_path: Path) -> None:
    planned(project(tmp_path), tmp_path / "a.cbplan")
    (tmp_path / "city.inp").write_text("other pipes\n")
    assert open_plan(tmp_path / "a.cbplan").problems == ("city, which its jobs read, has other content now",)
    (tmp_path / "city.inp").unlink()
    assert open_plan(tmp_path / "a.cbplan").problems == ("city, which its jobs read, is not there any more",)


def test_what_was_computed_since_is_named(tmp_path: Path) -> None:
    path = project(tmp_path)
    planned(path, tmp_path / "a.cbplan")
    record(locked(path), 0, 1, 2)
    found = open_plan(tmp_path / "a.cbplan")
    sentences = moved(found.contents.plan, counted_plan(found.study).to_json())
    assert sentences == ("0 of its jobs were done when it was made, now 3 are",)


def test_machines_that_came_went_or_changed_are_named() -> None:
    def plan(**machines: str) -> dict[str, Any]:
        standing = [{"name": name, "size": size} for name, size in machines.items()]
        counts = {"jobs": 1, "done": 0, "failed": 0, "stale": 0}
        return {"digest": None, "counts": counts, "cluster": {"rental": {"machines": standing}}}

    assert moved(plan(a="s-1", b="s-1"), plan(b="s-2", c="s-1")) == (
        "a stood when it was made, and is gone",
        "b was a s-1 when it was made, and is a s-2",
        "c stands, and did not when it was made",
    )


def test_a_spec_elsewhere_has_to_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project(tmp_path / "study")
    planned(path, tmp_path / "a.cbplan")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CloudBurstError) as raised:
        open_plan(Path("a.cbplan"))
    assert "neither beside it nor here" in raised.value.message
    assert open_plan(Path("a.cbplan"), path).study.places.spec == path


def test_no_plan_and_a_damaged_plan_are_a_sentence_each(tmp_path: Path) -> None:
    planned(project(tmp_path), tmp_path / "a.cbplan")
    whole = (tmp_path / "a.cbplan").read_bytes()
    for name, content, words in (
        ("text", b"cloudburst: 1\n", "is no plan"),
        ("half", whole[: len(whole) // 2], "is no plan"),
        ("bit", whole.replace(b'"demand"', b'"demanD"', 1), "is damaged"),
    ):
        broken = tmp_path / f"{name}.cbplan"
        broken.write_bytes(content)
        with pytest.raises(CloudBurstError, match=words):
            open_plan(broken)
    with pytest.raises(CloudBurstError, match="there is no file"):
        open_plan(tmp_path / "none.cbplan")


def test_another_worker_zip_inside_is_refused(tmp_path: Path) -> None:
    planned(project(tmp_path / "one"), tmp_path / "a.cbplan")
    other = project(tmp_path / "two")
    (tmp_path / "two" / "net3" / "net3.py").write_text("def work(job):\n    return 0\n")
    locked(other).payload.write(tmp_path / "other.zip")
    with zipfile.ZipFile(tmp_path / "a.cbplan") as old, zipfile.ZipFile(tmp_path / "b.cbplan", "w") as new:
        for one in old.infolist():
            if one.filename == "worker.zip":
                new.write(tmp_path / "other.zip", one.filename)
            else:
                new.writestr(one.filename, old.read(one))
    with pytest.raises(CloudBurstError, match=r"its worker.zip is another"):
        open_plan(tmp_path / "b.cbplan")


def test_a_disk_that_refuses_leaves_nothing(tmp_path: Path) -> None:
    study = locked(project(tmp_path))
    closed = tmp_path / "no" / "such"
    with pytest.raises(CloudBurstError, match="cannot be written"):
        write_plan(study, counted_plan(study), closed / "a.cbplan")
    assert not closed.exists()


@pytest.mark.slow
def test_another_python_makes_the_same_bytes(tmp_path: Path) -> None:
    """The lock says which Python the jobs get; which one plans must not matter."""
    python = another_python(tmp_path / "venv")
    source = Path(__file__).parents[2]
    command = [*UV, "pip", "install", "--quiet", "--python", str(python), str(source)]
    subprocess.run(command, check=True)
    path = project(tmp_path / "study")
    planned(path, tmp_path / "a.cbplan")
    plan = [str(python), "-m", "cloudburst", "plan", "--out", str(tmp_path / "b.cbplan")]
    subprocess.run(plan, cwd=path.parent, check=True, capture_output=True)
    assert (tmp_path / "a.cbplan").read_bytes() == (tmp_path / "b.cbplan").read_bytes()


UV = (sys.executable, "-m", "uv")


def another_python(home: Path) -> Path:
    """An environment of another minor version: one that is here already, or one that uv fetches."""
    other = "3.12" if sys.version_info[:2] != (3, 12) else "3.13"
    shelves = sorted(str(path) for path in Path.home().glob(".pyenv/versions/*/bin"))
    path = os.pathsep.join([os.environ["PATH"], *shelves])
    made = subprocess.run(
        [*UV, "venv", "--quiet", "--python", other, str(home)],
        capture_output=True, text=True, check=False, env={**os.environ, "PATH": path},
    )  # fmt: skip
    if made.returncode:
        missing = f"Python {other} is missing: install it, or let uv fetch it ({made.stderr.strip()[-100:]})"
        pytest.fail(missing) if os.environ.get("CLOUDBURST_REQUIRE_PARTS") else pytest.skip(missing)
    return home / "bin" / "python"


# ── kept ─────────────────────────────────────────────────────────────────────────────────────
def test_what_is_applied_is_kept_once(tmp_path: Path) -> None:
    study = locked(project(tmp_path))
    for moment in (1.0, 2.0):
        keep_plan(study, counted_plan(study), moment)
    (kept,) = applied(study.places)
    assert (kept.at, kept.path.name) == (1.0, f"{kept.sha256[:12]}.cbplan")
    assert kept.contents.order == study.order


def test_a_plan_file_is_kept_as_it_is(tmp_path: Path) -> None:
    planned(project(tmp_path), tmp_path / "a.cbplan")
    found = open_plan(tmp_path / "a.cbplan")
    keep_plan(found.study, counted_plan(found.study), 1.0, planned=found)
    kept = last_applied(found.study.places)
    assert kept is not None
    assert kept.path.read_bytes() == (tmp_path / "a.cbplan").read_bytes()


def test_a_line_half_written_is_overlooked_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = project(tmp_path)
    study = locked(path)
    keep_plan(study, counted_plan(study), 1.0)
    with (study.places.plans / "applied.jsonl").open("a") as file:
        file.write('{"at": 2.0, "sha')
    assert len(applied(study.places)) == 1
    path.write_text(SPEC.replace("- 2", "- 3"))
    again = locked(path)
    keep_plan(again, counted_plan(again), 3.0)
    assert [kept.at for kept in applied(again.places)] == [1.0, 3.0]


def test_an_edit_is_told_from_what_was_applied(tmp_path: Path) -> None:
    path = project(tmp_path)
    study = locked(path)
    assert edited_since(study) is None
    record(study, *range(12))
    keep_plan(study, counted_plan(study), 1.0)
    assert edited_since(locked(path)) is None
    path.write_text(SPEC.replace("- 2", "- 2\n      - 3").replace("n: 2", "n: 2  # a comment"))
    (action,) = (a for a in counted_plan(locked(path)).actions if a.verb == "run")
    line = path.read_text().splitlines()[(action.line or 0) - 1]
    assert (action.jobs, action.reason, line.strip()) == (6, "6 jobs: demand gained 3", "- 3")


def test_files_of_the_code_that_changed_are_named(tmp_path: Path) -> None:
    path = project(tmp_path)
    study = locked(path)
    record(study, *range(12))
    keep_plan(study, counted_plan(study), 1.0)
    (tmp_path / "net3" / "net3.py").write_text(CODE + "# faster\n")
    (tmp_path / "net3" / "more.py").write_text("")
    (action,) = (a for a in counted_plan(locked(path)).actions if a.verb == "run again")
    assert action.reason.endswith("changed are more.py, net3.py")


def test_a_kept_plan_that_cannot_be_read_only_takes_the_reasons_away(tmp_path: Path) -> None:
    path = project(tmp_path)
    study = locked(path)
    record(study, 0)
    keep_plan(study, counted_plan(study), 1.0)
    kept = last_applied(study.places)
    assert kept is not None
    kept.path.write_bytes(b"no zip")
    path.write_text(SPEC.replace("- 2", "- 3"))
    reasons = [action.reason for action in counted_plan(locked(path)).actions if action.verb == "run"]
    assert reasons == ["11 jobs to do"]


# ── git ──────────────────────────────────────────────────────────────────────────────────────
def git(directory: Path, *arguments: str) -> None:
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(directory), *author, *arguments], check=True, capture_output=True)


@pytest.mark.skipif(
    shutil.which("git") is None, reason="git is not on PATH: install it (apt-get install git)"
)
def test_the_revision_and_whether_it_tells_everything(tmp_path: Path) -> None:
    path = project(tmp_path / "study")
    used = [path, path.parent / "net3" / "net3.py"]
    assert revision_of(path.parent, used) is None
    git(tmp_path, "init", "--quiet")
    assert revision_of(path.parent, used) is None, "no commit yet"
    git(tmp_path, "add", "study/ensemble.yaml")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    found = revision_of(path.parent, used)
    assert found is not None
    assert (len(found.revision), found.dirty) == (40, True), "the code is not in git"
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "second")
    (tmp_path / "study" / "notes.txt").write_text("not used by anything")
    found = revision_of(path.parent, used)
    assert found is not None
    assert not found.dirty
    path.write_text(SPEC + "\n")
    found = revision_of(path.parent, used)
    assert found is not None
    assert found.dirty
    planned(path, tmp_path / "a.cbplan")
    source = read_contents(tmp_path / "a.cbplan").source
    assert source == found


def test_a_repository_of_somebody_else_hangs_nothing(tmp_path: Path) -> None:
    """Git refuses what belongs to another user; then nothing is said of a revision."""
    path = project(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git").chmod(stat.S_IRWXU)
    assert revision_of(tmp_path, [path]) is None
