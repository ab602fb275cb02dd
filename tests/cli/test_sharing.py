"""`export` and `import` as two people live through them: one computed, the other has nothing left to do."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cloudburst import assets
from cloudburst.compile.archive import Entry, write_archive
from cloudburst.run.kept import sha256_of
from cloudburst.run.ledger import Ledger
from cloudburst.run.observe import read_study
from cloudburst.run.planning import counted_plan
from cloudburst.run.plans import keep_plan

from .conftest import Project

RICH = """\
extends: base/common.yaml
name: tanks
inputs:
  map: data/city.inp
  nets: data/nets
parameters:
  table: {file: scenarios.csv}
  grid:
    curve: {glob: "curves/*.csv"}
job:
  map: "{{ inputs.map }}"
  nets: "{{ inputs.nets }}"
  inflow: "{{ inflow }}"
  curve: "{{ curve }}"
results:
  - table: {path: results/tanks.csv}
"""
FILES = {
    "ensemble.yaml": RICH,
    "base/common.yaml": "cloudburst: 1\nseed: 3\nworker: {directory: ../model, entrypoint: 'tank:fill'}\n",
    "scenarios.csv": "inflow\n1\n2\n",
    "data/city.inp": "pipes\n",
    "data/nets/a.inp": "a\n",
    "data/nets/.hidden": "h\n",
    "curves/one.csv": "1\n",
    "curves/two.csv": "2\n",
    "model/tank.py": "def fill(job):\n    return {'hours': job['inflow']}\n",
    "model/run.sh": "#!/bin/sh\n",
    "model/notes.txt": "mine",
    "model/.cloudburstignore": "notes.txt\n",
    "results/tanks.csv": "row,id\n",
}


@pytest.fixture
def rich(make_project: Any) -> Project:
    """A study with everything a study can read, and four rows recorded."""
    project: Project = make_project(FILES)
    (project.directory / "model/run.sh").chmod(0o755)
    assert project.run("lock").code == 0
    applied(project)
    record(project, 0, 1)
    return project


def applied(project: Project) -> None:
    """As `apply` leaves it, but for the computing."""
    study = read_study(project.directory / "ensemble.yaml")
    Ledger.open(make(study.places.ledger), study.ensemble.name, create=True, spec=study.places.spec).close()
    study.places.plans.mkdir(exist_ok=True)
    keep_plan(study, counted_plan(study), 1.5)


def make(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def record(project: Project, *rows: int, file: str = "ensemble.yaml", seconds: float = 0.1) -> None:
    study = read_study(project.directory / file)
    with Ledger.open(study.places.ledger, study.ensemble.name, create=True) as ledger:
        ledger.begin(study.payload.digest)
        ledger.record(
            {
                "format": 1, "id": study.jobs[row].id, "row": row, "attempt": 1,
                "payload": study.payload.digest, "status": "done", "kind": None, "error": None, "output": "",
                "result": {"hours": float("nan") if row else row}, "series": None, "files": {},
                "started": 1.0, "seconds": seconds, "worker": "node-1/0",
            }
            for row in rows
        )  # fmt: skip


def beside(project: Project, name: str) -> Project:
    """The colleague, whose directory is elsewhere."""
    directory = project.directory.parent / name
    directory.mkdir(exist_ok=True)
    return Project(directory)


def shared(project: Project, *options: str) -> tuple[Project, Path]:
    """The colleague, and the file they were given."""
    archive = project.directory.parent / "given.cbstudy"
    ended = project.run("export", archive, *options)
    assert ended.code == 0, ended.err
    return beside(project, "colleague"), archive


def repacked(archive: Path, **changes: bytes | None) -> Path:
    """Another archive with these entries changed (None: left out)."""
    named = {name.replace("cbstudy_json", "cbstudy.json"): content for name, content in changes.items()}
    with zipfile.ZipFile(archive) as old:
        contents = {one.filename: old.read(one) for one in old.infolist()} | named
    other = archive.with_name("other.cbstudy")
    with other.open("wb") as file:
        kept = {name: content for name, content in contents.items() if content is not None}
        write_archive([Entry(name, None, content) for name, content in kept.items()], file)
    return other


def manifest_of(archive: Path) -> Any:
    with zipfile.ZipFile(archive) as opened:
        return json.loads(opened.read("cbstudy.json"))


# ── a colleague ──────────────────────────────────────────────────────────────────────────────
def test_a_colleague_has_the_same_results_and_nothing_else_to_do(computed: Project) -> None:
    applied(computed)
    colleague, archive = shared(computed)
    ended = colleague.run("import", archive)
    assert ended.code == 0, ended.err
    assert "tanks is in tanks: " in ended.out
    assert "`cloudburst status tanks/ensemble.yaml`" in ended.out
    there = Project(colleague.directory / "tanks")
    assert there.run("results").out == computed.run("results").out
    assert there.run("results", "--series", "level").out == computed.run("results", "--series", "level").out
    assert (
        there.run("show", "--json").json["applied"][0]["plan"]
        == (computed.run("show", "--json").json["applied"][0]["plan"])
    )
    assert "7 done, 1 failed" in " ".join(there.run("plan").out.split())
    done = there.run("apply")
    assert (done.code, "Nothing to do" in done.out) == (4, True), "one failed, as it did before"


def test_all_that_a_study_reads_comes_along(rich: Project) -> None:
    colleague, archive = shared(rich)
    assert colleague.run("import", archive, "here").code == 0
    there = Project(colleague.directory / "here")
    names = {name for name in there.names if not name.startswith(".cloudburst/")}
    assert names == {*FILES, "ensemble.lock"} - {"model/notes.txt"}
    assert all(there.read(name) == text for name, text in FILES.items() if name in names)
    assert os.access(there.directory / "model/run.sh", os.X_OK)
    assert not os.access(there.directory / "model/tank.py", os.X_OK)
    assert there.run("results").out == rich.run("results").out
    counts = there.run("plan", "--json").json["counts"]
    assert (counts["done"], counts["stale"]) == (2, 0), "the code is the same code"


def test_equal_contents_are_equal_bytes_wherever_they_are(rich: Project) -> None:
    colleague, archive = shared(rich)
    first = archive.read_bytes()
    shared(rich)
    assert archive.read_bytes() == first
    colleague.run("import", archive, "here")
    ended = Project(colleague.directory / "here").run("export", "again.cbstudy", "--json")
    assert (colleague.directory / "here" / "again.cbstudy").read_bytes() == first
    assert ended.json["sha256"] == sha256_of(archive)
    for trace in (str(rich.directory), os.uname().nodename, str(Path.home())):
        assert len(trace) < 3 or trace.encode() not in first


def test_the_manifest_is_what_its_schema_says(rich: Project) -> None:
    _, archive = shared(rich, "--no-inputs")
    schema = json.loads(assets.schema("cbstudy").read_text())
    jsonschema.Draft7Validator(schema).validate(manifest_of(archive))


def test_files_above_the_ensemble_file_keep_their_places(make_project: Any) -> None:
    project = make_project({})
    (project.directory / ".git").mkdir()
    project.write({f"studies/{name}": text for name, text in FILES.items()})
    project.write({"shared/common.yaml": FILES["base/common.yaml"].replace("../model", "../studies/model")})
    project.write({"studies/ensemble.yaml": RICH.replace("base/", "../shared/")})
    assert project.run("lock", "studies/ensemble.yaml").code == 0
    archive = project.directory.parent / "given.cbstudy"
    assert project.run("export", archive, "-f", "studies/ensemble.yaml").code == 0
    colleague = beside(project, "colleague")
    assert "tanks/studies/ensemble.yaml" in colleague.run("import", archive).out
    (colleague.directory / "tanks" / ".git").mkdir()
    assert colleague.run("validate", "tanks/studies/ensemble.yaml").code == 0


# ── inputs ───────────────────────────────────────────────────────────────────────────────────
def test_inputs_left_at_home_are_missed_by_their_digest_until_they_are_there(rich: Project) -> None:
    colleague, archive = shared(rich, "--no-inputs")
    ended = colleague.run("import", archive, "here")
    digest = hashlib.sha256(b"pipes\n").hexdigest()
    assert f"data/city.inp, 6 bytes (sha256 {digest}): it was left out on purpose" in ended.out
    there = Project(colleague.directory / "here")
    assert not any(name.startswith(("data/", "curves/")) for name in there.names)
    there.write({name: text for name, text in FILES.items() if name.startswith(("data/", "curves/"))})
    again = colleague.run("import", archive, "here", "--json")
    assert (again.code, again.json["missing"]) == (0, [])
    assert there.run("plan", "--json").json["counts"]["done"] == 2


def test_an_input_from_anywhere_else_is_named_and_not_packed(rich: Project) -> None:
    elsewhere = rich.directory.parent / "elsewhere.inp"
    elsewhere.write_text("pipes\n")
    rich.write({"ensemble.yaml": RICH.replace("data/city.inp", str(elsewhere))})
    ended = rich.run("export", "a.cbstudy")
    assert f"{elsewhere}, 6 bytes" in ended.out
    assert not any("elsewhere" in one["path"] for one in manifest_of(rich.directory / "a.cbstudy")["files"])


# ── brought together ─────────────────────────────────────────────────────────────────────────
def test_two_halves_are_one_study(rich: Project) -> None:
    colleague, archive = shared(rich)
    colleague.run("import", archive, "here")
    there = Project(colleague.directory / "here")
    record(there, 1, 2, 3, seconds=9.0)
    there.run("export", "back.cbstudy")
    ended = rich.run("import", there.directory / "back.cbstudy", ".")
    assert ended.code == 0, ended.err + ended.out
    assert "4 recorded attempts (2 of them new here), 1 plan" in ended.out
    assert rich.run("plan", "--json").json["counts"]["done"] == 4
    seconds = rich.run("results", "--columns", "row,seconds").out.split()
    assert seconds[1:] == ["0,0.1", "1,0.1", "2,9.0", "3,9.0"], "the first record of an attempt wins"
    assert rich.run("import", there.directory / "back.cbstudy", ".", "--json").json["new"] == 0


def test_a_file_that_differs_is_named_and_stays(rich: Project) -> None:
    _, archive = shared(rich)
    edited = {"model/tank.py": "def fill(job):\n    return 1\n", "ensemble.yaml": RICH + "# mine\n"}
    rich.write(edited)
    ended = rich.run("import", archive, ".")
    assert ended.code == 1
    said = ended.out[ended.out.index("left as they are") :]
    assert "  ensemble.yaml\n  model/tank.py\n" in said
    assert {name: rich.read(name) for name in edited} == edited
    forced = rich.run("import", archive, ".", "--force")
    assert (forced.code, "replaced:" in forced.out) == (0, True)
    assert {name: rich.read(name) for name in edited} == {name: FILES[name] for name in edited}


def test_another_study_is_no_place_for_it(rich: Project, make_project: Any) -> None:
    colleague, archive = shared(rich)
    colleague.write({"ensemble.yaml": RICH.replace("name: tanks", "name: other").replace("extends", "# ")})
    before = colleague.names
    ended = colleague.run("import", archive, ".")
    assert ended.code == 1
    assert "ensemble.yaml is another file, not tanks" in " ".join(ended.err.split())
    assert colleague.names == before


# ── what is not to be believed ───────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "place",
    ["../evil.py", "/evil.py", "a/../../evil.py", ".git/hooks/x", ".CloudBurst/tanks/x", "a//b", "./a"],
)
def test_what_would_leave_the_directory_is_refused(rich: Project, place: str) -> None:
    colleague, archive = shared(rich)
    form = manifest_of(archive)
    evil = {"path": f"study/{place}", "role": "worker", "sha256": hashlib.sha256(b"x").hexdigest(), "size": 1}
    form["files"].append(evil)
    other = repacked(archive, **{"cbstudy_json": json.dumps(form).encode(), evil["path"]: b"x"})
    ended = colleague.run("import", other, "here")
    assert ended.code == 1
    assert "would be written outside the study's directory" in " ".join(ended.err.split())
    assert colleague.names == []
    assert not (colleague.directory.parent / "evil.py").exists()


def test_a_directory_that_is_a_link_leads_nowhere(rich: Project) -> None:
    colleague, archive = shared(rich)
    outside = colleague.directory.parent / "outside"
    outside.mkdir()
    (colleague.directory / "model").symlink_to(outside)
    ended = colleague.run("import", archive, ".")
    assert (ended.code, list(outside.iterdir())) == (1, [])
    assert "a directory on the way is a link" in " ".join(ended.err.split())


def test_damage_is_found_before_anything_is_written(rich: Project) -> None:
    colleague, archive = shared(rich)
    whole = archive.read_bytes()
    form = manifest_of(archive)
    newer = {**form, "format_version": "2.0"}
    thief = {**form, "study": "../tanks"}
    cases = {
        "is no study": b"PK",
        "it is cut short": whole[:-30],
        "cannot be read": whole.replace(b"pipes\n", b"pipez\n"),
        "is not what its sha256 says": repacked(archive, **{"study/data/city.inp": b"pipez\n"}).read_bytes(),
        "'study/data/city.inp' is missing": repacked(archive, **{"study/data/city.inp": None}).read_bytes(),
        "'study/more' is in it, and not in its": repacked(archive, **{"study/more": b""}).read_bytes(),
        "is a study of format 2.0": repacked(archive, cbstudy_json=json.dumps(newer).encode()).read_bytes(),
        "is no name of a study": repacked(archive, cbstudy_json=json.dumps(thief).encode()).read_bytes(),
        "its cbstudy.json cannot be read": repacked(archive, cbstudy_json=b"{").read_bytes(),
    }
    for words, content in cases.items():
        archive.write_bytes(content)
        ended = colleague.run("import", archive, "here")
        assert (ended.code, words in " ".join(ended.err.split())) == (1, True), (words, ended.err)
        assert os.listdir(colleague.directory) == [], words


def test_records_that_are_none_change_nothing(rich: Project) -> None:
    colleague, archive = shared(rich)
    form = manifest_of(archive)
    strange = b'{"format":1,"study":"tanks","payloads":{}}\n{"id":1}\n'
    for one in form["files"]:
        if one["role"] == "ledger":
            one |= {"sha256": hashlib.sha256(strange).hexdigest(), "size": len(strange)}
    other = repacked(archive, **{"cbstudy_json": json.dumps(form).encode(), "ledger.jsonl": strange})
    ended = colleague.run("import", other, "here")
    assert (ended.code, colleague.names) == (1, [])
    assert "its records are not as" in " ".join(ended.err.split())


def test_a_disk_that_is_full_leaves_nothing_half(rich: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    colleague, archive = shared(rich)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cloudburst.run.importing.adopt_plans", full)
    ended = colleague.run("import", archive, "here")
    assert (ended.code, os.listdir(colleague.directory)) == (1, [])
    assert "No space left on device" in ended.err


# ── meanwhile ────────────────────────────────────────────────────────────────────────────────
def test_it_is_as_of_one_moment_while_somebody_records(rich: Project) -> None:
    """A transaction that is open, and one that is committed while we read, change nothing of what we see."""
    ledger = read_study(rich.directory / "ensemble.yaml").places.ledger
    writer = sqlite3.connect(ledger, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE payloads SET used = used + 1")
    try:
        _, archive = shared(rich)
    finally:
        writer.execute("ROLLBACK")
        writer.close()
    assert manifest_of(archive)["outcomes"] == 2


def test_a_file_edited_while_it_is_packed_makes_no_archive(
    rich: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cloudburst.run import exporting

    measure = exporting._measure

    def measured_and_edited(file: Path) -> tuple[str, int]:
        found = measure(file)
        if file.name == "city.inp":
            file.write_text("other\n")
        return found

    monkeypatch.setattr(exporting, "_measure", measured_and_edited)
    ended = rich.run("export", "a.cbstudy")
    assert (ended.code, "a.cbstudy" in rich.names) == (1, False)
    assert "changed meanwhile" in " ".join(ended.err.split())
    assert not [name for name in os.listdir(rich.directory) if "a.cbstudy" in name]


# ── secrets ──────────────────────────────────────────────────────────────────────────────────
def test_no_credential_and_no_log_travels(rich: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LICENSE_SERVER", "marked-secret")
    rich.write({"ensemble.yaml": RICH + "worker: {env: [LICENSE_SERVER]}\n"})
    state = ".cloudburst/tanks"
    rich.write(
        {
            f"{state}/{place}": "marked-secret"
            for place in (
                "secrets/queue-password", "secrets/machines/key", "queue/appendonly.aof", "logs/worker.log",
                "study.json", "run.lock", "rentals.json", "inputs.json", "files/payload/aa/aa",
            )
        }
    )  # fmt: skip
    colleague, archive = shared(rich)
    assert b"marked-secret" not in archive.read_bytes()
    assert colleague.run("import", archive, "here").code == 0
    assert not list((colleague.directory / "here/.cloudburst/tanks/secrets").iterdir())


# ── mistakes ─────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export", "ensemble.yaml"], "`cloudburst export -f ensemble.yaml`"),
        (["export", "tanks.zip"], "its name ends in .cbstudy: tanks.cbstudy"),
        (["export", "no/such/tanks.cbstudy"], "cannot be written"),
        (["import", "none.cbstudy"], "there is no file none.cbstudy"),
        (["import", "ensemble.yaml"], "ensemble.yaml is no study"),
    ],
)
def test_mistakes_have_a_sentence(study: Any, arguments: list[str], words: str) -> None:
    ended = study.run(*arguments)
    assert ended.code in (1, 2)
    assert words in " ".join(ended.err.split())


def test_without_a_name_it_has_the_studys_own(study: Any) -> None:
    assert study.run("export").code == 0
    assert "tanks.cbstudy" in study.names


def test_written_among_the_code_it_is_no_part_of_it(make_project: Any) -> None:
    code = "def fill(inflow):\n    return inflow\n"
    spec = "cloudburst: 1\nname: tanks\nworker: {directory: ., entrypoint: 'tank:fill'}\nparameters: {grid: {inflow: [1, 2]}}\n"
    project: Project = make_project({"ensemble.yaml": spec, "tank.py": code})
    project.run("lock")
    applied(project)
    record(project, 0, 1)
    assert project.run("export").code == 0
    assert project.run("plan", "--json").json["counts"]["done"] == 2
    assert project.run("import", "tanks.cbstudy", "../colleague").code == 0
    there = Project(project.directory.parent / "colleague")
    assert there.run("plan", "--json").json["counts"]["done"] == 2


def test_an_archive_where_a_file_is_in_the_way(study: Any) -> None:
    study.run("export")
    study.write({"tanks": "a file"})
    assert "tanks is a file" in study.run("import", "tanks.cbstudy").err
