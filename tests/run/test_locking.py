"""`cloudburst lock`: what uv is asked, what becomes of its answer, and what its complaints become."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from uv import find_uv_bin

from cloudburst.compile.lockfile import judge_lock, parse_lock
from cloudburst.compile.requirements import Requirement, Source, find_requirements
from cloudburst.errors import CloudBurstError, LockingFailed, SpecError
from cloudburst.run.locking import explain, index_environment, make_lock, running_python

PINNED_SIX = re.compile(r"six==1\.\d+\.\d+ \\\n    --hash=sha256:[0-9a-f]{64}")


def lock(
    directory: Path, files: dict[str, str], entrypoint: str | None = "net3:work", python: str | None = None
):
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    return make_lock(directory, entrypoint, python, directory.parent / "ensemble.lock")


SCRIPT = """\
# /// script
# dependencies = [
#   "six",
# ]
# ///
def work(job):
    return 1
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "made_from"),
    [
        ({"requirements.txt": "six  # the smallest\n"}, "requirements.txt"),
        (
            {"pyproject.toml": '[project]\nname = "w"\nversion = "1"\ndependencies = ["six"]\n'},
            "pyproject.toml",
        ),
        ({"net3.py": SCRIPT}, "net3.py"),
        ({"Pipfile": '[packages]\nsix = "*"\n'}, "Pipfile"),
        ({"requirements.in": "six\n"}, "requirements.in"),
    ],
)
def test_every_kind_of_file_is_locked(tmp_path, files, made_from):
    made = lock(tmp_path / "w", files)
    assert PINNED_SIX.match(made.requirements)
    assert (made.made_from, made.python) == (made_from, running_python())
    assert parse_lock((tmp_path / "ensemble.lock").read_text()) == made
    found = find_requirements(tmp_path / "w", "net3:work")
    assert judge_lock((tmp_path / "ensemble.lock").read_text(), found, None).state == "locked"


@pytest.mark.slow
def test_a_uv_lock_is_exported_as_it_is(tmp_path):
    project = (
        '[project]\nname = "w"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["six<1.17"]\n'
    )
    (tmp_path / "w").mkdir()
    (tmp_path / "w/pyproject.toml").write_text(project)
    subprocess.run([find_uv_bin(), "lock", "--quiet"], cwd=tmp_path / "w", check=True)
    made = lock(tmp_path / "w", {})
    assert (made.made_from, made.packages) == ("uv.lock", ("six==1.16.0",))
    assert sorted(p.name for p in (tmp_path / "w").iterdir()) == ["pyproject.toml", "uv.lock"]


@pytest.mark.slow
def test_the_lock_is_for_every_platform(tmp_path):
    made = lock(tmp_path / "w", {"requirements.txt": "six; sys_platform == 'win32'\n"})
    assert "six==" in made.requirements
    assert "sys_platform == 'win32'" in made.requirements


@pytest.mark.slow
def test_the_index_of_the_file_stays_out(tmp_path):
    (tmp_path / "wheels").mkdir()
    text = f"--find-links {tmp_path / 'wheels'}\n--trusted-host 127.0.0.1\nsix\n"
    lock(tmp_path / "w", {"requirements.txt": text})
    written = (tmp_path / "ensemble.lock").read_text()
    assert PINNED_SIX.search(written)
    assert not re.search("find-links|trusted|127", written)


@pytest.mark.slow
def test_locking_again_changes_nothing(tmp_path):
    lock(tmp_path / "w", {"requirements.txt": "six==1.16.0\n"})
    first = (tmp_path / "ensemble.lock").read_text()
    lock(tmp_path / "w", {})
    assert (tmp_path / "ensemble.lock").read_text() == first
    loosened = lock(tmp_path / "w", {"requirements.txt": "six\n"})
    assert loosened.packages == ("six==1.16.0",), "a pin that still fits is kept"


@pytest.mark.slow
def test_progress_is_told(tmp_path):
    (tmp_path / "w").mkdir()
    (tmp_path / "w/requirements.txt").write_text("six\n")
    lines: list[str] = []
    make_lock(tmp_path / "w", None, None, tmp_path / "ensemble.lock", say=lines.append)
    assert any("Resolved 1 package" in line for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("six<1.17\n# not yet\nsix>=1.17\n", "requirements.txt:1: cannot be resolved"),
        ("# not yet\nnumpy==99\n", "requirements.txt:2: no version of numpy matches ==99"),
        ("six\nnumpy>=99\n", "requirements.txt:2: no version of numpy matches >=99 (there is <="),
        ("six\nfoo bar baz\n", 'requirements.txt:2: "foo bar baz" cannot be read as a requirement'),
        (
            "six\nno-such-thing-as-cloudburst-wants\n",
            "requirements.txt:2: the package index has no package no-such",
        ),
    ],
)
def test_what_cannot_be_resolved_has_a_line(tmp_path, text, says):
    with pytest.raises(LockingFailed) as raised:
        lock(tmp_path / "w", {"requirements.txt": text})
    assert raised.value.message.startswith(says)
    assert raised.value.hint
    assert not (tmp_path / "ensemble.lock").exists()


def test_nothing_asked_for_is_an_empty_lock(tmp_path):
    made = lock(tmp_path / "w", {"net3.py": "def work(job): return 1\n"}, python="3.12")
    assert (made.requirements, made.made_from, made.python) == ("", "", "3.12")


def test_what_no_hash_can_pin_is_refused_before_uv_runs(tmp_path):
    with pytest.raises(SpecError) as raised:
        lock(tmp_path / "w", {"requirements.txt": "six\n-e ../mine\n"})
    (diagnostic,) = raised.value.diagnostics
    assert (diagnostic.code, diagnostic.span.line) == ("unlockable-requirement", 2)


def test_without_uv_there_is_a_way_out(tmp_path, monkeypatch):
    def nowhere():
        raise FileNotFoundError

    monkeypatch.setattr("uv.find_uv_bin", nowhere)
    with pytest.raises(LockingFailed) as raised:
        lock(tmp_path / "w", {"requirements.txt": "six\n"})
    assert raised.value.hint == "pip install uv"


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "ensemble.lock").mkdir()
    with pytest.raises(CloudBurstError, match=r"ensemble\.lock cannot be written"):
        lock(tmp_path / "w", {})


SOURCE = Source(
    "requirements.txt",
    "requirements.txt",
    (Requirement("wntr==1.5.0", "requirements.txt", 1), Requirement("NumPy<2", "requirements.txt", 4)),
    "",
)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            "error: No solution found when resolving dependencies\n  cause: Because wntr==1.5.0 depends on numpy>=2 and "
            "you require numpy<2, we can conclude that your requirements and wntr==1.5.0 are incompatible.",
            "requirements.txt:1: cannot be resolved for Python 3.9: wntr==1.5.0 depends on numpy>=2 and you require numpy<2",
        ),
        (
            "  × No solution found when resolving dependencies:\n  ╰─▶ Because there is no version of numpy{sys_platform"
            " == 'win32'}==99 and\n      you require numpy==99, we can conclude that your requirements are unsatisfiable.",
            "requirements.txt:4: no version of numpy matches ==99",
        ),
        (
            "error: No solution found\n cause: Because the requested Python version (>=3.9) does not satisfy Python>=3.11 "
            "and wntr==1.5.0 depends on Python>=3.11, we can conclude that wntr==1.5.0 cannot be used.",
            "requirements.txt:1: wntr==1.5.0 needs Python >=3.11, the worker has 3.9",
        ),
        (
            "error: Request failed after 3 retries in 9.6s\n  cause: Failed to fetch: https://u:pw@pypi.example/simple/six/\n"
            "  cause: dns error",
            "the package index at pypi.example does not answer, so requirements.txt cannot be locked",
        ),
        (
            "error: Failed to write\n  cause: No space left on device (os error 28)",
            "no space left on the disk while resolving requirements.txt",
        ),
        ("error: something new", "requirements.txt: cannot be resolved for Python 3.9: something new"),
    ],
)
def test_a_complaint_becomes_a_sentence(said, message):
    assert explain(said, SOURCE, "3.9").message == message


def test_pips_index_is_told_to_uv_unless_uv_has_its_own():
    told = index_environment({"PIP_INDEX_URL": "https://a", "PIP_FIND_LINKS": "/x /y", "HOME": "/h"})
    assert told["UV_DEFAULT_INDEX"] == "https://a"
    assert told["UV_FIND_LINKS"] == "/x,/y"
    own = index_environment({"PIP_INDEX_URL": "https://a", "UV_INDEX_URL": "https://b"})
    assert own == {"PIP_INDEX_URL": "https://a", "UV_INDEX_URL": "https://b"}


@pytest.mark.slow
def test_what_only_this_python_can_have_is_resolved_for_it(tmp_path: Path) -> None:
    """pandas 3 asks for a numpy on Python 3.14 that it does not ask for on 3.11."""
    directory = tmp_path / "worker"
    directory.mkdir()
    (directory / "requirements.txt").write_text("numpy==1.26.4\npandas==3.0.0\n")
    lock = make_lock(directory, None, "3.11", tmp_path / "study.lock")
    assert {"numpy", "pandas"} <= {name.partition("==")[0] for name in lock.packages}
    assert "python_full_version < '3.12'" in lock.requirements
