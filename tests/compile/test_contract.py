"""The function or the program the spec names, judged by reading: file in, sentence out."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cloudburst.compile.contract import check_packed, check_worker
from cloudburst.diagnostics import Problem
from cloudburst.spec.ensemble import (
    Block,
    Cluster,
    Ensemble,
    Fixed,
    Needs,
    Retries,
    Worker,
)


@dataclass(frozen=True)
class Sample:
    description: dict[str, Any]
    argv: tuple[str, ...] | None = None
    row: Any = field(default_factory=lambda: SimpleNamespace(index=12))


def study(
    entrypoint: str | None = "net3:work", command: tuple[str, ...] | None = None, **changes: Any
) -> Ensemble:
    worker = Worker("net3", entrypoint, command, None, None, Retries(), Needs(), "process", ())
    block = Block(
        "main", (Fixed("demand", 1, ("parameters", "fixed", "demand")),), (), (), (), ("parameters",)
    )
    ensemble = Ensemble("net3", 0, worker, (), (block,), None, Cluster(), ())
    return replace(ensemble, worker=replace(worker, **changes))


@pytest.fixture
def judge(tmp_path: Path):
    def judge(
        source: str, *jobs: dict[str, Any], entrypoint: str = "net3:work", **changes: Any
    ) -> list[Problem]:
        (tmp_path / "net3").mkdir(exist_ok=True)
        (tmp_path / "net3/net3.py").write_text(source)
        samples = [Sample(job) for job in jobs or ({"demand": 1.1, "hours": 168},)]
        return list(check_worker(study(entrypoint, **changes), tmp_path, samples))

    return judge


def said(problems: list[Problem]) -> list[tuple[str, str]]:
    return [(problem.code, problem.severity) for problem in problems]


# ── what fits ────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "signature",
    [
        "job",
        "job, /",
        "job=None",
        "demand, hours",
        "hours, demand, more=1",
        "*, demand, hours",
        "demand, **others",
        "**everything",
        "demand, hours, *rest",
    ],
)
def test_fits(judge, signature):
    assert judge(f"def work({signature}):\n    return 1\n") == []


def test_one_parameter_that_is_a_key_gets_that_key(judge):
    assert judge("def work(demand): ...\n", {"demand": 1}) == []
    assert said(judge("def work(demand): ...\n", {"demand": 1, "hours": 2})) == [
        ("job-does-not-fit", "error")
    ]


def test_setup_and_other_functions_are_no_matter(judge):
    assert judge("import math\ndef setup(): ...\nclass A: ...\ndef work(job): ...\n") == []


def test_yield_inside_an_inner_function_is_its_own(judge):
    assert judge("def work(job):\n    def inner():\n        yield 1\n    return list(inner())\n") == []


# ── what does not ────────────────────────────────────────────────────────────────────────────
def test_an_unknown_key_names_the_nearest_parameter(judge):
    (problem,) = judge("\ndef work(demnd=1, hours=2): ...\n")
    assert problem.message == 'work() at net3/net3.py:2 has no parameter "demand", which is a key of the job'
    assert problem.hint == 'did you mean "demnd"?'
    assert problem.path == ("worker", "entrypoint")
    assert problem.related == ((("parameters", "fixed", "demand"), "the parameter"),)


def test_an_argument_no_job_has_is_missed(judge):
    (problem,) = judge("def work(demand, hours, leak): ...\n")
    assert problem.message == 'work() at net3/net3.py:1 needs "leak", which the job of row 12 does not have'


def test_a_key_only_some_rows_have_is_missed_in_the_others(judge):
    (problem,) = judge("def work(demand, rule): ...\n", {"demand": 1, "rule": "a"}, {"demand": 1})
    assert '"rule"' in problem.message


def test_the_same_misfit_is_said_once(judge):
    assert len(judge("def work(demand): ...\n", *[{"demand": 1, "hours": n} for n in range(5)])) == 1


def test_job_beside_another_parameter_gets_a_hint(judge):
    problems = judge("def work(job, verbose=False): ...\n", {"demand": 1})
    assert any("takes the whole description has one parameter" in problem.hint for problem in problems)


def test_positional_only_cannot_be_given_by_name(judge):
    problems = judge("def work(demand, hours, /): ...\n")
    assert {problem.hint for problem in problems} >= {"remove the `/` from the parameters"}


@pytest.mark.parametrize("signature", ["", "*jobs", "*, job"])
def test_nothing_to_give_a_job_to(judge, signature):
    assert {code for code, _ in said(judge(f"def work({signature}): ...\n"))} == {"job-does-not-fit"}


@pytest.mark.parametrize(
    ("source", "code", "says"),
    [
        ("async def work(job): ...\n", "wrong-kind-of-function", "is an async function"),
        ("def work(job):\n    yield 1\n", "wrong-kind-of-function", "is a generator"),
        ("def work(job):\n    if job:\n        yield from job\n", "wrong-kind-of-function", "is a generator"),
        ("def wrk(job): ...\n", "no-function", 'there is no function "work" in net3/net3.py'),
        ("def work(job):\n  return 1\n return 2\n", "python-syntax", "net3/net3.py:3: "),
        ("def work(job):\n    return 'é\x00'\n", "python-syntax", "net3/net3.py"),
        ("def setup(path): ...\ndef work(job): ...\n", "setup-arguments", 'needs "path"'),
    ],
)
def test_certainly_wrong_is_an_error(judge, source, code, says):
    (problem,) = judge(source)
    assert (problem.code, problem.severity) == (code, "error")
    assert says in problem.message


def test_the_nearest_function_is_offered(judge):
    assert judge("def wrok(job): ...\n")[0].hint == 'did you mean "wrok"?'
    assert judge("def simulate(job): ...\ndef _inner(): ...\n")[0].hint == "it defines simulate"


@pytest.mark.parametrize(
    "source",
    [
        "class work:\n    def __init__(self, a, b): ...\n",
        "work = lambda job: 1\n",
        "from model import work\n",
        "import model as work\n",
        "from model import *\n",
        "def __getattr__(name): ...\n",
        "@decorated\ndef work(a, b): ...\n",
        "try:\n    from fast import work\nexcept ImportError:\n    def work(a, b): ...\n",
        "if True:\n    def work(a, b): ...\n",
        "def work(a, b): ...\nwork = wrapped(work)\n",
    ],
)
def test_what_reading_cannot_decide_is_a_note(judge, source):
    assert said(judge(source)) == [("checked-later", "note")]


def test_a_newer_python_may_know_more(judge):
    newer = f"{sys.version_info.major}.{sys.version_info.minor + 1}"
    assert said(judge("def work(job): return 1 ?\n", python=newer)) == [("checked-later", "note")]


# ── module and directory ─────────────────────────────────────────────────────────────────────
def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("def work(job): ...\n")


@pytest.mark.parametrize(
    ("entrypoint", "code", "hint"),
    [
        ("net4:work", "no-module", 'did you mean "net3"?'),
        ("Net3:work", "no-module", 'did you mean "net3"?'),
        ("models.epanett:work", "no-module", 'did you mean "epanet"?'),
        ("modles.epanet:work", "no-module", 'did you mean "models"?'),
        ("zzz:work", "no-module", "expected the file net3/zzz.py"),
    ],
)
def test_a_module_that_is_not_there(tmp_path, entrypoint, code, hint):
    make(tmp_path, "net3/net3.py", "net3/models/epanet.py")
    (problem,) = check_worker(study(entrypoint), tmp_path, [Sample({})])
    assert (problem.code, problem.severity, problem.hint) == (code, "error", hint)


@pytest.mark.parametrize("entrypoint", ["models.epanet:work", "models:work"])
def test_modules_of_packages(tmp_path, entrypoint):
    make(tmp_path, "net3/models/__init__.py", "net3/models/epanet.py")
    assert list(check_worker(study(entrypoint), tmp_path, [Sample({"a": 1})])) == []


def test_a_module_of_an_installed_package_is_a_note(tmp_path):
    make(tmp_path, "net3/other.py")
    problems = list(check_worker(study("my_model.run:work"), tmp_path, [], installed=["My-Model"]))
    assert said(problems) == [("checked-later", "note")]


def test_hiding_a_module_of_python_is_worth_a_word(tmp_path):
    make(tmp_path, "net3/random.py")
    assert said(list(check_worker(study("random:work"), tmp_path))) == [("hides-standard-module", "warning")]


def test_a_missing_directory_names_its_neighbour(tmp_path):
    (tmp_path / "net-3").mkdir()
    (problem,) = check_worker(study(), tmp_path)
    assert (problem.code, problem.path) == ("no-worker-directory", ("worker", "directory"))
    assert (problem.message, problem.hint) == ('there is no directory "net3"', 'did you mean "net-3"?')


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "net3").write_text("")
    (problem,) = check_worker(study(), tmp_path)
    assert problem.message == '"net3" is a file, not a directory'


# ── command: ─────────────────────────────────────────────────────────────────────────────────
def run(tmp_path: Path, *argv: str) -> list[Problem]:
    return list(check_worker(study(None, argv), tmp_path, [Sample({}, argv)]))


def test_a_program_that_is_there(tmp_path):
    make(tmp_path, "net3/solve")
    (tmp_path / "net3/solve").chmod(0o755)
    assert run(tmp_path, "./solve", "case.dat") == []


def test_a_program_that_cannot_be_executed(tmp_path):
    make(tmp_path, "net3/bin/solve")
    (problem,) = run(tmp_path, "bin/solve")
    assert (problem.code, problem.hint) == ("not-executable", "chmod +x net3/bin/solve")
    assert problem.path == ("worker", "command", 0)


def test_a_program_that_is_not_built(tmp_path):
    make(tmp_path, "net3/main.c")
    (problem,) = run(tmp_path, "./solve")
    assert (problem.code, problem.severity) == ("no-program", "error")
    assert "build it first" in problem.hint
    make(tmp_path, "net3/solve.c")
    assert "build it from solve.c first" in run(tmp_path, "./solve")[0].hint
    make(tmp_path, "net3/bin/solver")
    assert run(tmp_path, "bin/solve")[0].hint == 'did you mean "solver"?'


def test_a_program_chosen_by_a_parameter(tmp_path):
    make(tmp_path, "net3/fast")
    (tmp_path / "net3/fast").chmod(0o755)
    samples = [Sample({}, ("./fast",)), Sample({}, ("./slow",))]
    problems = list(check_worker(study(None, ("./{{ kind }}",)), tmp_path, samples))
    assert [problem.message for problem in problems] == ['there is no program "./slow" in net3']


def test_a_program_on_path_is_the_nodes_business(tmp_path):
    make(tmp_path, "net3/solve")
    assert run(tmp_path, "python", "solve.py") == []
    assert run(tmp_path, "/usr/bin/env") == []
    assert [(p.code, p.severity) for p in run(tmp_path, "solve")] == [("program-on-path", "warning")]


def test_what_the_ignore_file_keeps_home_cannot_run(tmp_path):
    make(tmp_path, "net3/net3.py", "net3/solve")
    assert [p.code for p in check_packed(study(), tmp_path, ["other.py"])] == ["ignored-worker-file"]
    assert list(check_packed(study(), tmp_path, ["net3.py"])) == []
    (problem,) = check_packed(study(None, ("./solve",)), tmp_path, ["net3.py"])
    assert (problem.path, problem.hint) == (
        ("worker", "command", 0),
        "add the line `!solve` to net3/.cloudburstignore",
    )
